//! `DateTime64(P, 'UTC')` for `DateTime<Utc>`: ticks of 10^-P seconds since 1970-01-01.
//!
//! Digits beyond the precision are cut, which is toward the past also before 1970: seconds are floored and the fraction
//! only adds to them.

use chrono::{DateTime, Utc};
use serde::de::Deserializer;

use super::{AllowsPrecision, Column, ColumnType, NullableInside, Stores, string::WithString};
use crate::record::{
    DataType, ValueError,
    native::write_fixed,
    timestamp::{self, Instant},
};

const EXPECTED: &str = "an RFC 3339 timestamp such as \"2024-01-15T10:30:00Z\"";

/// Values of `DateTime64(P, 'UTC')`.
#[derive(Debug, Default)]
pub struct DateTime64Column<const P: u8> {
    ticks: Vec<i64>,
}

impl<const P: u8> DateTime64Column<P> {
    /// Ticks of a second.
    const SCALE: i64 = 10_i64.pow(P as u32);
    /// Nanoseconds of a tick.
    const NANOSECONDS: u32 = 10_u32.pow(9 - P as u32);

    #[inline]
    fn push(&mut self, instant: Instant) -> Result<(), ValueError> {
        let Instant { seconds, nanoseconds } = instant;
        if !(timestamp::FIRST_SECOND..=timestamp::LAST_SECOND).contains(&seconds) {
            return Err(Self::out_of_range());
        }
        // With nanoseconds 64 bits end in 2262.
        let ticks = seconds
            .checked_mul(Self::SCALE)
            .and_then(|whole| whole.checked_add(i64::from(nanoseconds / Self::NANOSECONDS)))
            .ok_or_else(Self::out_of_range)?;
        self.ticks.push(ticks);
        Ok(())
    }

    #[cold]
    fn out_of_range() -> ValueError {
        ValueError::out_of_range(if P == 9 {
            "a timestamp from 1900-01-01T00:00:00Z to 2262-04-11T23:47:16.854775807Z"
        } else {
            "a timestamp from 1900-01-01T00:00:00Z to the end of 2299-12-31"
        })
    }
}

impl<const P: u8> Column for DateTime64Column<P> {
    const DATA_TYPE: DataType = {
        assert!(P <= 9, "the precision of a timestamp is 0 (seconds) to 9 (nanoseconds)");
        DataType::DateTime64 { precision: P, timezone: Some("UTC") }
    };

    #[inline]
    fn rows(&self) -> usize {
        self.ticks.len()
    }

    #[inline]
    fn byte_size(&self) -> usize {
        size_of_val(self.ticks.as_slice())
    }

    fn truncate(&mut self, rows: usize) {
        self.ticks.truncate(rows);
    }

    fn push_default(&mut self) {
        self.ticks.push(0);
    }

    fn write_data(&self, out: &mut Vec<u8>) {
        write_fixed(out, &self.ticks, i64::to_le_bytes);
    }
}

impl<const P: u8> Stores<DateTime<Utc>> for DateTime64Column<P> {
    fn append(&mut self, value: &DateTime<Utc>) -> Result<(), ValueError> {
        let nanoseconds = value.timestamp_subsec_nanos();
        if nanoseconds >= 1_000_000_000 {
            return Err(ValueError::invalid_value("a timestamp that is not in a leap second"));
        }
        self.push(Instant { seconds: value.timestamp(), nanoseconds })
    }

    #[inline]
    fn append_json<'de, D: Deserializer<'de>>(&mut self, input: D) -> Result<(), D::Error> {
        let then = |text: &str| {
            self.push(timestamp::parse(text.as_bytes()).ok_or_else(|| ValueError::invalid_value(EXPECTED))?)
        };
        input.deserialize_str(WithString { expected: EXPECTED, then })
    }
}

#[diagnostic::do_not_recommend]
impl ColumnType for DateTime<Utc> {
    type Column = DateTime64Column<3>;
}

#[diagnostic::do_not_recommend]
impl<const P: u8> NullableInside for DateTime64Column<P> {}

#[diagnostic::do_not_recommend]
impl<const P: u8, const Q: u8> AllowsPrecision<Q> for DateTime64Column<P> {
    type WithPrecision = DateTime64Column<Q>;
}
