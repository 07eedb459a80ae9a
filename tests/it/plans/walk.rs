//! Schemas at random, and what their rows hold.
//!
//! Every column has a family, which its name begins with and never loses. The types of a family hold the same values, so
//! that a change from any to any other keeps them, whether the plan calls it widening or narrowing.

use std::collections::BTreeMap;

use moose_runtime::internal::schema::{
    Column, ColumnDefault, Constraint, ConstraintKind, DataType, DefaultKind, Engine, EngineKind, Index, Projection,
    Table, change::Fit, quote_string,
};
use moose_tests::random::Random;

/// A family: how its columns begin, its types, its values by `number`, a default, and an expression over other columns.
struct Family {
    prefix: &'static str,
    types: &'static [&'static str],
    values: &'static str,
    default: &'static str,
    expression: &'static str,
}

const FAMILIES: [Family; 6] = [
    Family {
        prefix: "n",
        types: &[
            "UInt8",
            "UInt16",
            "UInt64",
            "Int16",
            "Int64",
            "Float64",
            "Nullable(UInt32)",
            "Decimal(18, 2)",
            "String",
        ],
        values: "number % 100",
        default: "'7'",
        expression: "id % 50",
    },
    Family {
        prefix: "t",
        types: &[
            "String",
            "LowCardinality(String)",
            "Nullable(String)",
            "LowCardinality(Nullable(String))",
            "Enum8('a' = 1, 'b' = 2)",
            "Enum16('a' = 1, 'b' = 2, 'it\\'s' = 300)",
        ],
        values: "if(number % 2 = 0, 'a', 'b')",
        default: "'b'",
        expression: "if(id % 3 = 0, 'a', 'b')",
    },
    Family {
        prefix: "d",
        types: &["DateTime('UTC')", "DateTime64(3, 'UTC')", "DateTime64(6, 'UTC')", "Nullable(DateTime64(3, 'UTC'))"],
        values: "toDateTime('2026-01-01 00:00:00', 'UTC') + number",
        default: "'2026-02-02 00:00:00'",
        expression: "toDateTime('2026-03-03 00:00:00', 'UTC') + id",
    },
    Family {
        prefix: "h",
        types: &["Time64(3)", "Time64(6)", "Nullable(Time64(3))"],
        values: "toTime64(number % 86400, 3)",
        default: "'12:34:56'",
        expression: "toTime64(id % 3600, 3)",
    },
    Family {
        prefix: "l",
        types: &["Array(UInt8)", "Array(UInt16)", "Array(UInt64)"],
        values: "[number % 100]",
        default: "'[1]'",
        expression: "[id % 50]",
    },
    Family {
        prefix: "s",
        types: &["Nested(k UInt8, v String)"],
        values: "[(number % 100, 'a')]",
        default: "[(1, 'b')]",
        expression: "[(id % 50, 'b')]",
    },
];

fn family(column: &str) -> &'static Family {
    FAMILIES.iter().find(|family| column.starts_with(family.prefix)).expect("every column has a family")
}

fn data_type(text: &str) -> DataType {
    text.parse().expect("a type")
}

/// Where a walk stands.
pub(super) struct Walk {
    random: Random,
    /// Columns made so far: no name comes twice.
    made: u32,
}

impl Walk {
    /// A first table: `id`, a time, a column for keys, and some others.
    pub(super) fn begin(random: Random) -> (Self, Table) {
        let mut walk = Self { random, made: 0 };
        let plain = |name: &str, text: &str| Column {
            name: name.to_owned(),
            json: Vec::new(),
            data_type: data_type(text),
            default: None,
            codec: None,
            ttl: None,
            comment: None,
            renamed_from: None,
            narrowed: false,
        };
        let mut table = Table {
            name: "events".to_owned(),
            columns: vec![plain("id", "UInt64"), plain("d0", "DateTime64(3, 'UTC')"), plain("n0", "UInt16")],
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
            provenance: walk.chance(2),
            comment: None,
            renamed_from: None,
            dropped: Vec::new(),
        };
        for _ in 0..walk.random.below(4) {
            walk.add_column(&mut table);
        }
        (walk, table)
    }

