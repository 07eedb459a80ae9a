//! A field of a record: its column, and what is needed to explain why a record was rejected.

use super::{Column, ColumnSpec, Findings, Node, Place, Stores, error::Problem};

/// The field of a record at an index, or the value of a variant.
#[doc(hidden)]
pub trait FieldColumn<const PLACE: usize> {
    /// Its type.
    type Value;
    /// Its column.
    type Column: Stores<Self::Value>;
}

impl ColumnSpec {
    /// The column of a field of `R`, with no attributes.
    #[must_use]
    pub const fn of<R: FieldColumn<PLACE>, const PLACE: usize>(
        name: &'static str,
        json: &'static [&'static str],
    ) -> Self {
        Self::new(name, json, R::Column::DATA_TYPE)
    }
}

/// What the explanation of a rejected record needs of a field.
#[derive(Clone, Copy, Debug)]
pub struct Field {
    /// The names by which JSON may give the field: its own, then its aliases.
    pub(super) json: &'static [&'static str],
    /// Finds all errors in a value of the field.
    pub(super) explain: fn(Node<'_>, &Place<'_>, &mut Findings),
    /// The error if JSON doesn't give the field, if that is one.
    pub(super) missing: fn(&'static str) -> Result<(), Problem>,
}

impl Field {
    /// A field of `R`, whose column decides whether it may be missing.
    pub const fn new<R: FieldColumn<PLACE>, const PLACE: usize>(json: &'static [&'static str]) -> Self {
        Self {
            json,
            explain: <R::Column as Stores<_>>::explain,
            missing: |name| R::Column::default().append_missing(name),
        }
    }

    /// A field of `R` with a default.
    pub const fn with_default<R: FieldColumn<PLACE>, const PLACE: usize>(json: &'static [&'static str]) -> Self {
        Self { json, explain: <R::Column as Stores<_>>::explain, missing: |_| Ok(()) }
    }

    /// The field's own name in JSON.
    pub(super) fn name(&self) -> &'static str {
        self.json.first().copied().unwrap_or_default()
    }
}
