//! The declaration of a table.

#[cfg(feature = "runtime")]
use crate::record::ErasedBatch;
use crate::{
    record::{OlapRecord, RecordColumns},
    schema::ConstraintKind,
};

use super::{
    check,
    columns::Columns,
    element::{Constraint, Few, Index, Projection},
    engine::Engine,
    expression::{self, Rules},
    message::Message,
    record::Record,
    rules,
    spec::{Resource, Spec, TableSpec},
    text,
};

/// A ClickHouse table of records `R`.
///
/// Columns and, through `#[key]`, the sorting key come from the record; options of the table are set here, so one record
/// may have several tables.
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
///     OlapTable::new("events").order_by(&["userId", "timestamp"]).partition_by("toYYYYMM(timestamp)");
/// ```
#[derive(Debug)]
#[must_use = "a declaration stands in a static under `#[pipeline]`"]
pub struct OlapTable<R> {
    pub(super) spec: TableSpec,
    /// False for a member of a pipeline that was not asked for.
    pub(super) declared: bool,
    #[cfg_attr(not(feature = "runtime"), expect(dead_code, reason = "only the runtime makes batches"))]
    record: Record<R>,
}

impl<R: OlapRecord> OlapTable<R> {
    /// A table with the record's columns, sorted by its `#[key]`.
    #[track_caller]
    pub const fn new(name: &'static str) -> Self {
        check::name("a table", name);
        let spec = TableSpec {
            name,
            columns: <R::Columns as RecordColumns<R>>::COLUMNS,
            engine: Engine::merge_tree(),
            order_by: R::KEY,
            primary_key: &[],
            partition_by: None,
            sample_by: None,
            ttl: None,
            indexes: Few::NONE,
            projections: Few::NONE,
            constraints: Few::NONE,
            settings: &[],
            cluster: None,
            provenance: true,
            comment: R::COMMENT,
            renamed_from: None,
            dropped: R::DROPPED,
        };
        Self { spec, declared: true, record: Record::new() }
    }