    /// Another schema, with the words that the changes need.
    pub(super) fn step(&mut self, before: &Table) -> Table {
        let mut table = before.recordable();
        for _ in 0..=self.random.below(4) {
            match self.random.below(14) {
                0 | 1 => self.add_column(&mut table),
                2 => self.drop_column(before, &mut table),
                3 => self.rename_column(before, &mut table),
                4 | 5 => self.change_type(before, &mut table),
                6 => self.change_default(before, &mut table),
                7 => self.change_options(&mut table),
                8 => self.move_column(&mut table),
                9 | 10 => self.change_parts(&mut table),
                11 => self.change_key(&mut table),
                12 => self.change_table(&mut table),
                _ => table.provenance = !table.provenance,
            }
        }
        table
    }

    fn chance(&mut self, one_in: u64) -> bool {
        self.random.below(one_in) == 0
    }

    fn pick<'a, T>(&mut self, from: &'a [T]) -> &'a T {
        let length = u64::try_from(from.len()).expect("a small number");
        &from[usize::try_from(self.random.below(length)).expect("a small number")]
    }

    /// A column that may be changed in any way, if there is one.
    fn free_column(&mut self, table: &Table) -> Option<usize> {
        self.column(table, |column| !is_named(table, &column.name))
    }

    /// One of the columns that no key is made of.
    fn column(&mut self, table: &Table, may: impl Fn(&Column) -> bool) -> Option<usize> {
        let is_free = |column: &Column| !["id", "d0", "n0"].contains(&column.name.as_str()) && may(column);
        let free: Vec<usize> = (0..table.columns.len()).filter(|at| is_free(&table.columns[*at])).collect();
        (!free.is_empty()).then(|| *self.pick(&free))
    }

    fn add_column(&mut self, table: &mut Table) {
        let family = self.pick(&FAMILIES);
        self.add_column_of(family, table);
    }

    /// A list of structs, which a server would take apart unless told otherwise.
    pub(super) fn add_nested_column(&mut self, table: &mut Table) {
        self.add_column_of(family("s"), table);
    }

    fn add_column_of(&mut self, family: &Family, table: &mut Table) {
        self.made += 1;
        let text = *self.pick(family.types);
        let default = self.some_default(family);
        let is_read_only = default.as_ref().is_some_and(|it| it.kind == DefaultKind::Alias);
        let column = Column {
            name: format!("{}{}", family.prefix, self.made),
            json: Vec::new(),
            data_type: data_type(text),
            default,
            codec: (!is_read_only && self.chance(4)).then(|| "ZSTD(3)".to_owned()),
            ttl: None,
            comment: self.chance(4).then(|| "it's new".to_owned()),
            renamed_from: None,
            narrowed: false,
        };
        let columns = u64::try_from(table.columns.len()).expect("a small number");
        let at = usize::try_from(self.random.below(columns + 1)).expect("a small number");
        table.columns.insert(at, column);
    }

    fn some_default(&mut self, family: &Family) -> Option<ColumnDefault> {
        let (kind, expression) = match self.random.below(5) {
            0 => (DefaultKind::Default, family.default),
            1 => (DefaultKind::Default, family.expression),
            2 => (DefaultKind::Materialized, family.expression),
            3 => (DefaultKind::Alias, family.expression),
            _ => return None,
        };
        Some(ColumnDefault { kind, expression: expression.to_owned() })
    }

    fn drop_column(&mut self, before: &Table, table: &mut Table) {
        if let Some(at) = self.free_column(table) {
            let column = table.columns.remove(at);
            let old = column.renamed_from.unwrap_or(column.name);
            if before.columns.iter().any(|it| it.name == old) {
                table.dropped.push(old);
            }
        }
    }

    fn rename_column(&mut self, before: &Table, table: &mut Table) {
        let Some(at) = self.free_column(table) else { return };
        self.made += 1;
        let (made, column) = (self.made, &mut table.columns[at]);
        let is_old = before.columns.iter().any(|it| it.name == column.name);
        if is_old && column.renamed_from.is_none() {
            column.renamed_from = Some(column.name.clone());
            column.name = format!("{}{made}", family(&column.name).prefix);
        }
    }

    fn change_type(&mut self, before: &Table, table: &mut Table) {
        // The column of the keys may change too: by a new table.
        let key = table.columns.iter().position(|it| it.name == "n0");
        let at = if self.chance(4) { key } else { self.column(table, |_| true) };
        let Some(at) = at else { return };
        let name = table.columns[at].name.clone();
        let types = if name == "n0" { &["UInt16", "UInt32", "UInt64"][..] } else { family(&name).types };
        let text: &str = self.pick::<&str>(types);
        let new = data_type(text);
        let old_name = table.columns[at].renamed_from.clone().unwrap_or(name);
        let old = before.columns.iter().find(|it| it.name == old_name);
        // No word makes a list hold less.
        if old.is_some_and(|old| Fit::of(&old.data_type, &new) == Fit::Never) {
            return;
        }
        table.columns[at].data_type = new;
        table.columns[at].narrowed = true;
    }

    fn change_default(&mut self, _: &Table, table: &mut Table) {
        let Some(at) = self.free_column(table) else { return };
        let default = self.some_default(family(&table.columns[at].name));
        let column = &mut table.columns[at];
        if default.as_ref().is_some_and(|it| it.kind == DefaultKind::Alias) {
            (column.codec, column.ttl) = (None, None);
        }
        column.default = default;
        column.narrowed = true;
    }

    fn change_options(&mut self, table: &mut Table) {
        let Some(at) = self.free_column(table) else { return };
        let column = &mut table.columns[at];
        column.comment = self.random.below(2).eq(&0).then(|| "about `it`".to_owned());
        if column.default.as_ref().is_some_and(|it| it.kind == DefaultKind::Alias) {
            return;
        }
        column.codec = self.random.below(2).eq(&0).then(|| "ZSTD(5)".to_owned());
        column.ttl = self.random.below(2).eq(&0).then(|| "toDateTime(d0) + INTERVAL 50 YEAR".to_owned());
    }

    fn move_column(&mut self, table: &mut Table) {
        let columns = u64::try_from(table.columns.len()).expect("a small number");
        let [from, to] = [0, 1].map(|_| usize::try_from(self.random.below(columns)).expect("a small number"));
        let column = table.columns.remove(from);
        table.columns.insert(to, column);
    }

    /// Indexes, projections and constraints over columns that then stay.
    fn change_parts(&mut self, table: &mut Table) {
        let plain: Vec<String> = (table.columns.iter())
            .filter(|it| it.default.as_ref().is_none_or(|default| default.kind == DefaultKind::Default))
            .filter(|it| it.name.starts_with('n') && it.renamed_from.is_none())
            .map(|it| it.name.clone())
            .collect();
        let column = self.pick(&plain).clone();
        match self.random.below(3) {
            0 if table.indexes.is_empty() => table.indexes.push(Index {
                name: "some".to_owned(),
                expression: column,
                index_type: "minmax".to_owned(),
                granularity: 1 + self.random.below(3),
            }),
            0 => table.indexes.clear(),
            1 if table.projections.is_empty() => {
                let by_column = format!("SELECT {column}, count() GROUP BY {column}");
                let query = if self.chance(2) { by_column } else { "SELECT * ORDER BY d0".to_owned() };
                table.projections.push(Projection { name: "other".to_owned(), query });
            }
            1 => table.projections.clear(),
            _ if table.constraints.is_empty() => table.constraints.push(Constraint {
                name: "sane".to_owned(),
                kind: if self.chance(2) { ConstraintKind::Check } else { ConstraintKind::Assume },
                expression: format!("id < {}", 1_000_000 + self.random.below(1000)),
            }),
            _ => table.constraints.clear(),
        }
        // Such engines take no projection; which ones is theirs to say.
        if !table.projections.is_empty() {
            table.engine = Engine::default();
        }
    }

    fn change_key(&mut self, table: &mut Table) {
        let keys: [&[&str]; 4] = [&["id"], &["n0", "id"], &["id", "d0"], &["n0", "d0", "id"]];
        let key: Vec<String> = self.pick(&keys).iter().map(|name| (*name).to_owned()).collect();
        table.primary_key = if self.chance(3) { key[..1].to_vec() } else { Vec::new() };
        table.sample_by = (key[0] == "n0" && self.chance(2)).then(|| "n0".to_owned());
        table.order_by = key;
        table.partition_by = match self.random.below(3) {
            0 => Some("toYYYYMM(d0)".to_owned()),
            1 => Some("n0 % 3".to_owned()),
            _ => None,
        };
    }

    fn change_table(&mut self, table: &mut Table) {
        match self.random.below(5) {
            0 => table.ttl = self.chance(2).then(|| "toDateTime(d0) + INTERVAL 60 YEAR".to_owned()),
            1 => table.comment = self.chance(2).then(|| "what's here".to_owned()),
            2 if self.chance(2) => drop(table.settings.remove("merge_with_ttl_timeout")),
            2 => drop(table.settings.insert("merge_with_ttl_timeout".to_owned(), "7200".to_owned())),
            3 => drop(table.settings.insert("index_granularity".to_owned(), self.pick(&["512", "1024"]).to_string())),
            _ if table.projections.is_empty() => {
                let replacing = EngineKind::ReplacingMergeTree { version: Some("n0".to_owned()), is_deleted: None };
                table.engine = if self.chance(2) { replacing.into() } else { Engine::default() };
            }
            _ => {}
        }
    }
}

