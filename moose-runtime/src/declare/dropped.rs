//! The declaration that a table is no longer wanted, so a migration may drop it.

#[cfg(feature = "runtime")]
use crate::record::{Batch, ErasedBatch, NoColumns, OlapRecord};

use super::{
    check,
    spec::{Resource, Spec},
};

/// A table that was declared once, or that a rebuild has left, and that a migration may drop with what is in it.
///
/// It says nothing about a table that no migration knows, so it may stay when the migration is saved.
///
/// ```
/// # use moose_runtime::prelude::*;
/// #[pipeline]
/// static OLD_EVENTS: DroppedTable = DroppedTable::new("old_events");
/// ```
#[derive(Debug)]
#[must_use = "a declaration stands in a static under `#[pipeline]`"]
pub struct DroppedTable {
    name: &'static str,
}

impl DroppedTable {
    /// Permits dropping the table of this name.
    #[track_caller]
    pub const fn new(name: &'static str) -> Self {
        check::name("a table", name);
        Self { name }
    }

    /// Name of the table.
    pub const fn name(&self) -> &'static str {
        self.name
    }

    /// Called by the code that `#[pipeline]` generates; there is nothing left to check.
    #[doc(hidden)]
    pub const fn __finished(&self) {}
}

/// A dropped table has no records.
#[cfg(feature = "runtime")]
enum NoRecord {}

#[cfg(feature = "runtime")]
impl OlapRecord for NoRecord {
    type Columns = NoColumns;
    const KEY: &'static [&'static str] = &[];
}

impl Resource for DroppedTable {
    fn spec(&self) -> Spec {
        Spec { dropped_table: Some(self.name), ..Spec::NOTHING }
    }

    #[cfg(feature = "runtime")]
    fn new_batch(&self) -> Box<dyn ErasedBatch> {
        Box::new(Batch::<NoRecord>::new())
    }
}
