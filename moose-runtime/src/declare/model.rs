//! The model: all declarations together, checked, and in an order that depends on nothing but their names.

use std::{collections::BTreeMap, time::Duration};

use crate::schema;

use super::{
    DeclarationError, DeclarationErrors, Kind, Place, Resource, Spec,
    registry::{self, place_of},
};

/// The checked model. Names are unique within each list, and every referenced name exists.
#[derive(Clone, Debug)]
pub struct Model {
    /// The tables, by name.
    pub tables: Vec<TableModel>,
    /// The streams, by name.
    pub streams: Vec<StreamModel>,
    /// The ingest APIs, by name.
    pub apis: Vec<ApiModel>,
    /// Names of the tables that may be dropped, in order.
    pub dropped_tables: Vec<String>,
}

/// A table.
#[derive(Clone, Debug)]
pub struct TableModel {
    /// The table to create.
    pub table: schema::Table,
    /// Makes batches of its records.
    pub record: &'static dyn Resource,
}

/// A stream.
#[derive(Clone, Debug)]
pub struct StreamModel {
    /// Name of the stream and of its topic.
    pub name: String,
    /// Number of partitions.
    pub partitions: u16,
    /// How long records are kept.
    pub retention: Option<Duration>,
    /// How many bytes of records a partition keeps.
    pub retention_bytes: Option<u64>,
    /// Makes batches of its records.
    pub record: &'static dyn Resource,
    /// Names of the tables that it fills, in the order of the declaration.
    pub destinations: Vec<String>,
}

/// An ingest API at `/ingest/<name>`.
#[derive(Clone, Debug)]
pub struct ApiModel {
    /// Name of the API.
    pub name: String,
    /// Name of the stream that takes the records.
    pub stream: String,
    /// Makes batches of its records.
    pub record: &'static dyn Resource,
}

impl Model {
    /// The tables alone.
    pub fn declared_tables(&self) -> Vec<schema::Table> {
        self.tables.iter().map(|declared| declared.table.clone()).collect()
    }

    /// Every declaration that is linked into the program.
    pub fn linked() -> Result<Self, DeclarationErrors> {
        Collected::of(registry::all().into_iter().map(|found| (found.resource, Some(found.place)))).checked()
    }

