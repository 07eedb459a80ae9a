//! The declaration that a table is gone.

#[cfg(feature = "runtime")]
use crate::record::{Batch, ErasedBatch, NoRecord};

use super::{
    check,
    spec::{Resource, Spec},
};

/// A table that there was and that migrations may drop with everything in it.
///
/// Taking a declaration out of the code does not drop its table: this says that it may go.
///
/// ```ignore
/// #[pipeline]
/// static OLD_EVENTS: DroppedTable = DroppedTable::new("old_events");
/// ```
#[derive(Debug)]
#[must_use = "a declaration stands in a static under `#[pipeline]`"]
pub struct DroppedTable {
    name: &'static str,
}

impl DroppedTable {
    /// The table of that name may go.
    #[track_caller]
    pub const fn new(name: &'static str) -> Self {
        check::name("a table", name);
        Self { name }
    }

    /// Name of the table.
    pub const fn name(&self) -> &'static str {
        self.name
    }

    /// The check of the finished declaration, called by what `#[pipeline]` generates.
    #[doc(hidden)]
    pub const fn __finished(&self) {}
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
