//! Compares the declarations that the build script saw with those linked into the binary.
//!
//! Declarations are found by the linker, and a linker leaves out what nothing names. A table that only the build script
//! knows would get its migrations and never a row; one that only the binary knows would have no migration. The build
//! script therefore saves the [`LinkedSchema`] that it saw, and `run!` and `app!` compare it with the binary's own
//! before any port is bound.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt::{self, Display},
};

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::schema;

use super::{
    Kind,
    model::{Collected, Model, StreamModel},
    registry::{self, place_of},
};

/// What `run!` and `app!` know of the program that they are called in.
#[derive(Clone, Copy, Debug)]
pub struct Program {
    /// Name of the package.
    pub name: &'static str,
    /// Version of the package.
    pub version: &'static str,
    /// What the build script saw, and the migrations that it found, as JSON; `None` without a build script.
    pub schema: Option<&'static str>,
}

/// All resources as plain data: the content of `moose-schema.json`, which also contains the migrations.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct LinkedSchema {
    /// Version of this layout; 1 today.
    pub version: u32,
    /// The tables, by name.
    pub tables: Vec<Declared<schema::Table>>,
    /// The streams, by name.
    pub streams: Vec<Declared<StreamSchema>>,
    /// The ingest APIs, by name.
    pub apis: Vec<Declared<ApiSchema>>,
}

/// A resource and the module that declares it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Declared<T> {
    /// The resource.
    #[serde(flatten)]
    pub resource: T,
    /// Path of the module, beginning with its crate. Differs between build script and binary where both compile one
    /// file, and is not compared.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub module: Option<String>,
}

/// A stream as plain data.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct StreamSchema {
    /// Name of the stream.
    pub name: String,
    /// Number of partitions.
    pub partitions: u16,
    /// How long records are kept, in milliseconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub retention_milliseconds: Option<u64>,
    /// How many bytes of records a partition keeps.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub retention_bytes: Option<u64>,
    /// Names of the tables that it fills.
    pub destinations: Vec<String>,
}

/// An ingest API as plain data.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ApiSchema {
    /// Name of the API.
    pub name: String,
    /// Name of the stream that takes the records.
    pub stream: String,
}

impl LinkedSchema {
    const VERSION: u32 = 1;

    /// The model as plain data.
    pub fn of(model: &Model) -> Self {
        let module = |record| place_of(record).map(|place| place.module.to_owned());
        Self {
            version: Self::VERSION,
            tables: (model.tables.iter())
                .map(|table| Declared { resource: table.table.clone(), module: module(table.record) })
                .collect(),
            streams: (model.streams.iter())
                .map(|stream| Declared { resource: StreamSchema::from(stream), module: module(stream.record) })
                .collect(),
            apis: (model.apis.iter())
                .map(|api| Declared {
                    resource: ApiSchema { name: api.name.clone(), stream: api.stream.clone() },
                    module: module(api.record),
                })
                .collect(),
        }
    }
}

impl From<&StreamModel> for StreamSchema {
    fn from(stream: &StreamModel) -> Self {
        Self {
            name: stream.name.clone(),
            partitions: stream.partitions,
            retention_milliseconds: stream.retention.map(|age| u64::try_from(age.as_millis()).unwrap_or(u64::MAX)),
            retention_bytes: stream.retention_bytes,
            destinations: stream.destinations.clone(),
        }
    }
}

/// Why the declarations that the build script saw are not those linked into the binary.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum BuildMismatch {
    /// The build script's output is not in the format of this version.
    #[error(
        "failed to read the schema that the build script left: {source}; build again with one version of moose-runtime"
    )]
    Unreadable {
        /// The cause.
        #[source]
        source: serde_json::Error,
    },
    /// The build script's output has another layout.
    #[error(
        "the schema that the build script left has layout {found}, this binary reads layout {expected}: use one version \
         of moose-runtime in [dependencies] and [build-dependencies]"
    )]
    Version {
        /// Layout of the build script's output.
        found: u32,
        /// Layout of this version.
        expected: u32,
    },
    /// The declarations differ.
    #[error("{}", Lines(mismatches))]
    Differs {
        /// The differences; never empty.
        mismatches: Vec<Mismatch>,
    },
}

/// A resource that is not the same for build script and binary.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Mismatch {
    /// The build script saw it, the binary lacks it.
    NotLinked {
        /// Its kind.
        kind: Kind,
        /// Its name.
        name: String,
        /// Module that declares it, as the build script saw it.
        module: Option<String>,
    },
    /// The binary has it, the build script did not see it.
    NotBuilt {
        /// Its kind.
        kind: Kind,
        /// Its name.
        name: String,
        /// Module that declares it.
        module: Option<String>,
    },
    /// Both have it, with different declarations.
    Differs {
        /// Its kind.
        kind: Kind,
        /// Its name.
        name: String,
        /// The fields that differ, such as `columns` or `order_by`.
        fields: Vec<String>,
    },
}

