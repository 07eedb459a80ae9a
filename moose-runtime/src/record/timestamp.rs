//! Parses dates and timestamps, by the calendar and nothing else.
//!
//! Dates are `YYYY-MM-DD`; timestamps are RFC 3339 with any offset, any number of fractional digits (those beyond
//! nanoseconds are cut off), and no leap seconds, which ClickHouse can't store. A day that the calendar doesn't have is
//! rejected.

/// An instant, counted from 1970-01-01T00:00:00Z.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Moment {
    /// Whole seconds, floored.
    pub(super) seconds: i64,
    /// Nanoseconds after that; below 10^9.
    pub(super) nanoseconds: u32,
}

const DAY: i64 = 86_400;

/// First day that `Date32` and `DateTime64` hold: 1900-01-01, in days since 1970-01-01.
pub(super) const FIRST_DAY: i64 = days(1900, 1, 1);
/// Last day that `Date32` and `DateTime64` hold: 2299-12-31.
pub(super) const LAST_DAY: i64 = days(2299, 12, 31);
/// First second of the first day.
pub(super) const FIRST_SECOND: i64 = FIRST_DAY * DAY;
/// Last second of the last day.
pub(super) const LAST_SECOND: i64 = LAST_DAY * DAY + DAY - 1;
/// Days from 0001-01-01, counted as day 1, to 1970-01-01.
pub(super) const EPOCH_FROM_COMMON_ERA: i64 = 1 - days(1, 1, 1);

/// Days since 1970-01-01 of a valid date. Years are counted from March, so that the leap day is the last one.
const fn days(year: i64, month: i64, day: i64) -> i64 {
    let year = if month <= 2 { year - 1 } else { year };
    let month = if month <= 2 { month + 9 } else { month - 3 };
    let leap_days = year.div_euclid(4) - year.div_euclid(100) + year.div_euclid(400);
    // 153 days are five months of 31, 30, 31, 30, 31; 719,468 days are from 0000-03-01 to 1970-01-01.
    year * 365 + leap_days + (month * 153 + 2) / 5 + day - 1 - 719_468
}

/// Parses `YYYY-MM-DD` to days since 1970-01-01.
#[inline]
pub(super) fn parse_date(text: &[u8]) -> Option<i64> {
    let [y0, y1, y2, y3, b'-', m0, m1, b'-', d0, d1] = *text else { return None };
    date([y0, y1, y2, y3], [m0, m1], [d0, d1])
}

/// Parses an RFC 3339 timestamp.
#[inline]
pub(super) fn parse(text: &[u8]) -> Option<Moment> {
    let (date_and_time, rest) = text.split_first_chunk::<19>()?;
    let [y0, y1, y2, y3, b'-', m0, m1, b'-', d0, d1, b'T' | b't' | b' ', h0, h1, b':', i0, i1, b':', s0, s1] =
        *date_and_time
    else {
        return None;
    };
    let days = date([y0, y1, y2, y3], [m0, m1], [d0, d1])?;
    let seconds = days * DAY + time([h0, h1], [i0, i1], [s0, s1])?;
    if let b"Z" = rest {
        return Some(Moment { seconds, nanoseconds: 0 });
    }
    let (nanoseconds, rest) = fraction(rest)?;
    Some(Moment { seconds: seconds - offset(rest)?, nanoseconds })
}

/// Parses `HH:MM:SS`, with or without a fraction, to seconds since midnight and nanoseconds.
pub(super) fn parse_time(text: &[u8]) -> Option<(u32, u32)> {
    let ([h0, h1, b':', i0, i1, b':', s0, s1], rest) = text.split_first_chunk::<8>()? else { return None };
    let seconds = time([*h0, *h1], [*i0, *i1], [*s0, *s1])?;
    let (nanoseconds, rest) = fraction(rest)?;
    rest.is_empty().then_some((u32::try_from(seconds).ok()?, nanoseconds))
}

/// Seconds since midnight.
#[inline]
fn time(hour: [u8; 2], minute: [u8; 2], second: [u8; 2]) -> Option<i64> {
    let (hour, minute, second) = (number(hour)?, number(minute)?, number(second)?);
    (hour <= 23 && minute <= 59 && second <= 59).then_some(hour * 3600 + minute * 60 + second)
}

#[inline]
fn date(year: [u8; 4], month: [u8; 2], day: [u8; 2]) -> Option<i64> {
    let (year, month, day) = (number(year)?, number(month)?, number(day)?);
    let last = match month {
        1 | 3 | 5 | 7 | 8 | 10 | 12 => 31,
        4 | 6 | 9 | 11 => 30,
        2 if year % 4 == 0 && (year % 100 != 0 || year % 400 == 0) => 29,
        2 => 28,
        _ => return None,
    };
    (1..=last).contains(&day).then(|| days(year, month, day))
}

