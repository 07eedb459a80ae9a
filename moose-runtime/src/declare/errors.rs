//! Errors in the declarations as a whole, such as two tables with one name.

use std::fmt::{self, Display};

use serde::{Deserialize, Serialize};

use super::Place;

/// Kinds of resources. Names are unique within a kind.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Kind {
    /// A table of ClickHouse.
    Table,
    /// A stream.
    Stream,
    /// An ingest API.
    Api,
}

impl Display for Kind {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::Table => "table",
            Self::Stream => "stream",
            Self::Api => "API",
        })
    }
}

/// One error in the declarations.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum DeclarationError {
    /// Nothing is declared at all.
    #[error(
        "no declaration is linked into this program: put `#[pipeline]` on a static and name its module or crate where \
         the program begins (`mod pipelines;` or `use schema as _;`)"
    )]
    Nothing,
    /// Two resources of one kind have the same name.
    #[error("two {kind}s are named `{name}`: {}; rename one", Places(places))]
    SameName {
        /// Their kind.
        kind: Kind,
        /// Their name.
        name: String,
        /// Where they are declared, as far as known.
        places: Vec<Option<Place>>,
    },
    /// Two APIs would have the same path.
    #[error("two APIs are at `POST /ingest/{name}`: {}; rename one", Places(places))]
    SamePath {
        /// Their name.
        name: String,
        /// Where they are declared, as far as known.
        places: Vec<Option<Place>>,
    },
    /// A table is both declared and listed as dropped.
    #[error("table `{name}` is declared and to be dropped: {}; take one of them away", Places(places))]
    DroppedAndDeclared {
        /// Its name.
        name: String,
        /// Where both are declared, as far as known.
        places: Vec<Option<Place>>,
    },
    /// A table has a name that another declares as its former name.
    #[error(
        "table `{name}`{} was renamed from `{former}`, and there is a table `{former}`: take `.renamed_from` off, or rename the other",
        At(*place)
    )]
    RenamedFromDeclared {
        /// Name of the renamed table.
        name: String,
        /// Its former name.
        former: String,
        /// Where it is declared, if it is known.
        place: Option<Place>,
    },
    /// Two declarations claim the same former table.
    #[error("table `{former}` can't become {}: it became one table, or it was dropped", claims.join(" and "))]
    FormerTwice {
        /// The former name.
        former: String,
        /// What it is declared to have become, such as "table `a`" or "a dropped one".
        claims: Vec<String>,
    },
    /// A destination that is not among the declarations.
    #[error(
        "the destination of {kind} `{name}`{}, {destination_kind} `{destination}`, is not declared: put `#[pipeline]` \
         on its static",
        At(*place)
    )]
    UnknownDestination {
        /// Kind of the sender.
        kind: Kind,
        /// Name of the sender.
        name: String,
        /// Kind of what is missing.
        destination_kind: Kind,
        /// Name of what is missing.
        destination: String,
        /// Where the sender is declared, if it is known.
        place: Option<Place>,
    },
    /// An API that sends nowhere.
    #[error("API `{name}`{} has no stream: add `.destination(&…)`", At(*place))]
    NoStream {
        /// Name of the API.
        name: String,
        /// Where it is declared, if it is known.
        place: Option<Place>,
    },
}

/// All errors in the declarations; never empty.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DeclarationErrors {
    /// The errors, in the order of the resources' names.
    pub errors: Vec<DeclarationError>,
}

impl Display for DeclarationErrors {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, error) in self.errors.iter().enumerate() {
            if index > 0 {
                formatter.write_str("\n")?;
            }
            error.fmt(formatter)?;
        }
        Ok(())
    }
}

impl std::error::Error for DeclarationErrors {}

/// ` at src/pipelines/mod.rs:12`, or nothing.
struct At(Option<Place>);

impl Display for At {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            Some(place) => write!(formatter, " at {}:{}", place.file, place.line),
            None => Ok(()),
        }
    }
}

/// `EVENTS (src/a.rs:12) and MORE (src/b.rs:3)`.
struct Places<'a>(&'a [Option<Place>]);

impl Display for Places<'_> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, place) in self.0.iter().enumerate() {
            if index > 0 {
                formatter.write_str(" and ")?;
            }
            match place {
                Some(place) => place.fmt(formatter)?,
                None => formatter.write_str("a static without `#[pipeline]`")?,
            }
        }
        Ok(())
    }
}
