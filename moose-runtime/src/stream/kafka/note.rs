//! The stored form of a cursor: the group's committed offset, and the rest in the metadata beside it.
//!
//! The metadata is JSON with short names, version first; brokers accept 4,096 bytes of it, and this needs half at most.
//! Metadata that does not begin like ours was written by somebody else, who has moved the group.

use std::time::{SystemTime, UNIX_EPOCH};

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::stream::{Counted, Cursor, Pending};

/// The version, which our metadata begins with.
const VERSION: u8 = 1;

/// The metadata beside an offset.
#[derive(Debug, Serialize, Deserialize)]
struct Written {
    /// Version.
    v: u8,
    /// Epoch, in hex.
    e: String,
    /// The topic's id, in hex.
    i: String,
    /// The offset that all of it belongs to: an operator's tool may copy metadata to another.
    n: u64,
    /// The table.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    u: Option<Uuid>,
    /// Pending ranges: first, last, since, attempts, burnt.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    p: Vec<(u64, u64, i64, u32, bool)>,
    /// The boot in which each pending range was written down, in the same order, where that is known.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    b: Vec<Option<u64>>,
    /// Prefix of the tokens.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    d: Option<String>,
    /// An answer where to resume was used.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    a: bool,
    /// Ranges with views in doubt: first, last.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    w: Vec<(u64, u64)>,
    /// When it was written, in milliseconds since the Unix epoch.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    t: Option<i64>,
    /// Counts: from, inserted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    c: Option<(u64, u64)>,
}

/// Encodes the metadata of a cursor.
pub(super) fn write(cursor: &Cursor, topic_id: u128, now: i64) -> Result<String, serde_json::Error> {
    serde_json::to_string(&Written {
        v: VERSION,
        e: format!("{:x}", cursor.epoch),
        i: format!("{topic_id:x}"),
        n: cursor.next,
        t: Some(now),
        u: cursor.table_uuid,
        p: cursor
            .pending
            .iter()
            .map(|range| (range.first, range.last, range.since, range.attempts, range.burnt))
            .collect(),
        b: cursor.pending.iter().map(|range| range.boot).collect(),
        d: cursor.id.clone(),
        a: cursor.answered,
        w: cursor.views_in_doubt.clone(),
        c: cursor.counted.map(|counted| (counted.from, counted.inserted)),
    })
}

/// Milliseconds since the Unix epoch, by the system's clock.
pub(super) fn now() -> i64 {
    let since_epoch = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since_epoch.as_millis()).unwrap_or(i64::MAX)
}

/// A cursor read from an offset and its metadata.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Note {
    pub(super) cursor: Cursor,
    /// The id of its topic; 0 if the brokers assign none.
    pub(super) topic_id: u128,
    /// When it was written; earlier builds did not record that.
    pub(super) written: Option<i64>,
}

/// Decodes the metadata beside an offset; `None` if it is not ours.
pub(super) fn read(offset: u64, metadata: &[u8]) -> Option<Note> {
    let written: Written = serde_json::from_slice(metadata).ok()?;
    let Written { v, e, i, n, u, p, b, d, a, w, t, c } = written;
    if v != VERSION || n != offset {
        return None;
    }
    let cursor = Cursor {
        id: d,
        answered: a,
        views_in_doubt: w,
        table_uuid: u,
        pending: p
            .into_iter()
            .zip(b.into_iter().chain(std::iter::repeat(None)))
            .map(|((first, last, since, attempts, burnt), boot)| Pending { first, last, since, attempts, burnt, boot })
            .collect(),
        counted: c.map(|(from, inserted)| Counted { from, inserted }),
        ..Cursor::new(u64::from_str_radix(&e, 16).ok()?, n)
    };
    Some(Note { cursor, topic_id: u128::from_str_radix(&i, 16).ok()?, written: t })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::stream::VIEWS_IN_DOUBT;

    fn largest() -> Cursor {
        let range = Pending { attempts: u32::MAX, boot: Some(u64::MAX), ..Pending::new(u64::MAX, u64::MAX, i64::MIN) };
        Cursor {
            id: Some("f".repeat(16)),
            answered: true,
            views_in_doubt: vec![(u64::MAX, u64::MAX); VIEWS_IN_DOUBT],
            table_uuid: Some(Uuid::max()),
            pending: vec![range.clone(), range],
            counted: Some(Counted { from: u64::MAX, inserted: u64::MAX }),
            ..Cursor::new(u64::MAX, u64::MAX)
        }
    }

    #[test]
    fn a_cursor_is_read_as_it_was_written() {
        let small = Cursor::new(7, 3);
        for (cursor, id) in [(largest(), u128::MAX), (small, 0)] {
            let text = write(&cursor, id, i64::MIN).unwrap();
            let note = Note { topic_id: id, written: Some(i64::MIN), cursor };
            assert_eq!(read(note.cursor.next, text.as_bytes()), Some(note));
        }
    }

    #[test]
    fn what_an_earlier_build_has_written_says_not_when() {
        let note = read(3, br#"{"v":1,"e":"7","i":"a","n":3}"#).unwrap();
        assert_eq!((note.cursor.epoch, note.topic_id, note.written), (7, 10, None));
    }

    #[test]
    fn the_largest_cursor_has_room_in_what_brokers_take() {
        assert!(write(&largest(), u128::MAX, i64::MIN).unwrap().len() < 2000);
    }

    #[test]
    fn what_is_not_ours_or_belongs_to_another_offset_is_nothing() {
        let text = write(&largest(), 1, 0).unwrap();
        assert_eq!(read(5, text.as_bytes()), None, "carried along by somebody who moved the group");
        for foreign in [&b""[..], b"\xff\xfe", b"{}", b"{\"v\":2}", b"from a tool"] {
            assert_eq!(read(0, foreign), None);
        }
    }
}
