//! `Date32` for `NaiveDate`: days since 1970-01-01, from 1900-01-01 to 2299-12-31.

use chrono::{Datelike, NaiveDate};
use serde::de::Deserializer;

use super::{Column, ColumnType, NullableInside, Stores, string::WithString};
use crate::record::{DataType, ValueError, native::write_fixed, timestamp};

const EXPECTED: &str = "a date such as \"2024-02-29\"";
const RANGE: &str = "a date from 1900-01-01 to 2299-12-31";

/// Values of `Date32`.
#[derive(Debug, Default)]
pub struct Date32Column {
    days: Vec<i32>,
}

impl Date32Column {
    #[inline]
    fn push(&mut self, days: i64) -> Result<(), ValueError> {
        if !(timestamp::FIRST_DAY..=timestamp::LAST_DAY).contains(&days) {
            return Err(ValueError::out_of_range(RANGE));
        }
        self.days.push(i32::try_from(days).map_err(|_| ValueError::out_of_range(RANGE))?);
        Ok(())
    }
}

impl Column for Date32Column {
    const DATA_TYPE: DataType = DataType::Date32;

    #[inline]
    fn rows(&self) -> usize {
        self.days.len()
    }

    #[inline]
    fn byte_size(&self) -> usize {
        size_of_val(self.days.as_slice())
    }

    fn truncate(&mut self, rows: usize) {
        self.days.truncate(rows);
    }

    fn push_default(&mut self) {
        self.days.push(0);
    }

    fn write_data(&self, out: &mut Vec<u8>) {
        write_fixed(out, &self.days, i32::to_le_bytes);
    }
}

impl Stores<NaiveDate> for Date32Column {
    fn append(&mut self, value: &NaiveDate) -> Result<(), ValueError> {
        self.push(i64::from(value.num_days_from_ce()) - timestamp::EPOCH_FROM_COMMON_ERA)
    }

    #[inline]
    fn append_json<'de, D: Deserializer<'de>>(&mut self, input: D) -> Result<(), D::Error> {
        let then = |text: &str| {
            self.push(timestamp::parse_date(text.as_bytes()).ok_or_else(|| ValueError::invalid_value(EXPECTED))?)
        };
        input.deserialize_str(WithString { expected: EXPECTED, then })
    }
}

#[diagnostic::do_not_recommend]
impl ColumnType for NaiveDate {
    type Column = Date32Column;
}

#[diagnostic::do_not_recommend]
impl NullableInside for Date32Column {}
