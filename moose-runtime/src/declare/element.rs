//! Declarations of a table's skipping indexes, projections and constraints.
#![expect(clippy::indexing_slicing, reason = "const code has no iterators")]

use crate::schema::ConstraintKind;

use super::{check, message::Message};

/// A skipping index: what lets a query leave out granules without reading them.
///
/// ```
/// # use moose_runtime::prelude::*;
/// # #[derive(OlapRecord)]
/// # pub struct Event {
/// #     #[key]
/// #     id: String,
/// #     #[serde(rename = "userId")]
/// #     user_id: String,
/// #     timestamp: DateTime<Utc>,
/// # }
/// #[pipeline]
/// static EVENTS: OlapTable<Event> =
///     OlapTable::new("events").index(Index::new("by_user", "userId", "bloom_filter(0.01)").granularity(4));
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use = "an index is given to `OlapTable::index`"]
pub struct Index {
    pub(super) name: &'static str,
    pub(super) expression: &'static str,
    pub(super) index_type: &'static str,
    pub(super) granularity: u64,
}

impl Index {
    /// An index over a ClickHouse expression, of a type such as `minmax`, `set(100)`, `bloom_filter(0.01)` or
    /// `tokenbf_v1(8192, 3, 0)`.
    #[track_caller]
    pub const fn new(name: &'static str, expression: &'static str, index_type: &'static str) -> Self {
        check::name("an index", name);
        Self { name, expression, index_type, granularity: 1 }
    }

    /// How many granules of the table one granule of the index covers (default 1).
    #[track_caller]
    pub const fn granularity(mut self, granules: u64) -> Self {
        if granules == 0 {
            Message::new("the granularity of index `").text(self.name).text("` is 0: the least is 1").fail();
        }
        self.granularity = granules;
        self
    }
}

/// A projection, as a constant.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Projection {
    pub(super) name: &'static str,
    pub(super) query: &'static str,
}

/// A constraint, as a constant.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Constraint {
    pub(super) name: &'static str,
    pub(super) kind: ConstraintKind,
    pub(super) expression: &'static str,
}

/// Maximum number of indexes, projections or constraints per table.
pub(super) const MOST: usize = 16;

/// A list of up to [`MOST`] items, in the order of declaration: const code has no vectors.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Few<T> {
    pub(super) items: [Option<T>; MOST],
}

impl<T: Copy> Few<T> {
    pub(super) const NONE: Self = Self { items: [None; MOST] };

    /// Appends an item; `kind` is its name in messages.
    #[track_caller]
    pub(super) const fn with(mut self, kind: &str, item: T) -> Self {
        let mut place = 0;
        while place < MOST {
            if self.items[place].is_none() {
                self.items[place] = Some(item);
                return self;
            }
            place += 1;
        }
        Message::new("a table has at most 16 ").text(kind).fail();
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = &T> {
        self.items.iter().flatten()
    }
}

/// The names of the items so far.
macro_rules! names_of {
    ($few:expr) => {{
        let mut names = [None; MOST];
        let mut place = 0;
        while place < MOST {
            if let Some(item) = &$few.items[place] {
                names[place] = Some(item.name);
            }
            place += 1;
        }
        names
    }};
}

impl Few<Index> {
    pub(super) const fn names(&self) -> [Option<&'static str>; MOST] {
        names_of!(self)
    }
}

impl Few<Projection> {
    pub(super) const fn names(&self) -> [Option<&'static str>; MOST] {
        names_of!(self)
    }
}

impl Few<Constraint> {
    pub(super) const fn names(&self) -> [Option<&'static str>; MOST] {
        names_of!(self)
    }
}