impl Display for Mismatch {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotLinked { kind, name, module } => {
                write!(
                    formatter,
                    "{kind} `{name}` is not linked into this binary: add {} to main.rs",
                    import(module.as_deref())
                )
            }
            Self::NotBuilt { kind, name, module } => write!(
                formatter,
                "{kind} `{name}`{} is in this binary, and the build script did not see it: name its module or crate in \
                 build.rs as main.rs does",
                module.as_ref().map(|module| format!(" of `{module}`")).unwrap_or_default()
            ),
            Self::Differs { kind, name, fields } => write!(
                formatter,
                "{kind} `{name}` has another `{}` in this binary than the build script saw: nothing but \
                 `cfg(feature = …)` may guard a declaration",
                fields.join("`, `")
            ),
        }
    }
}

/// The line that links a module whose path the build script knows.
fn import(module: Option<&str>) -> String {
    let mut segments = module.unwrap_or_default().split("::");
    match (segments.next(), segments.next()) {
        // A module of the build script itself is in a file that the binary can name too.
        (Some(crate_name), Some(module)) if crate_name.starts_with("build_script_") => format!("`mod {module};`"),
        (Some(crate_name), _) if !crate_name.is_empty() && !crate_name.starts_with("build_script_") => {
            format!("`use {crate_name} as _;`")
        }
        _ => "the module that declares it".to_owned(),
    }
}

/// One line for each mismatch.
struct Lines<'a>(&'a [Mismatch]);

impl Display for Lines<'_> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, mismatch) in self.0.iter().enumerate() {
            if index > 0 {
                formatter.write_str("\n")?;
            }
            mismatch.fmt(formatter)?;
        }
        Ok(())
    }
}

/// Compares what the build script saw, `schema_json`, with what is linked into this program. Errors in the declarations
/// themselves are reported by [`Model::linked`].
pub fn check_against_build(schema_json: &str) -> Result<(), BuildMismatch> {
    let linked = registry::all().into_iter().map(|found| (found.resource, Some(found.place)));
    compare(schema_json, &LinkedSchema::of(&Collected::of(linked).unchecked()))
}

fn compare(schema_json: &str, linked: &LinkedSchema) -> Result<(), BuildMismatch> {
    /// Read first, since another layout may lack the rest.
    #[derive(Deserialize)]
    struct Layout {
        version: u32,
    }
    let unreadable = |source| BuildMismatch::Unreadable { source };
    let Layout { version } = serde_json::from_str(schema_json).map_err(unreadable)?;
    if version != LinkedSchema::VERSION {
        return Err(BuildMismatch::Version { found: version, expected: LinkedSchema::VERSION });
    }
    let built: LinkedSchema = serde_json::from_str(schema_json).map_err(unreadable)?;

    let mut mismatches = mismatches(Kind::Table, &built.tables, &linked.tables, |table| &table.name);
    mismatches.extend(self::mismatches(Kind::Stream, &built.streams, &linked.streams, |stream| &stream.name));
    mismatches.extend(self::mismatches(Kind::Api, &built.apis, &linked.apis, |api| &api.name));
    if mismatches.is_empty() { Ok(()) } else { Err(BuildMismatch::Differs { mismatches }) }
}

fn mismatches<T: PartialEq + Serialize>(
    kind: Kind,
    built: &[Declared<T>],
    linked: &[Declared<T>],
    name: impl Fn(&T) -> &String,
) -> Vec<Mismatch> {
    let linked_by_name: BTreeMap<&String, &Declared<T>> = linked.iter().map(|it| (name(&it.resource), it)).collect();
    let built_by_name: BTreeMap<&String, &Declared<T>> = built.iter().map(|it| (name(&it.resource), it)).collect();
    let mut found = Vec::new();
    for (name, declared) in &built_by_name {
        let name = (*name).clone();
        match linked_by_name.get(&name) {
            None => found.push(Mismatch::NotLinked { kind, name, module: declared.module.clone() }),
            Some(other) if other.resource != declared.resource => {
                let fields = differing_fields(&declared.resource, &other.resource);
                found.push(Mismatch::Differs { kind, name, fields });
            }
            Some(_) => {}
        }
    }
    for (name, declared) in linked_by_name {
        if !built_by_name.contains_key(name) {
            found.push(Mismatch::NotBuilt { kind, name: name.clone(), module: declared.module.clone() });
        }
    }
    found
}

/// Names of the fields in which two resources differ, as the file has them.
fn differing_fields<T: Serialize>(left: &T, right: &T) -> Vec<String> {
    let fields = |resource| match serde_json::to_value(resource) {
        Ok(Value::Object(fields)) => fields,
        _ => Map::new(),
    };
    let (left, right) = (fields(left), fields(right));
    let names: BTreeSet<&String> = left.keys().chain(right.keys()).collect();
    names.into_iter().filter(|name| left.get(*name) != right.get(*name)).cloned().collect()
}

#[cfg(test)]
#[path = "fingerprint_tests.rs"]
mod tests;