/// Parses a number of exactly that many digits.
#[inline]
fn number<const DIGITS: usize>(text: [u8; DIGITS]) -> Option<i64> {
    let mut value = 0;
    for byte in text {
        let digit = byte.wrapping_sub(b'0');
        if digit > 9 {
            return None;
        }
        value = value * 10 + i64::from(digit);
    }
    Some(value)
}

/// Parses an optional `.` with digits to nanoseconds; returns the rest too.
fn fraction(text: &[u8]) -> Option<(u32, &[u8])> {
    let Some((b'.', text)) = text.split_first() else { return Some((0, text)) };
    let digits = text.iter().take_while(|byte| byte.is_ascii_digit()).count();
    let (digits, rest) = text.split_at_checked(digits)?;
    if digits.is_empty() {
        return None;
    }
    let padded = digits.iter().copied().chain(std::iter::repeat(b'0')).take(9);
    Some((padded.fold(0, |value, byte| value * 10 + u32::from(byte - b'0')), rest))
}

/// Parses an offset from UTC to seconds.
fn offset(text: &[u8]) -> Option<i64> {
    let (sign, [h0, h1, b':', m0, m1]) = (match text {
        b"Z" | b"z" => return Some(0),
        [b'+', rest @ ..] => (1, rest),
        [b'-', rest @ ..] => (-1, rest),
        _ => return None,
    }) else {
        return None;
    };
    let (hours, minutes) = (number([*h0, *h1])?, number([*m0, *m1])?);
    (hours <= 23 && minutes <= 59).then_some(sign * (hours * 3600 + minutes * 60))
}

#[cfg(test)]
mod tests {
    use chrono::{DateTime, Datelike, NaiveDate};
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn days_are_counted_as_the_calendar_does() {
        let first = NaiveDate::from_ymd_opt(1899, 12, 31).unwrap();
        for date in first.iter_days().take_while(|date| date.year() < 2301) {
            let expected = i64::from(date.num_days_from_ce()) - EPOCH_FROM_COMMON_ERA;
            assert_eq!(parse_date(date.to_string().as_bytes()), Some(expected), "{date}");
        }
        assert_eq!(EPOCH_FROM_COMMON_ERA, 719_163);
    }

    #[test]
    fn dates_that_do_not_exist_are_none() {
        for text in ["2023-02-29", "1900-02-29", "2024-02-30", "2024-04-31", "2024-13-01", "2024-00-10", "2024-01-00"] {
            assert_eq!(parse_date(text.as_bytes()), None, "{text}");
        }
        assert!(parse_date(b"2000-02-29").is_some());
        for text in ["2024-1-01", "2024-01-1", "20240101", "2024-01-01 ", "+2024-01-01", "2024/01/01", ""] {
            assert_eq!(parse_date(text.as_bytes()), None, "{text}");
        }
    }

    #[test]
    fn times_that_do_not_exist_are_none() {
        for text in [
            "2024-01-15T24:00:00Z",
            "2024-01-15T23:60:00Z",
            "2016-12-31T23:59:60Z",
            "2024-02-31T00:00:00Z",
            "2024-01-15T10:30:00",
            "2024-01-15T10:30:00.Z",
            "2024-01-15T10:30:00+24:00",
            "2024-01-15T10:30:00+01:60",
            "2024-01-15T10:30:00+0100",
            "2024-01-15T10:30Z",
            "2024-01-15",
            "2024-01-15T10:30:00ZZ",
            "2024-01-15T10:30:00.5",
        ] {
            assert_eq!(parse(text.as_bytes()), None, "{text}");
        }
    }

    #[test]
    fn fractions_are_cut_after_nanoseconds() {
        let nanoseconds = |text: &[u8]| parse(text).map(|instant| instant.nanoseconds);
        assert_eq!(nanoseconds(b"2024-01-15T10:30:00.5Z"), Some(500_000_000));
        assert_eq!(nanoseconds(b"2024-01-15T10:30:00.1234567899999Z"), Some(123_456_789));
    }

    #[test]
    fn times_of_day_are_whole() {
        assert_eq!(parse_time(b"00:00:00"), Some((0, 0)));
        assert_eq!(parse_time(b"23:59:59.9999999999"), Some((86_399, 999_999_999)));
        for text in ["24:00:00", "23:60:00", "23:59:60", "1:00:00", "-01:00:00", "10:30", "10:30:00.", "10:30:00Z", ""]
        {
            assert_eq!(parse_time(text.as_bytes()), None, "{text}");
        }
    }

    proptest! {
        #[test]
        fn timestamps_are_those_of_chrono(
            seconds in FIRST_SECOND - 100_000..LAST_SECOND + 100_000,
            nanoseconds in 0_u32..1_000_000_000,
            minutes in -1439_i32..1440,
        ) {
            let zone = chrono::FixedOffset::east_opt(minutes * 60).unwrap();
            let text = DateTime::from_timestamp(seconds, nanoseconds).unwrap().with_timezone(&zone).to_rfc3339();
            prop_assert_eq!(parse(text.as_bytes()), Some(Moment { seconds, nanoseconds }));
        }
    }
}
