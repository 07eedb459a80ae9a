//! Converts declarations (constants) into the values of `schema`.

use crate::{
    record::ColumnSpec,
    schema::{self, EngineKind},
};

use super::{
    element::{Constraint, Index, Projection},
    engine::{Engine, Kind, Replication},
    spec::TableSpec,
};

impl From<&TableSpec> for schema::Table {
    fn from(spec: &TableSpec) -> Self {
        Self {
            name: spec.name.to_owned(),
            columns: spec.columns.iter().map(schema::Column::from).collect(),
            engine: schema::Engine::from(&spec.engine),
            order_by: owned(spec.order_by),
            primary_key: owned(spec.primary_key),
            partition_by: spec.partition_by.map(str::to_owned),
            sample_by: spec.sample_by.map(str::to_owned),
            ttl: spec.ttl.map(str::to_owned),
            indexes: spec.indexes.iter().map(schema::Index::from).collect(),
            projections: spec.projections.iter().map(schema::Projection::from).collect(),
            constraints: spec.constraints.iter().map(schema::Constraint::from).collect(),
            settings: spec.settings.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect(),
            cluster: spec.cluster.map(str::to_owned),
            // After a merge one row would have the provenance of one record, or a sum of several.
            provenance: spec.provenance && spec.engine.keeps_every_row(),
            comment: spec.comment.map(str::to_owned),
            renamed_from: spec.renamed_from.map(str::to_owned),
            dropped: owned(spec.dropped),
        }
    }
}

impl From<&ColumnSpec> for schema::Column {
    fn from(spec: &ColumnSpec) -> Self {
        Self {
            name: spec.name.to_owned(),
            json: owned(spec.json),
            data_type: schema::DataType::from(spec.data_type),
            default: spec
                .default
                .map(|(kind, expression)| schema::ColumnDefault { kind, expression: expression.to_owned() }),
            codec: spec.codec.map(str::to_owned),
            ttl: spec.ttl.map(str::to_owned),
            comment: spec.comment.map(str::to_owned),
            renamed_from: spec.renamed_from.map(str::to_owned),
            narrowed: spec.narrowed,
        }
    }
}

impl From<&Index> for schema::Index {
    fn from(index: &Index) -> Self {
        Self {
            name: index.name.to_owned(),
            expression: index.expression.to_owned(),
            index_type: index.index_type.to_owned(),
            granularity: index.granularity,
        }
    }
}

impl From<&Projection> for schema::Projection {
    fn from(projection: &Projection) -> Self {
        Self { name: projection.name.to_owned(), query: projection.query.to_owned() }
    }
}

impl From<&Constraint> for schema::Constraint {
    fn from(constraint: &Constraint) -> Self {
        Self { name: constraint.name.to_owned(), kind: constraint.kind, expression: constraint.expression.to_owned() }
    }
}

impl From<&Engine> for schema::Engine {
    fn from(engine: &Engine) -> Self {
        let column = |name: Option<&str>| name.map(str::to_owned);
        let kind = match engine.kind {
            Kind::MergeTree => EngineKind::MergeTree,
            Kind::Replacing { version, is_deleted } => {
                EngineKind::ReplacingMergeTree { version: column(version), is_deleted: column(is_deleted) }
            }
            Kind::Summing { columns } => EngineKind::SummingMergeTree { columns: owned(columns) },
            Kind::Aggregating => EngineKind::AggregatingMergeTree,
            Kind::Collapsing { sign } => EngineKind::CollapsingMergeTree { sign: sign.to_owned() },
            Kind::VersionedCollapsing { sign, version } => {
                EngineKind::VersionedCollapsingMergeTree { sign: sign.to_owned(), version: version.to_owned() }
            }
            Kind::Coalescing { columns } => EngineKind::CoalescingMergeTree { columns: owned(columns) },
        };
        let replication = match engine.replication {
            Replication::None => schema::Replication::None,
            Replication::Default => schema::Replication::Default,
            Replication::At { path, replica } => {
                schema::Replication::At { path: path.to_owned(), replica: replica.to_owned() }
            }
        };
        Self { kind, replication }
    }
}

fn owned(names: &[&str]) -> Vec<String> {
    names.iter().map(|&name| name.to_owned()).collect()
}
