//! Small tables for tests.

use std::collections::BTreeMap;

use super::{Column, Constraint, ConstraintKind, Engine, Index, Projection, Table};

/// A column with nothing but a type.
pub(crate) fn column(name: &str, data_type: &str) -> Column {
    Column {
        name: name.to_owned(),
        json: Vec::new(),
        data_type: data_type.parse().expect("a type"),
        default: None,
        codec: None,
        ttl: None,
        comment: None,
        renamed_from: None,
        narrowed: false,
    }
}

/// A table with one column, `id`, and every option as it is when nothing is said.
pub(crate) fn table(name: &str) -> Table {
    Table {
        name: name.to_owned(),
        columns: vec![column("id", "String")],
        engine: Engine::default(),
        order_by: vec!["id".to_owned()],
        primary_key: Vec::new(),
        partition_by: None,
        sample_by: None,
        ttl: None,
        indexes: Vec::new(),
        projections: Vec::new(),
        constraints: Vec::new(),
        settings: BTreeMap::new(),
        cluster: None,
        provenance: true,
        comment: None,
        renamed_from: None,
        dropped: Vec::new(),
    }
}

/// A skipping index.
pub(crate) fn index(name: &str, expression: &str, index_type: &str, granularity: u64) -> Index {
    Index { name: name.to_owned(), expression: expression.to_owned(), index_type: index_type.to_owned(), granularity }
}

/// A projection.
pub(crate) fn projection(name: &str, query: &str) -> Projection {
    Projection { name: name.to_owned(), query: query.to_owned() }
}

/// A constraint.
pub(crate) fn constraint(name: &str, kind: ConstraintKind, expression: &str) -> Constraint {
    Constraint { name: name.to_owned(), kind, expression: expression.to_owned() }
}