    /// These declarations and no others, whatever is linked: for tests, and for programs that embed only some.
    pub fn of(resources: &[&'static dyn Resource]) -> Result<Self, DeclarationErrors> {
        Collected::of(resources.iter().map(|&resource| (resource, place_of(resource)))).checked()
    }
}

/// What was found under one name: one declaration, or wrongly several.
struct Found<T> {
    model: T,
    places: Vec<Option<Place>>,
}

/// The declarations by kind and name, before they are checked.
#[derive(Default)]
pub(super) struct Collected {
    tables: BTreeMap<String, Found<TableModel>>,
    streams: BTreeMap<String, Found<StreamModel>>,
    apis: BTreeMap<String, Found<UncheckedApi>>,
    dropped_tables: BTreeMap<String, Found<()>>,
}

struct UncheckedApi {
    stream: Option<String>,
    record: &'static dyn Resource,
}

impl Collected {
    pub(super) fn of(resources: impl Iterator<Item = (&'static dyn Resource, Option<Place>)>) -> Self {
        // The linker's order is arbitrary: of two resources with one name, the first in source order is kept.
        let mut resources: Vec<_> = resources.collect();
        resources.sort_by_key(|(_, place)| place.map(|place| (place.file, place.line)));
        let mut collected = Self::default();
        for (record, place) in resources {
            let Spec { table, stream, api, dropped_table } = record.spec();
            if let Some(spec) = table {
                let model = TableModel { table: schema::Table::from(&spec), record };
                insert(&mut collected.tables, spec.name, model, place);
            }
            if let Some(spec) = stream {
                let model = StreamModel {
                    name: spec.name.to_owned(),
                    partitions: spec.partitions,
                    retention: spec.retention,
                    retention_bytes: spec.retention_bytes,
                    record,
                    destinations: spec.destinations().map(str::to_owned).collect(),
                };
                insert(&mut collected.streams, spec.name, model, place);
            }
            if let Some(spec) = api {
                let model = UncheckedApi { stream: spec.stream.map(str::to_owned), record };
                insert(&mut collected.apis, spec.name, model, place);
            }
            if let Some(name) = dropped_table {
                insert(&mut collected.dropped_tables, name, (), place);
            }
        }
        collected
    }

    fn checked(self) -> Result<Model, DeclarationErrors> {
        let errors = self.errors();
        if !errors.is_empty() {
            return Err(DeclarationErrors { errors });
        }
        Ok(self.unchecked())
    }

    /// The model as far as it can be made despite errors.
    pub(super) fn unchecked(self) -> Model {
        let apis = self.apis.into_iter().filter_map(|(name, found)| {
            let UncheckedApi { stream, record } = found.model;
            Some(ApiModel { name, stream: stream?, record })
        });
        Model {
            tables: self.tables.into_values().map(|found| found.model).collect(),
            streams: self.streams.into_values().map(|found| found.model).collect(),
            apis: apis.collect(),
            dropped_tables: self.dropped_tables.into_keys().collect(),
        }
    }

    fn errors(&self) -> Vec<DeclarationError> {
        let nothing = self.tables.is_empty() && self.streams.is_empty() && self.apis.is_empty();
        if nothing && self.dropped_tables.is_empty() {
            return vec![DeclarationError::Nothing];
        }
        let mut errors = Vec::new();
        errors.extend(same_names(Kind::Table, &self.tables));
        errors.extend(same_names(Kind::Stream, &self.streams));
        errors.extend(
            self.apis
                .iter()
                .filter(|(_, found)| found.places.len() > 1)
                .map(|(name, found)| DeclarationError::SamePath { name: name.clone(), places: found.places.clone() }),
        );
        errors.extend(self.former_tables());
        errors.extend(self.streams.iter().flat_map(|(name, found)| self.unknown_tables(name, found)));
        errors.extend(self.apis.iter().filter_map(|(name, found)| self.api_error(name, found)));
        errors
    }

    /// Errors in tables declared as dropped or renamed.
    fn former_tables(&self) -> Vec<DeclarationError> {
        let mut errors = Vec::new();
        let mut claims: BTreeMap<&str, Vec<String>> = BTreeMap::new();
        for (name, dropped) in &self.dropped_tables {
            if let Some(declared) = self.tables.get(name) {
                let places = declared.places.iter().chain(&dropped.places).copied().collect();
                errors.push(DeclarationError::DroppedAndDeclared { name: name.clone(), places });
            }
            claims.entry(name).or_default().push("a dropped one".to_owned());
        }
        for (name, found) in &self.tables {
            let Some(former) = &found.model.table.renamed_from else { continue };
            if self.tables.contains_key(former) {
                let (name, former, place) = (name.clone(), former.clone(), found.place());
                errors.push(DeclarationError::RenamedFromDeclared { name, former, place });
            }
            claims.entry(former).or_default().push(format!("table `{name}`"));
        }
        errors.extend(
            claims
                .into_iter()
                .filter(|(_, claims)| claims.len() > 1)
                .map(|(former, claims)| DeclarationError::FormerTwice { former: former.to_owned(), claims }),
        );
        errors
    }

    fn unknown_tables(&self, name: &str, found: &Found<StreamModel>) -> Vec<DeclarationError> {
        let missing = found.model.destinations.iter().filter(|table| !self.tables.contains_key(*table));
        missing
            .map(|table| DeclarationError::UnknownDestination {
                kind: Kind::Stream,
                name: name.to_owned(),
                destination_kind: Kind::Table,
                destination: table.clone(),
                place: found.place(),
            })
            .collect()
    }

    fn api_error(&self, name: &str, found: &Found<UncheckedApi>) -> Option<DeclarationError> {
        let name = name.to_owned();
        match &found.model.stream {
            None => Some(DeclarationError::NoStream { name, place: found.place() }),
            Some(stream) if !self.streams.contains_key(stream) => Some(DeclarationError::UnknownDestination {
                kind: Kind::Api,
                name,
                destination_kind: Kind::Stream,
                destination: stream.clone(),
                place: found.place(),
            }),
            Some(_) => None,
        }
    }
}

impl<T> Found<T> {
    fn place(&self) -> Option<Place> {
        self.places.first().copied().flatten()
    }
}

fn insert<T>(found: &mut BTreeMap<String, Found<T>>, name: &str, model: T, place: Option<Place>) {
    found.entry(name.to_owned()).or_insert_with(|| Found { model, places: Vec::new() }).places.push(place);
}

fn same_names<T>(kind: Kind, found: &BTreeMap<String, Found<T>>) -> impl Iterator<Item = DeclarationError> {
    found.iter().filter(|(_, found)| found.places.len() > 1).map(move |(name, found)| DeclarationError::SameName {
        kind,
        name: name.clone(),
        places: found.places.clone(),
    })
}

#[cfg(test)]
#[path = "model_tests.rs"]
mod tests;
