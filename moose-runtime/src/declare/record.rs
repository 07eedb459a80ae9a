//! The factory for batches of a declaration's record type. That the type is a record was checked when the declaration
//! was begun; nothing later needs the bound, so a type that is none is one compile error.

use std::{fmt, marker::PhantomData};

use crate::record::OlapRecord;
#[cfg(feature = "runtime")]
use crate::record::{Batch, ErasedBatch};

/// The batch factory of a declaration's record type. `R: OlapRecord` was checked in [`new`](Self::new); later uses
/// don't need the bound, so a type that is no record is one compile error.
pub(super) struct Record<R> {
    /// Creates an empty batch whose records are partitioned by these columns or by the type's own key.
    #[cfg(feature = "runtime")]
    new_batch: fn(Option<&[&str]>) -> Box<dyn ErasedBatch>,
    record: PhantomData<fn() -> R>,
}

impl<R: OlapRecord> Record<R> {
    pub(super) const fn new() -> Self {
        Self {
            #[cfg(feature = "runtime")]
            new_batch: |key| Box::new(key.map_or_else(Batch::<R>::new, Batch::<R>::with_record_key)),
            record: PhantomData,
        }
    }
}

#[cfg(feature = "runtime")]
impl<R> Record<R> {
    /// An empty batch whose records are partitioned by the record's `#[key]`.
    pub(super) fn new_batch(&self) -> Box<dyn ErasedBatch> {
        (self.new_batch)(None)
    }

    /// An empty batch whose records are partitioned by these columns.
    pub(super) fn new_batch_with_key(&self, columns: &[&str]) -> Box<dyn ErasedBatch> {
        (self.new_batch)(Some(columns))
    }
}

impl<R> fmt::Debug for Record<R> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(std::any::type_name::<R>())
    }
}
