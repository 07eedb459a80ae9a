//! `Time64(P)` for times of day: ticks of 10^-P seconds since midnight; and `Time`, its compact form, of whole seconds.
//!
//! Digits beyond the precision are cut off. ClickHouse's times go beyond a day and below zero; a time of day doesn't.

use chrono::NaiveTime;
use serde::de::Deserializer;

use super::{AllowsCompact, AllowsPrecision, ColumnType, Holds, MapKeyColumn, Scalar, ScalarColumn, scalar::read_text};
use crate::record::{DataType, TimeOfDay, ValueError, native::write_fixed, timestamp};

const EXPECTED: &str = "a time of day such as \"10:30:00.250\"";

/// A time of `Time64(P)`.
#[derive(Clone, Copy, Debug, Default)]
pub struct ClockTicks<const P: u8>(i64);

/// A time of `Time`.
#[derive(Clone, Copy, Debug, Default)]
pub struct ClockSeconds(i32);

/// Values of `Time64(P)`.
pub type Time64Column<const P: u8> = ScalarColumn<ClockTicks<P>>;
/// Values of `Time`.
pub type TimeColumn = ScalarColumn<ClockSeconds>;

impl<const P: u8> ClockTicks<P> {
    fn new((seconds, nanoseconds): (u32, u32)) -> Self {
        Self(i64::from(seconds) * 10_i64.pow(u32::from(P)) + i64::from(nanoseconds / 10_u32.pow(9 - u32::from(P))))
    }
}

impl ClockSeconds {
    fn new((seconds, _): (u32, u32)) -> Self {
        Self(seconds.cast_signed())
    }
}

impl<const P: u8> Scalar for ClockTicks<P> {
    const DATA_TYPE: DataType = {
        assert!(P <= 9, "the precision of a time is 0 (seconds) to 9 (nanoseconds)");
        DataType::Time64 { precision: P }
    };

    fn write(values: &[Self], out: &mut Vec<u8>) {
        write_fixed(out, values, |time| time.0.to_le_bytes());
    }
}

impl Scalar for ClockSeconds {
    const DATA_TYPE: DataType = DataType::Time;

    fn write(values: &[Self], out: &mut Vec<u8>) {
        write_fixed(out, values, |time| time.0.to_le_bytes());
    }
}

/// Parses a time of day.
fn parse(text: &str) -> Result<(u32, u32), ValueError> {
    timestamp::parse_time(text.as_bytes()).ok_or_else(|| ValueError::invalid_value(EXPECTED))
}

impl<T: TimeOfDay, const P: u8> Holds<T> for ClockTicks<P> {
    fn of(value: &T) -> Result<Self, ValueError> {
        value.since_midnight().map(Self::new)
    }

    fn read<'de, D: Deserializer<'de>>(input: D) -> Result<Self, D::Error> {
        read_text(input, EXPECTED, |text| parse(text).map(Self::new))
    }
}

impl<T: TimeOfDay> Holds<T> for ClockSeconds {
    fn of(value: &T) -> Result<Self, ValueError> {
        value.since_midnight().map(Self::new)
    }

    fn read<'de, D: Deserializer<'de>>(input: D) -> Result<Self, D::Error> {
        read_text(input, EXPECTED, |text| parse(text).map(Self::new))
    }
}

macro_rules! times {
    ($($(#[$only:meta])* $type:ty),*) => { $(
        $(#[$only])*
        #[diagnostic::do_not_recommend]
        impl ColumnType for $type {
            type Column = Time64Column<3>;
        }
    )* };
}

times!(
    NaiveTime,
    #[cfg(feature = "time03")]
    time::Time,
    #[cfg(feature = "jiff02")]
    jiff::civil::Time
);

#[diagnostic::do_not_recommend]
impl<const P: u8> MapKeyColumn for Time64Column<P> {}
#[diagnostic::do_not_recommend]
impl MapKeyColumn for TimeColumn {}
#[diagnostic::do_not_recommend]
impl<const P: u8, const Q: u8> AllowsPrecision<Q> for Time64Column<P> {
    type WithPrecision = Time64Column<Q>;
}
#[diagnostic::do_not_recommend]
impl<const P: u8> AllowsCompact for Time64Column<P> {
    type Compact = TimeColumn;
}
