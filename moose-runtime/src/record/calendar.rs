//! Traits for dates, instants and times of day, with the Rust types that have them. A type of your own becomes one by
//! implementing the trait.

use chrono::{Datelike, NaiveDate, NaiveTime, Timelike};

use super::{ValueError, timestamp};

/// A day of the calendar.
pub trait Day {
    /// Days since 1970-01-01.
    fn days(&self) -> i64;
}

/// A point in time.
pub trait Instant {
    /// Whole seconds since 1970-01-01T00:00:00Z, floored, and the remaining nanoseconds.
    fn since_1970(&self) -> Result<(i64, u32), ValueError>;
}

/// A time of day.
pub trait TimeOfDay {
    /// Whole seconds since midnight, and the remaining nanoseconds.
    fn since_midnight(&self) -> Result<(u32, u32), ValueError>;
}

/// ClickHouse has no leap seconds.
fn without_leap_second(nanoseconds: u32) -> Result<u32, ValueError> {
    if nanoseconds >= 1_000_000_000 {
        return Err(ValueError::invalid_value("a time that is not in a leap second"));
    }
    Ok(nanoseconds)
}

impl Day for NaiveDate {
    fn days(&self) -> i64 {
        i64::from(self.num_days_from_ce()) - timestamp::EPOCH_FROM_COMMON_ERA
    }
}

impl<Z: chrono::TimeZone> Instant for chrono::DateTime<Z> {
    fn since_1970(&self) -> Result<(i64, u32), ValueError> {
        Ok((self.timestamp(), without_leap_second(self.timestamp_subsec_nanos())?))
    }
}

impl TimeOfDay for NaiveTime {
    fn since_midnight(&self) -> Result<(u32, u32), ValueError> {
        Ok((self.num_seconds_from_midnight(), without_leap_second(self.nanosecond())?))
    }
}

#[cfg(feature = "time03")]
mod time03 {
    use super::{Day, Instant, TimeOfDay, ValueError};

    impl Day for time::Date {
        fn days(&self) -> i64 {
            i64::from(self.to_julian_day()) - i64::from(time::UtcDateTime::UNIX_EPOCH.date().to_julian_day())
        }
    }

    impl Instant for time::OffsetDateTime {
        fn since_1970(&self) -> Result<(i64, u32), ValueError> {
            Ok((self.unix_timestamp(), self.nanosecond()))
        }
    }

    impl Instant for time::UtcDateTime {
        fn since_1970(&self) -> Result<(i64, u32), ValueError> {
            Ok((self.unix_timestamp(), self.nanosecond()))
        }
    }

    impl TimeOfDay for time::Time {
        fn since_midnight(&self) -> Result<(u32, u32), ValueError> {
            let (hour, minute, second, nanosecond) = self.as_hms_nano();
            Ok((u32::from(hour) * 3600 + u32::from(minute) * 60 + u32::from(second), nanosecond))
        }
    }
}

#[cfg(feature = "jiff02")]
mod jiff02 {
    use super::{Day, Instant, TimeOfDay, ValueError};

    impl Day for jiff::civil::Date {
        fn days(&self) -> i64 {
            let since = self.duration_since(jiff::civil::date(1970, 1, 1));
            since.as_secs().div_euclid(86_400)
        }
    }

    impl Instant for jiff::Timestamp {
        fn since_1970(&self) -> Result<(i64, u32), ValueError> {
            // Seconds and nanoseconds have the sign of the whole: before 1970 the fraction counts back.
            let nanoseconds = self.as_nanosecond();
            let second = 1_000_000_000;
            let expected = "a timestamp of jiff's calendar";
            let whole = i64::try_from(nanoseconds.div_euclid(second)).ok();
            let fraction = u32::try_from(nanoseconds.rem_euclid(second)).ok();
            whole.zip(fraction).ok_or_else(|| ValueError::out_of_range(expected))
        }
    }

    impl TimeOfDay for jiff::civil::Time {
        fn since_midnight(&self) -> Result<(u32, u32), ValueError> {
            let part = |part: i8| u32::from(part.unsigned_abs());
            let seconds = part(self.hour()) * 3600 + part(self.minute()) * 60 + part(self.second());
            Ok((seconds, self.subsec_nanosecond().unsigned_abs()))
        }
    }
}