/// Whether an index, a projection or another expression of the table names the column.
fn is_named(table: &Table, column: &str) -> bool {
    let texts = table.indexes.iter().map(|it| &it.expression).chain(table.projections.iter().map(|it| &it.query));
    texts.into_iter().any(|text| text.split(|c: char| !c.is_alphanumeric()).any(|word| word == column))
}

/// The columns that an INSERT names, and their values by `number`.
pub(super) fn stored_values(table: &Table) -> (String, String) {
    let mut columns: Vec<(String, String)> = Vec::new();
    for column in table.columns.iter().filter(|column| column.is_inserted()) {
        let value = if column.name == "id" { "number" } else { family(&column.name).values };
        let text = column.data_type.to_string();
        let value =
            if column.data_type.is_nullable() { format!("if(number % 5 = 4, NULL, {value})") } else { value.into() };
        columns.push((column.name.clone(), format!("CAST({value}, {})", quote_string(&text))));
    }
    if table.provenance {
        columns.push(("_stream_offset".to_owned(), "number".to_owned()));
    }
    let (names, values): (Vec<String>, Vec<String>) = columns.into_iter().unzip();
    (names.join(", "), values.join(", "))
}

/// How one sees that a value was kept from one column to the other; `None` where no plan promises it.
pub(super) fn is_kept(old: &Column, new: &Column) -> Option<String> {
    if !is_stored(old) || !is_stored(new) {
        return None;
    }
    let back = quote_string(&old.data_type.to_string());
    Some(format!("CAST(events.{}, {back}) IS NOT DISTINCT FROM shadow.{}", new.name, old.name))
}

/// What rows from before show in a column that was not stored for them.
pub(super) fn value_of_old_rows(old: Option<&Column>, new: &Column) -> Option<String> {
    if old.is_some_and(|old| is_stored(old) && is_stored(new)) {
        return None;
    }
    Some(match &new.default {
        Some(default) => default.expression.replace("id %", "events.id %").replace("+ id", "+ events.id"),
        None => format!("defaultValueOfTypeName({})", quote_string(&new.data_type.to_string())),
    })
}

fn is_stored(column: &Column) -> bool {
    !matches!(column.default.as_ref().map(|default| default.kind), Some(DefaultKind::Alias | DefaultKind::Ephemeral))
}

/// `ALTER` writes the default of an ephemeral column out, `CREATE` does not.
pub(super) fn without_ephemeral_default(line: &str) -> String {
    line.split(" EPHEMERAL defaultValueOfTypeName(").next().unwrap_or(line).to_owned()
}
