//! The set of columns that an expression of a declaration may name.
#![expect(clippy::indexing_slicing, reason = "const code has no iterators, and an index past the end fails to compile")]

use crate::{record::ColumnSpec, schema::DefaultKind};

use super::text::equal_bytes;

/// The columns that an expression may name.
#[derive(Clone, Copy)]
pub(super) enum Columns<'a> {
    /// The columns of a table.
    Specs(&'a [ColumnSpec]),
    /// The columns of a record, whose types are not known yet.
    Named(&'a [ColumnName]),
}

/// A column as the derive knows it: its name, and the kind of its default.
pub type ColumnName = (&'static str, Option<DefaultKind>);

impl<'a> Columns<'a> {
    pub(super) const fn count(&self) -> usize {
        match self {
            Self::Specs(specs) => specs.len(),
            Self::Named(named) => named.len(),
        }
    }

    /// The column at an index below [`count`](Self::count).
    pub(super) const fn at(&self, place: usize) -> (&'a str, Option<DefaultKind>) {
        match self {
            Self::Specs(specs) => match specs[place].default {
                Some((kind, _)) => (specs[place].name, Some(kind)),
                None => (specs[place].name, None),
            },
            Self::Named(named) => named[place],
        }
    }

    /// Index of the column of that name.
    pub(super) const fn find(&self, name: &[u8]) -> Option<usize> {
        let mut place = 0;
        while place < self.count() {
            if equal_bytes(self.at(place).0.as_bytes(), name) {
                return Some(place);
            }
            place += 1;
        }
        None
    }
}
