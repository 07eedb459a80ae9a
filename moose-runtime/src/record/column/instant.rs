//! `DateTime64(P, 'zone')` for instants: ticks of 10^-P seconds since 1970-01-01; and `DateTime('zone')`, its compact
//! form, of whole seconds in four bytes.
//!
//! Digits beyond the precision are cut off, which is toward the past also before 1970: seconds are floored and the
//! fraction only adds to them. The time zone is how a server prints the values; it changes nothing that is stored.

use std::marker::PhantomData;

use chrono::{DateTime, Utc};
use serde::de::Deserializer;

use super::{
    AllowsCompact, AllowsPrecision, AllowsTimezone, Column, ColumnType, MapKeyColumn, NullableInside, Stores, Timezone,
    string::WithString,
};
use crate::record::{DataType, Instant, ValueError, native::write_fixed, timestamp};

const EXPECTED: &str = "an RFC 3339 timestamp such as \"2024-01-15T10:30:00Z\"";

/// Coordinated universal time, the default time zone.
#[derive(Clone, Copy, Debug, Default)]
pub struct UtcZone;

impl Timezone for UtcZone {
    const NAME: &'static str = "UTC";
}

/// Values of `DateTime64(P, 'zone')`.
#[derive(Debug)]
pub struct DateTime64Column<const P: u8, Z = UtcZone> {
    ticks: Vec<i64>,
    zone: PhantomData<fn() -> Z>,
}

/// Values of `DateTime('zone')`.
#[derive(Debug)]
pub struct DateTimeColumn<Z = UtcZone> {
    seconds: Vec<u32>,
    zone: PhantomData<fn() -> Z>,
}

impl<const P: u8, Z> Default for DateTime64Column<P, Z> {
    fn default() -> Self {
        Self { ticks: Vec::new(), zone: PhantomData }
    }
}

impl<Z> Default for DateTimeColumn<Z> {
    fn default() -> Self {
        Self { seconds: Vec::new(), zone: PhantomData }
    }
}

impl<const P: u8, Z> DateTime64Column<P, Z> {
    /// Ticks per second.
    const SCALE: i64 = 10_i64.pow(P as u32);
    /// Nanoseconds per tick.
    const NANOSECONDS: u32 = 10_u32.pow(9 - P as u32);

    #[inline]
    fn push(&mut self, seconds: i64, nanoseconds: u32) -> Result<(), ValueError> {
        if !(timestamp::FIRST_SECOND..=timestamp::LAST_SECOND).contains(&seconds) {
            return Err(Self::out_of_range());
        }
        // With nanoseconds, 64 bits end in 2262.
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

impl<Z> DateTimeColumn<Z> {
    fn push(&mut self, seconds: i64) -> Result<(), ValueError> {
        let expected = "a timestamp from 1970-01-01T00:00:00Z to 2106-02-07T06:28:15Z";
        self.seconds.push(u32::try_from(seconds).map_err(|_| ValueError::out_of_range(expected))?);
        Ok(())
    }
}

impl<const P: u8, Z: Timezone> Column for DateTime64Column<P, Z> {
    const DATA_TYPE: DataType = {
        assert!(P <= 9, "the precision of a timestamp is 0 (seconds) to 9 (nanoseconds)");
        DataType::DateTime64 { precision: P, timezone: Some(Z::NAME) }
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

impl<Z: Timezone> Column for DateTimeColumn<Z> {
    const DATA_TYPE: DataType = DataType::DateTime { timezone: Some(Z::NAME) };

    fn rows(&self) -> usize {
        self.seconds.len()
    }

    fn byte_size(&self) -> usize {
        size_of_val(self.seconds.as_slice())
    }

    fn truncate(&mut self, rows: usize) {
        self.seconds.truncate(rows);
    }

    fn push_default(&mut self) {
        self.seconds.push(0);
    }

    fn write_data(&self, out: &mut Vec<u8>) {
        write_fixed(out, &self.seconds, u32::to_le_bytes);
    }
}

/// Parses an instant.
#[inline]
fn parse(text: &str) -> Result<timestamp::Moment, ValueError> {
    timestamp::parse(text.as_bytes()).ok_or_else(|| ValueError::invalid_value(EXPECTED))
}

impl<const P: u8, Z: Timezone, T: Instant> Stores<T> for DateTime64Column<P, Z> {
    fn append(&mut self, value: &T) -> Result<(), ValueError> {
        let (seconds, nanoseconds) = value.since_1970()?;
        self.push(seconds, nanoseconds)
    }

    #[inline]
    fn append_json<'de, D: Deserializer<'de>>(&mut self, input: D) -> Result<(), D::Error> {
        let then = |text: &str| {
            let timestamp::Moment { seconds, nanoseconds } = parse(text)?;
            self.push(seconds, nanoseconds)
        };
        input.deserialize_str(WithString { expected: EXPECTED, then })
    }
}

impl<Z: Timezone, T: Instant> Stores<T> for DateTimeColumn<Z> {
    fn append(&mut self, value: &T) -> Result<(), ValueError> {
        self.push(value.since_1970()?.0)
    }

    fn append_json<'de, D: Deserializer<'de>>(&mut self, input: D) -> Result<(), D::Error> {
        let then = |text: &str| self.push(parse(text)?.seconds);
        input.deserialize_str(WithString { expected: EXPECTED, then })
    }
}

macro_rules! instants {
    ($($(#[$only:meta])* $type:ty),*) => { $(
        $(#[$only])*
        #[diagnostic::do_not_recommend]
        impl ColumnType for $type {
            type Column = DateTime64Column<3>;
        }
    )* };
}

instants!(
    DateTime<Utc>,
    #[cfg(feature = "time03")]
    time::OffsetDateTime,
    #[cfg(feature = "time03")]
    time::UtcDateTime,
    #[cfg(feature = "jiff02")]
    jiff::Timestamp
);

#[diagnostic::do_not_recommend]
impl<const P: u8, Z: Timezone> NullableInside for DateTime64Column<P, Z> {}
#[diagnostic::do_not_recommend]
impl<Z: Timezone> NullableInside for DateTimeColumn<Z> {}
#[diagnostic::do_not_recommend]
impl<const P: u8, Z: Timezone> MapKeyColumn for DateTime64Column<P, Z> {}
#[diagnostic::do_not_recommend]
impl<Z: Timezone> MapKeyColumn for DateTimeColumn<Z> {}

#[diagnostic::do_not_recommend]
impl<const P: u8, const Q: u8, Z: Timezone> AllowsPrecision<Q> for DateTime64Column<P, Z> {
    type WithPrecision = DateTime64Column<Q, Z>;
}
#[diagnostic::do_not_recommend]
impl<const P: u8, Z: Timezone> AllowsCompact for DateTime64Column<P, Z> {
    type Compact = DateTimeColumn<Z>;
}
#[diagnostic::do_not_recommend]
impl<const P: u8, Z: Timezone, Y: Timezone> AllowsTimezone<Y> for DateTime64Column<P, Z> {
    type WithTimezone = DateTime64Column<P, Y>;
}
#[diagnostic::do_not_recommend]
impl<Z: Timezone, Y: Timezone> AllowsTimezone<Y> for DateTimeColumn<Z> {
    type WithTimezone = DateTimeColumn<Y>;
}
