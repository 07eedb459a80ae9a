//! `Date32` for dates, days since 1970-01-01, from 1900-01-01 to 2299-12-31; and `Date`, its compact form, of two bytes.

use chrono::NaiveDate;
use serde::de::Deserializer;

use super::{AllowsCompact, ColumnType, Holds, MapKeyColumn, Scalar, ScalarColumn, scalar::read_text};
use crate::record::{DataType, Day, ValueError, native::write_fixed, timestamp};

const EXPECTED: &str = "a date such as \"2024-02-29\"";

/// A day of `Date32`.
#[derive(Clone, Copy, Debug, Default)]
pub struct Day32(i32);

/// A day of `Date`.
#[derive(Clone, Copy, Debug, Default)]
pub struct Day16(u16);

/// Values of `Date32`.
pub type Date32Column = ScalarColumn<Day32>;
/// Values of `Date`.
pub type DateColumn = ScalarColumn<Day16>;

impl Day32 {
    fn new(days: i64) -> Result<Self, ValueError> {
        let inside = (timestamp::FIRST_DAY..=timestamp::LAST_DAY).contains(&days);
        let days = i32::try_from(days).ok().filter(|_| inside);
        days.map(Self).ok_or_else(|| ValueError::out_of_range("a date from 1900-01-01 to 2299-12-31"))
    }
}

impl Day16 {
    fn new(days: i64) -> Result<Self, ValueError> {
        let expected = "a date from 1970-01-01 to 2149-06-06";
        u16::try_from(days).map(Self).map_err(|_| ValueError::out_of_range(expected))
    }
}

impl Scalar for Day32 {
    const DATA_TYPE: DataType = DataType::Date32;

    fn write(values: &[Self], out: &mut Vec<u8>) {
        write_fixed(out, values, |day| day.0.to_le_bytes());
    }
}

impl Scalar for Day16 {
    const DATA_TYPE: DataType = DataType::Date;

    fn write(values: &[Self], out: &mut Vec<u8>) {
        write_fixed(out, values, |day| day.0.to_le_bytes());
    }
}

/// Parses a date.
fn parse(text: &str) -> Result<i64, ValueError> {
    timestamp::parse_date(text.as_bytes()).ok_or_else(|| ValueError::invalid_value(EXPECTED))
}

impl<T: Day> Holds<T> for Day32 {
    fn of(value: &T) -> Result<Self, ValueError> {
        Self::new(value.days())
    }

    #[inline]
    fn read<'de, D: Deserializer<'de>>(input: D) -> Result<Self, D::Error> {
        read_text(input, EXPECTED, |text| Self::new(parse(text)?))
    }
}

impl<T: Day> Holds<T> for Day16 {
    fn of(value: &T) -> Result<Self, ValueError> {
        Self::new(value.days())
    }

    #[inline]
    fn read<'de, D: Deserializer<'de>>(input: D) -> Result<Self, D::Error> {
        read_text(input, EXPECTED, |text| Self::new(parse(text)?))
    }
}

#[diagnostic::do_not_recommend]
impl MapKeyColumn for Date32Column {}
#[diagnostic::do_not_recommend]
impl MapKeyColumn for DateColumn {}
#[diagnostic::do_not_recommend]
impl AllowsCompact for Date32Column {
    type Compact = DateColumn;
}

macro_rules! dates {
    ($($(#[$only:meta])* $type:ty),*) => { $(
        $(#[$only])*
        #[diagnostic::do_not_recommend]
        impl ColumnType for $type {
            type Column = Date32Column;
        }
    )* };
}

dates!(
    NaiveDate,
    #[cfg(feature = "time03")]
    time::Date,
    #[cfg(feature = "jiff02")]
    jiff::civil::Date
);
