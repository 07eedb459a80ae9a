//! Dates and times of `time` and `jiff` are stored as chrono's: from code and from JSON, inside the range and outside.

use std::collections::BTreeMap;

use chrono::{DateTime, NaiveDate, NaiveTime, SecondsFormat, Utc};
use moose_runtime::record::{Batch, ErasedBatch, FieldError, OlapRecord};
use moose_tests::random::Random;

/// Random values beside those at the edges.
const RANDOM: usize = 500;

/// The block of one row, or why there is none.
type Outcome = Result<Vec<u8>, FieldError>;

/// What becomes of values in the column of a type with these attributes: of a value itself, and of its text in JSON.
macro_rules! column {
    ([$($attribute:meta),*], $type:ty) => {{
        #[derive(moose_runtime::OlapRecord)]
        struct Row {
            #[key]
            $(#[$attribute])*
            value: $type,
        }
        (|value: $type| from_code(&Row { value }), from_json::<Row> as fn(&str) -> Outcome)
    }};
}

fn from_code<R: OlapRecord>(row: &R) -> Outcome {
    let mut batch = Batch::<R>::new();
    batch.append(row).map(|()| block(&batch))
}

fn from_json<R: OlapRecord>(text: &str) -> Outcome {
    let mut batch = Batch::<R>::new();
    let mut rejected = Vec::new();
    batch.decode(&[format!("{{\"value\":\"{text}\"}}").as_bytes()], usize::MAX, &mut rejected);
    match rejected.pop() {
        Some(mut rejected) => Err(rejected.errors.remove(0)),
        None => Ok(block(&batch)),
    }
}

fn block(batch: &dyn ErasedBatch) -> Vec<u8> {
    let mut block = Vec::new();
    batch.write_native(None, &mut block);
    block
}

/// That each value is stored by all libraries as chrono's text is, or refused with the same words.
macro_rules! assert_alike {
    ($attributes:tt, $values:expr, $chrono:ty, $text:expr, $($type:ty: $value:expr),*) => {{
        let text: fn(&$chrono) -> String = $text;
        let (typed, given) = column!($attributes, $chrono);
        for value in $values {
            let text = text(&value);
            let expected = given(&text);
            assert_eq!(typed(value), expected, "{value} of chrono, {}", stringify!($attributes));
            $(
                let (typed, given) = column!($attributes, $type);
                let same: $type = $value(value);
                assert_eq!(typed(same), expected, "{text} of {}, {}", stringify!($type), stringify!($attributes));
                assert_eq!(given(&text), expected, "{text} for {}, {}", stringify!($type), stringify!($attributes));
            )*
        }
    }};
}

fn dates() -> Vec<NaiveDate> {
    let edges = [
        (0, 1, 1),
        (1, 1, 1),
        (1899, 12, 31),
        (1900, 1, 1),
        (1900, 2, 28),
        (1969, 12, 31),
        (1970, 1, 1),
        (2024, 2, 29),
        (2149, 6, 6),
        (2149, 6, 7),
        (2299, 12, 31),
        (2300, 1, 1),
        (9999, 12, 31),
    ];
    let edges = edges.map(|(year, month, day)| NaiveDate::from_ymd_opt(year, month, day).expect("a date"));
    let mut random = Random::seeded();
    let random = std::iter::repeat_with(|| {
        let days = i32::try_from(random.below(160_000)).expect("a small number");
        NaiveDate::from_epoch_days(days - 30_000).expect("a date")
    });
    edges.into_iter().chain(random.take(RANDOM)).collect()
}

fn instants() -> Vec<DateTime<Utc>> {
    let edges = [
        "0000-01-01T00:00:00Z",
        "1899-12-31T23:59:59.999999999Z",
        "1900-01-01T00:00:00Z",
        "1969-12-31T23:59:58.000000001Z",
        "1969-12-31T23:59:59.999999999Z",
        "1970-01-01T00:00:00Z",
        "1970-01-01T00:00:00.999999999Z",
        "2106-02-07T06:28:15.999999999Z",
        "2106-02-07T06:28:16Z",
        "2262-04-11T23:47:16.854775807Z",
        "2262-04-11T23:47:16.854775808Z",
        "2299-12-31T23:59:59.999999999Z",
        "2300-01-01T00:00:00Z",
        // jiff's timestamps end a little before the year does.
        "9999-12-30T22:00:00Z",
    ];
    let edges = edges.map(|text| text.parse().expect("a timestamp"));
    let mut random = Random::seeded();
    let random = std::iter::repeat_with(|| {
        let seconds = random.below(14_000_000_000).cast_signed() - 3_000_000_000;
        let nanoseconds = u32::try_from(random.below(1_000_000_000)).expect("below a second");
        DateTime::from_timestamp(seconds, nanoseconds).expect("a timestamp")
    });
    edges.into_iter().chain(random.take(RANDOM)).collect()
}

fn times() -> Vec<NaiveTime> {
    let edges = [(0, 0), (0, 1), (59, 999_999_999), (43_200, 0), (86_399, 999_999_999)];
    let mut random = Random::seeded();
    let random = std::iter::repeat_with(|| {
        let part = |part: u64| u32::try_from(part).expect("a small number");
        (part(random.below(86_400)), part(random.below(1_000_000_000)))
    });
    let time = |(seconds, nanoseconds)| {
        NaiveTime::from_num_seconds_from_midnight_opt(seconds, nanoseconds).expect("a time of day")
    };
    edges.into_iter().chain(random.take(RANDOM)).map(time).collect()
}

mod of_chrono {
    pub(super) use std::convert::{identity as date, identity as instant, identity as time};

    pub(super) type Date = chrono::NaiveDate;
    pub(super) type Instant = chrono::DateTime<chrono::Utc>;
    pub(super) type Time = chrono::NaiveTime;
}

mod of_time {
    use chrono::{DateTime, Datelike as _, NaiveDate, NaiveTime, Timelike as _, Utc};
    use time::{Date, OffsetDateTime, Time, UtcDateTime, UtcOffset};

    pub(super) fn date(date: NaiveDate) -> Date {
        let ordinal = u16::try_from(date.ordinal()).expect("a day of the year");
        Date::from_ordinal_date(date.year(), ordinal).expect("a date")
    }

    pub(super) fn instant(instant: DateTime<Utc>) -> UtcDateTime {
        let whole = UtcDateTime::from_unix_timestamp(instant.timestamp()).expect("a timestamp");
        whole.replace_nanosecond(instant.timestamp_subsec_nanos()).expect("a fraction of a second")
    }

    /// The same instant by a clock that goes before.
    pub(super) fn with_offset(of: DateTime<Utc>) -> OffsetDateTime {
        let offset = UtcOffset::from_hms(5, 45, 0).expect("an offset");
        OffsetDateTime::from(instant(of)).checked_to_offset(offset).expect("an instant of the calendar")
    }

    pub(super) fn time(time: NaiveTime) -> Time {
        let part = |part: u32| u8::try_from(part).expect("a part of a time");
        let [hour, minute, second] = [time.hour(), time.minute(), time.second()].map(part);
        Time::from_hms_nano(hour, minute, second, time.nanosecond()).expect("a time of day")
    }
}

mod of_jiff {
    use chrono::{DateTime, Datelike as _, NaiveDate, NaiveTime, Timelike as _, Utc};
    use jiff::{
        Timestamp,
        civil::{Date, Time},
    };

    fn part(part: u32) -> i8 {
        i8::try_from(part).expect("a part of a date or a time")
    }

    pub(super) fn date(date: NaiveDate) -> Date {
        Date::new(i16::try_from(date.year()).expect("a year"), part(date.month()), part(date.day())).expect("a date")
    }

    pub(super) fn instant(instant: DateTime<Utc>) -> Timestamp {
        let nanoseconds = i128::from(instant.timestamp()) * 1_000_000_000;
        Timestamp::from_nanosecond(nanoseconds + i128::from(instant.timestamp_subsec_nanos())).expect("a timestamp")
    }

    pub(super) fn time(time: NaiveTime) -> Time {
        let nanosecond = time.nanosecond().cast_signed();
        Time::new(part(time.hour()), part(time.minute()), part(time.second()), nanosecond).expect("a time of day")
    }
}

#[test]
fn dates_of_all_libraries_are_stored_alike() {
    macro_rules! assert_dates_alike {
        ($attributes:tt) => {
            assert_alike!($attributes, dates(), NaiveDate, NaiveDate::to_string,
                time::Date: of_time::date, jiff::civil::Date: of_jiff::date)
        };
    }
    assert_dates_alike!([]);
    assert_dates_alike!([olap(compact)]);
}

#[test]
fn instants_of_all_libraries_are_stored_alike() {
    macro_rules! assert_instants_alike {
        ($attributes:tt) => {
            assert_alike!($attributes, instants(), DateTime<Utc>,
                |instant| instant.to_rfc3339_opts(SecondsFormat::Nanos, true),
                time::UtcDateTime: of_time::instant, time::OffsetDateTime: of_time::with_offset,
                jiff::Timestamp: of_jiff::instant)
        };
    }
    assert_instants_alike!([]);
    assert_instants_alike!([olap(compact)]);
    assert_instants_alike!([olap(precision = 0)]);
    assert_instants_alike!([olap(precision = 9, timezone = "Europe/Berlin")]);
}

#[test]
fn times_of_all_libraries_are_stored_alike() {
    macro_rules! assert_times_alike {
        ($attributes:tt) => {
            assert_alike!($attributes, times(), NaiveTime, NaiveTime::to_string,
                time::Time: of_time::time, jiff::civil::Time: of_jiff::time)
        };
    }
    assert_times_alike!([]);
    assert_times_alike!([olap(compact)]);
    assert_times_alike!([olap(precision = 9)]);
}

#[test]
fn what_is_no_date_or_time_is_refused_alike() {
    macro_rules! refusals {
        ($text:expr, $($type:ty),*) => { [$(column!([], $type).1($text).unwrap_err()),*] };
    }
    let all_alike = |refusals: &[FieldError]| refusals.windows(2).all(|pair| pair[0] == pair[1]);
    for text in ["2023-02-29", "2024-13-01", "24-01-01", "20240101", ""] {
        let refusals = refusals!(text, NaiveDate, time::Date, jiff::civil::Date);
        assert!(all_alike(&refusals), "{text}: {refusals:?}");
    }
    for text in ["2024-02-29", "2024-02-30T00:00:00Z", "2024-02-29T12:00:00", "2024-06-30T23:59:60Z", "1700000000"] {
        let refusals = refusals!(text, DateTime<Utc>, time::UtcDateTime, time::OffsetDateTime, jiff::Timestamp);
        assert!(all_alike(&refusals), "{text}: {refusals:?}");
    }
    for text in ["24:00:00", "12:00", "-00:00:01", "23:59:60"] {
        let refusals = refusals!(text, NaiveTime, time::Time, jiff::civil::Time);
        assert!(all_alike(&refusals), "{text}: {refusals:?}");
    }
}

#[test]
fn dates_and_times_of_all_libraries_stand_in_other_types_alike() {
    let date = NaiveDate::from_ymd_opt(2024, 2, 29).expect("a date");
    let instant: DateTime<Utc> = "1969-12-31T23:59:59.999999999Z".parse().expect("a timestamp");
    let time = NaiveTime::from_hms_opt(10, 30, 0).expect("a time of day");
    macro_rules! outcome {
        ($date:ident, $instant:ident, $time:ident in $library:ident) => {{
            type Nested =
                (Option<$date>, Vec<Option<$time>>, BTreeMap<$date, Vec<$instant>>, BTreeMap<$instant, $time>);
            let (date, instant, time) = ($library::date(date), $library::instant(instant), $library::time(time));
            let (typed, _) = column!([], Nested);
            typed((
                Some(date),
                vec![None, Some(time)],
                BTreeMap::from([(date, vec![instant])]),
                BTreeMap::from([(instant, time)]),
            ))
        }};
    }
    let chrono = {
        use of_chrono::{Date, Instant, Time};
        outcome!(Date, Instant, Time in of_chrono)
    };
    let time03 = {
        use ::time::{Date, Time, UtcDateTime};
        outcome!(Date, UtcDateTime, Time in of_time)
    };
    let jiff02 = {
        use jiff::{
            Timestamp,
            civil::{Date, Time},
        };
        outcome!(Date, Timestamp, Time in of_jiff)
    };
    assert!(chrono.is_ok(), "{chrono:?}");
    assert_eq!(time03, chrono);
    assert_eq!(jiff02, chrono);
}
