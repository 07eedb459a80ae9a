//! The registry: all declarations linked into the program.

use std::{
    fmt::{self, Display},
    panic::Location,
};

use super::{DroppedTable, IngestApi, IngestPipeline, OlapTable, Resource, Stream};

/// The place of a declaration in the source code.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Place {
    /// Name of the static.
    pub name: &'static str,
    /// Path of the module, beginning with its crate.
    pub module: &'static str,
    /// Source file.
    pub file: &'static str,
    /// Line in the file, from 1.
    pub line: u32,
}

impl Place {
    /// The place of the caller.
    #[doc(hidden)]
    #[track_caller]
    pub const fn here(name: &'static str, module: &'static str) -> Self {
        let location = Location::caller();
        Self { name, module, file: location.file(), line: location.line() }
    }
}

impl Display for Place {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{} ({}:{})", self.name, self.file, self.line)
    }
}

/// A declaration that is linked into the program.
#[derive(Clone, Copy, Debug)]
pub struct Registered {
    /// The declaration.
    pub resource: &'static dyn Resource,
    /// Where it is declared.
    pub place: Place,
}

inventory::collect!(Registered);

/// Types that `#[pipeline]` accepts.
#[doc(hidden)]
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not a declaration",
    label = "expected an `OlapTable`, a `Stream`, an `IngestApi`, an `IngestPipeline` or a `DroppedTable`"
)]
pub trait Declaration {
    /// The type itself. Since it is reached through the trait, it is unknown for a type that is no declaration, and
    /// then its uses cause no follow-up errors.
    type Itself: 'static;
}

macro_rules! declarations {
    ($($declaration:ty),*) => { $(
        impl<R: 'static> Declaration for $declaration {
            type Itself = Self;
        }
    )* };
}

declarations!(OlapTable<R>, Stream<R>, IngestApi<R>, IngestPipeline<R>);

impl Declaration for DroppedTable {
    type Itself = Self;
}

/// The declaration, called by the code that `#[pipeline]` generates.
#[doc(hidden)]
pub const fn declared<D: Declaration<Itself = D>>(declaration: &'static D) -> &'static <D as Declaration>::Itself {
    declaration
}

/// Every `#[pipeline]` static of the program, in no particular order.
pub(super) fn all() -> Vec<Registered> {
    inventory::iter::<Registered>.into_iter().copied().collect()
}

/// The place of a declaration, if it is a `#[pipeline]` static.
pub(super) fn place_of(resource: &'static dyn Resource) -> Option<Place> {
    all().into_iter().find(|registered| std::ptr::addr_eq(registered.resource, resource)).map(|found| found.place)
}
