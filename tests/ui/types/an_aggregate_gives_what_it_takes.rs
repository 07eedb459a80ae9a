//! A function of a `SimpleAggregateFunction` gives values of the type that it takes.

use std::collections::BTreeMap;

use moose_runtime::prelude::*;

#[derive(OlapRecord)]
struct Total {
    #[key]
    id: String,
    #[olap(aggregate = "sum")]
    count: u32,
    #[olap(aggregate = "sum", decimal(18, 4))]
    amount: Option<Decimal>,
    #[olap(aggregate = "groupBitOr")]
    flags: f64,
    #[olap(aggregate = "groupUniqArrayArray")]
    tags: String,
    #[olap(aggregate = "sumMap")]
    counts: Vec<u64>,
    #[olap(aggregate = "maxMap")]
    fine: BTreeMap<String, u64>,
}

#[pipeline]
static TOTALS: OlapTable<Total> = OlapTable::new("totals").order_by(&["idd"]);

fn main() {}
