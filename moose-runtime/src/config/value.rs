//! The text forms of configuration values, and the bounds within which each is accepted.
//!
//! A [`Slot`] is a reference to one value of a [`Config`](super::Config) together with what is allowed there. It
//! parses, prints and describes the value, so the loader, the messages and the reference can't disagree.

use std::{collections::BTreeMap, net::SocketAddr, ops::RangeInclusive, path::PathBuf, time::Duration};

use bytesize::ByteSize;

/// A reference to one value, with the bounds of what is allowed.
pub(super) enum Slot<'a> {
    /// A directory.
    Path(&'a mut PathBuf),
    /// Any text.
    Text(&'a mut String),
    /// A password that is valid in an HTTP header, or none.
    Secret(&'a mut String),
    /// True or false.
    Flag(&'a mut bool),
    /// A name that is allowed in cursors, tokens and SQL: letters, digits, `_`, `-`, `.`.
    Name(&'a mut String),
    /// The HTTP address of a server, or none.
    Url(&'a mut Option<String>),
    /// Brokers, or none.
    Brokers(&'a mut Option<String>),
    /// A section whose keys are defined elsewhere.
    Properties(&'a mut BTreeMap<String, String>),
    /// An address to listen on.
    Address(&'a mut SocketAddr),
    /// A count.
    Count(&'a mut usize, RangeInclusive<usize>),
    /// A number of bytes.
    Size(&'a mut ByteSize, RangeInclusive<u64>),
    /// A length of time.
    Duration(&'a mut Duration, RangeInclusive<Duration>),
}

impl Slot<'_> {
    /// Parses and stores `text`. `false`, with nothing stored, if it is malformed or out of bounds.
    #[must_use]
    pub(super) fn read(self, text: &str) -> bool {
        match self {
            Self::Path(place) => store(place, (!text.is_empty()).then(|| PathBuf::from(text))),
            Self::Text(place) => store(place, Some(text.to_owned())),
            Self::Secret(place) => store(place, is_secret(text).then(|| text.to_owned())),
            Self::Flag(place) => store(place, text.parse().ok()),
            Self::Name(place) => store(place, is_name(text).then(|| text.to_owned())),
            Self::Url(place) => store(place, is_url(text).then(|| Some(text.trim_end_matches('/').to_owned()))),
            Self::Brokers(place) => store(place, is_brokers(text).then(|| Some(text.to_owned()))),
            // A section has no value of its own.
            Self::Properties(_) => false,
            Self::Address(place) => store(place, text.parse().ok()),
            Self::Count(place, bounds) => {
                store(place, text.parse().ok().filter(|count: &usize| bounds.contains(count)))
            }
            Self::Size(place, bounds) => {
                store(place, text.parse().ok().filter(|size: &ByteSize| bounds.contains(&size.as_u64())))
            }
            Self::Duration(place, bounds) => {
                store(place, humantime::parse_duration(text).ok().filter(|duration| bounds.contains(duration)))
            }
        }
    }

    /// Whether the value must not be shown.
    pub(super) fn is_secret(&self) -> bool {
        matches!(self, Self::Secret(_))
    }

    /// The value as one would write it in the file.
    pub(super) fn show(&self) -> String {
        match self {
            Self::Path(place) => place.display().to_string(),
            Self::Text(place) | Self::Name(place) => (*place).clone(),
            Self::Url(place) | Self::Brokers(place) => place.as_deref().unwrap_or_default().to_owned(),
            Self::Flag(place) => place.to_string(),
            Self::Secret(_) => String::new(),
            // The values may be secrets.
            Self::Properties(place) => place.keys().cloned().collect::<Vec<_>>().join(", "),
            Self::Address(place) => place.to_string(),
            Self::Count(place, _) => place.to_string(),
            Self::Size(place, _) => show_size(place.as_u64()),
            Self::Duration(place, _) => show_duration(**place),
        }
    }

    /// What is allowed; completes "expected …".
    pub(super) fn expected(&self) -> String {
        match self {
            Self::Path(_) => "the path of a directory".to_owned(),
            Self::Text(_) => "text".to_owned(),
            Self::Secret(_) => "at most 128 printable ASCII characters without spaces".to_owned(),
            Self::Flag(_) => "`true` or `false`".to_owned(),
            Self::Name(_) => {
                "a name of at most 128 ASCII letters, digits, `_`, `-` and `.`, such as `web-shop`".to_owned()
            }
            Self::Url(_) => "an address such as `http://clickhouse:8123`, without path or query".to_owned(),
            Self::Brokers(_) => "`host:port`, or several divided by commas, such as `kafka-1:9092,kafka-2:9092`".to_owned(),
            Self::Properties(_) => "a section of librdkafka's properties, but for those that the promise hangs on (acks, group.id and the like)".to_owned(),
            Self::Address(_) => "an IP address and port such as `127.0.0.1:4000` (port 0: any free one)".to_owned(),
            Self::Count(_, bounds) => format!("a whole number from {} to {}", bounds.start(), bounds.end()),
            Self::Size(_, bounds) => {
                format!("a size such as `64 MiB`, from {} to {}", show_size(*bounds.start()), show_size(*bounds.end()))
            }
            Self::Duration(_, bounds) => format!(
                "a duration such as `1s` or `500ms`, from {} to {}",
                show_duration(*bounds.start()),
                show_duration(*bounds.end())
            ),
        }
    }
}

fn store<T>(place: &mut T, value: Option<T>) -> bool {
    let Some(value) = value else { return false };
    *place = value;
    true
}

/// Whether the text is valid in an HTTP header as it is.
fn is_secret(text: &str) -> bool {
    text.len() <= 128 && text.bytes().all(|byte| byte.is_ascii_graphic())
}

fn is_name(text: &str) -> bool {
    (1..=128).contains(&text.len())
        && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-' | b'.'))
}

/// Plain HTTP only: nothing in the process supports TLS yet, and it is better to reject such an address here.
fn is_url(text: &str) -> bool {
    let Ok(uri) = text.parse::<hyper::Uri>() else { return false };
    uri.scheme_str() == Some("http")
        && uri.authority().is_some_and(|authority| !authority.host().is_empty() && !authority.as_str().contains('@'))
        && matches!(uri.path(), "" | "/")
        && uri.query().is_none()
}

fn is_brokers(text: &str) -> bool {
    text.split(',').all(|broker| {
        let (host, port) = broker.trim().rsplit_once(':').unwrap_or_default();
        !host.is_empty() && !host.contains(['/', ' ']) && port.parse::<u16>().is_ok_and(|port| port != 0)
    })
}

/// In the largest binary unit that gives a whole number.
fn show_size(bytes: u64) -> String {
    let units = [("TiB", 40), ("GiB", 30), ("MiB", 20), ("KiB", 10)];
    for (unit, shift) in units {
        let count = bytes >> shift;
        if count > 0 && count << shift == bytes {
            return format!("{count} {unit}");
        }
    }
    format!("{bytes} B")
}

/// In the largest unit that gives a whole number; unlike `humantime`'s own form, always one unit.
fn show_duration(duration: Duration) -> String {
    let milliseconds = duration.as_millis();
    let units = [("d", 86_400_000), ("h", 3_600_000), ("m", 60_000), ("s", 1000)];
    for (unit, length) in units {
        if milliseconds >= length && milliseconds.is_multiple_of(length) {
            return format!("{}{unit}", milliseconds / length);
        }
    }
    format!("{milliseconds}ms")
}