    /// Sorts by these instead of the record's `#[key]`: names of columns, after renaming, or ClickHouse expressions
    /// over them, such as `toStartOfHour(timestamp)`.
    #[track_caller]
    pub const fn order_by(mut self, columns: &'static [&'static str]) -> Self {
        check::key("order_by", columns, self.spec.columns);
        self.spec.order_by = columns;
        self
    }

    /// Primary key: a prefix of the sorting key, kept in memory as the index.
    #[track_caller]
    pub const fn primary_key(mut self, columns: &'static [&'static str]) -> Self {
        check::key("primary_key", columns, self.spec.columns);
        self.spec.primary_key = columns;
        self
    }

    /// Partition key: a ClickHouse expression over columns, such as `toYYYYMM(timestamp)`.
    #[track_caller]
    pub const fn partition_by(mut self, expression: &'static str) -> Self {
        rules::partition_key(expression, self.spec.columns);
        self.spec.partition_by = Some(expression);
        self
    }

    /// When rows expire: a ClickHouse `TTL` clause, such as `timestamp + INTERVAL 90 DAY`.
    #[track_caller]
    pub const fn ttl(mut self, clause: &'static str) -> Self {
        self.expect("ttl", clause, Rules::TTL);
        self.spec.ttl = Some(clause);
        self
    }

    /// How rows are stored and merged (default: `MergeTree`, which keeps every row).
    #[track_caller]
    pub const fn engine(mut self, engine: Engine) -> Self {
        rules::engine(&engine, self.spec.columns);
        self.spec.engine = engine;
        self
    }

    /// The sampling key: a ClickHouse expression of unsigned integers that is in the primary key.
    #[track_caller]
    pub const fn sample_by(mut self, expression: &'static str) -> Self {
        self.expect("sample_by", expression, Rules::KEY);
        self.spec.sample_by = Some(expression);
        self
    }

    /// Adds a skipping index; up to 16.
    #[track_caller]
    pub const fn index(mut self, index: Index) -> Self {
        rules::new_name("an index", index.name, self.spec.indexes.names());
        self.expect("index", index.expression, Rules::INDEX);
        self.spec.indexes = self.spec.indexes.with("indexes", index);
        self
    }

    /// Adds a projection: `SELECT … [GROUP BY …] [ORDER BY …]` without a table; up to 16.
    #[track_caller]
    pub const fn projection(mut self, name: &'static str, query: &'static str) -> Self {
        rules::new_name("a projection", name, self.spec.projections.names());
        self.expect("projection", query, Rules::STORED);
        self.spec.projections = self.spec.projections.with("projections", Projection { name, query });
        self
    }

    /// Adds a constraint: ClickHouse refuses rows for which the expression is not true. They become dead letters.
    #[track_caller]
    pub const fn constraint(self, name: &'static str, expression: &'static str) -> Self {
        self.with_constraint(name, ConstraintKind::Check, expression)
    }

    /// Adds an assumption: ClickHouse may take it to be true for every row, to make queries faster. It is never
    /// checked.
    #[track_caller]
    pub const fn assume(self, name: &'static str, expression: &'static str) -> Self {
        self.with_constraint(name, ConstraintKind::Assume, expression)
    }

    #[track_caller]
    const fn with_constraint(mut self, name: &'static str, kind: ConstraintKind, expression: &'static str) -> Self {
        rules::new_name("a constraint", name, self.spec.constraints.names());
        let option = if matches!(kind, ConstraintKind::Check) { "constraint" } else { "assume" };
        self.expect(option, expression, Rules::STORED);
        self.spec.constraints = self.spec.constraints.with("constraints", Constraint { name, kind, expression });
        self
    }

    #[track_caller]
    const fn expect(&self, option: &str, text: &str, rules: Rules) {
        expression::check(option, text, Columns::Specs(self.spec.columns), rules);
    }

    /// Creates the table on all servers of a cluster (`ON CLUSTER`).
    #[track_caller]
    pub const fn cluster(mut self, cluster: &'static str) -> Self {
        expect_text("cluster", cluster);
        self.spec.cluster = Some(cluster);
        self
    }

    /// The former name of the table: a migration renames it and keeps its rows.
    #[track_caller]
    pub const fn renamed_from(mut self, name: &'static str) -> Self {
        check::name("a table", name);
        self.spec.renamed_from = Some(name);
        self
    }

    /// Settings of the table, name and value.
    #[track_caller]
    pub const fn settings(mut self, settings: &'static [(&'static str, &'static str)]) -> Self {
        check::settings(settings);
        self.spec.settings = settings;
        self
    }

    /// Whether the table has the provenance columns, which say from which record a row comes (default: yes). Without
    /// them a hard kill of ClickHouse in the middle of an INSERT may lose the rows of that INSERT. A table whose engine
    /// merges rows has none: it can't be asked which records it has.
    pub const fn provenance(mut self, provenance: bool) -> Self {
        self.spec.provenance = provenance;
        self
    }

    /// A comment, shown by ClickHouse, instead of the record's doc comment.
    pub const fn comment(mut self, comment: &'static str) -> Self {
        self.spec.comment = Some(comment);
        self
    }

    /// Name of the table.
    pub const fn name(&self) -> &'static str {
        self.spec.name
    }
}

impl<R> OlapTable<R> {
    /// The check of the finished declaration, called by the code that `#[pipeline]` generates.
    #[doc(hidden)]
    #[track_caller]
    pub const fn __finished(&self) {
        if self.spec.order_by.is_empty() {
            Message::new("table `")
                .text(self.spec.name)
                .text("` has no sorting key: mark fields of the record with `#[key]`, or add `.order_by(&[…])`")
                .fail();
        }
        check::key("#[key]", self.spec.order_by, self.spec.columns);
        if !text::is_prefix(self.spec.primary_key, self.spec.order_by) {
            Message::new("the `primary_key` of table `")
                .text(self.spec.name)
                .text("` is not how its sorting key begins, which is ")
                .list(self.spec.order_by)
                .text(": name the first of these, in this order")
                .fail();
        }
        rules::finished(&self.spec);
        if self.spec.provenance
            && let Some(column) = check::column_with_prefix(self.spec.columns, "_stream_")
        {
            Message::new("table `")
                .text(self.spec.name)
                .text("` has a column `")
                .text(column)
                .text("`: names that begin with `_stream_` are those of the hidden columns; rename it")
                .fail();
        }
    }
}

impl<R> Resource for OlapTable<R> {
    fn spec(&self) -> Spec {
        Spec { table: Some(self.spec), ..Spec::NOTHING }
    }

    #[cfg(feature = "runtime")]
    fn new_batch(&self) -> Box<dyn ErasedBatch> {
        self.record.new_batch()
    }
}

#[track_caller]
const fn expect_text(option: &str, text: &str) {
    if text.trim_ascii().is_empty() {
        Message::new("`").text(option).text("` is empty: leave it out").fail();
    }
}
