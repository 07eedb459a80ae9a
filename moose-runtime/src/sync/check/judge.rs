//! Evaluates the facts about a table: which flaws they amount to. No queries here.

use std::collections::BTreeMap;

use super::{Effect, Flaw, seen::Seen};
use crate::{
    clickhouse::{TableFacts, ViewFacts, calls, window_of},
    schema::{Difference, MADE_UP_FUNCTIONS, Storage, adopting, differences, quote_identifier},
};

/// Fewer tokens than this could be displaced while a range is on its way: two ranges of each stream partition over up
/// to a hundred table partitions, and what others write meanwhile.
const ENOUGH_TOKENS: u64 = 10_000;
/// How long tokens must be remembered if they expire by age: a week's outage.
const LONG_ENOUGH: u64 = 604_800;

const TOKEN_ALONE: &str = "a range whose token was written down before a hard kill of the server lost its rows is lost";
const TOKEN_ALONE_EMBEDDED: &str = "the embedded engine takes tokens back that a hard kill left without rows, so \
                                    that is enough for one; but it does not sync its tokens to the disk, and after a \
                                    power failure a range can be there twice";
const TOKEN_ALONE_REPLICATED: &str = "a replicated table commits token and rows together, so that is enough";

/// All flaws of a table.
pub(super) fn flaws(seen: &Seen<'_>) -> Vec<Flaw> {
    let Some(facts) = &seen.facts else { return vec![Flaw::NoTable] };
    let mut flaws = columns(seen, facts);
    flaws.extend(grants(seen, facts));
    if !facts.state.engine.ends_with("MergeTree") {
        flaws.push(Flaw::OtherEngine { engine: facts.state.engine.clone() });
        return flaws;
    }
    flaws.extend(settings(seen, facts));
    flaws.extend(window(facts, seen));
    flaws.extend(nets(seen, facts));
    flaws.extend(partition_key(seen, facts));
    flaws.extend(facts.views.iter().filter_map(view));
    flaws.extend(row_policies(seen, facts));
    flaws.extend(surroundings(seen, facts));
    flaws
}

fn columns(seen: &Seen<'_>, facts: &TableFacts) -> Vec<Flaw> {
    let (prevent, vary): (Vec<_>, Vec<_>) =
        differences(seen.declared, &facts.state.columns).into_iter().partition(Difference::prevents_insert);
    let texts = |differences: Vec<Difference>| -> Vec<String> { differences.iter().map(ToString::to_string).collect() };
    let mut flaws = Vec::new();
    if !prevent.is_empty() {
        let adopting = adopting(seen.declared, &prevent);
        flaws.push(Flaw::ColumnsDiffer { differences: texts(prevent), adopting });
    }
    if !vary.is_empty() {
        flaws.push(Flaw::ColumnsVary { differences: texts(vary) });
    }
    flaws
}

fn grants(seen: &Seen<'_>, facts: &TableFacts) -> Vec<Flaw> {
    let table = quote_identifier(&seen.declared.name);
    let lacks = |granted: Option<bool>, privilege: String, consequence, effect| {
        (granted == Some(false)).then_some(Flaw::NotGranted { privilege, consequence, effect })
    };
    let mend_matters = !facts.views.is_empty() && !facts.state.is_replicated();
    [
        lacks(seen.grants.insert, format!("INSERT ON {table}"), "no record can be written", Effect::Blocks),
        lacks(
            seen.grants.probe,
            format!("SELECT ON {table}"),
            "after a failure it can't be asked which rows are there, and the table is held",
            Effect::Blocks,
        ),
        lacks(
            seen.grants.mend.filter(|_| mend_matters),
            "CREATE TABLE, DROP TABLE on the database".to_owned(),
            "rows that a hard kill of the server lost can't be brought back past the views, and the table is held then",
            Effect::Note,
        ),
    ]
    .into_iter()
    .flatten()
    .collect()
}

fn settings(seen: &Seen<'_>, facts: &TableFacts) -> Vec<Flaw> {
    let twice = "a range that is sent again may be stored twice";
    let needed = [
        ("insert_deduplication_token", twice, Effect::Repeats, true),
        ("insert_deduplicate", twice, Effect::Repeats, true),
        (
            "deduplicate_blocks_in_dependent_materialized_views",
            "a range that is sent again comes into the views behind the table twice",
            Effect::Repeats,
            !facts.views.is_empty(),
        ),
        (
            "insert_allow_materialized_columns",
            "the hidden columns can't be filled; declare the table with `.provenance(false)`",
            Effect::Blocks,
            seen.declared.provenance,
        ),
    ];
    needed
        .into_iter()
        .filter(|(setting, _, _, matters)| *matters && !seen.server.contains(*setting))
        .map(|(setting, consequence, effect, _)| Flaw::SettingUnknown { setting, consequence, effect })
        .collect()
}

fn number(settings: &BTreeMap<String, String>, name: &str) -> u64 {
    settings.get(name).and_then(|value| value.parse().ok()).unwrap_or(0)
}

fn is_on(settings: &BTreeMap<String, String>, name: &str) -> bool {
    settings.get(name).is_some_and(|value| value == "1" || value.eq_ignore_ascii_case("true"))
}

fn window(facts: &TableFacts, seen: &Seen<'_>) -> Vec<Flaw> {
    let (setting, window) = window_of(&facts.state.engine, &facts.settings);
    let mut flaws = Vec::new();
    match window {
        0 => flaws.push(Flaw::NoWindow { setting }),
        1..ENOUGH_TOKENS => flaws.push(Flaw::SmallWindow { setting, window, wanted: ENOUGH_TOKENS }),
        _ => {}
    }
    let seconds = number(&facts.settings, "replicated_deduplication_window_seconds");
    if facts.state.is_replicated() && seconds < LONG_ENOUGH {
        // If the table can be asked, only what it lacks is sent after an outage.
        let asked = seen.declared.provenance && facts.state.keeps_every_row() && facts.views.is_empty();
        flaws.push(Flaw::ShortWindow { seconds, effect: if asked { Effect::Note } else { Effect::Repeats } });
    }
    if is_on(&facts.settings, "async_insert") {
        flaws.push(Flaw::AsyncInserts);
    }
    flaws
}

/// Flaws of the two safety nets: tokens, and provenance columns.
fn nets(seen: &Seen<'_>, facts: &TableFacts) -> Option<Flaw> {
    let (consequence, effect) = if facts.state.is_replicated() {
        (TOKEN_ALONE_REPLICATED, Effect::Note)
    } else if seen.storage == Storage::Embedded {
        (TOKEN_ALONE_EMBEDDED, Effect::Repeats)
    } else {
        (TOKEN_ALONE, Effect::Loses)
    };
    if !facts.state.keeps_every_row() {
        return Some(Flaw::Collapses { engine: facts.state.engine.clone(), consequence, effect });
    }
    (!seen.declared.provenance).then_some(Flaw::NoProvenance { consequence, effect })
}

fn partition_key(seen: &Seen<'_>, facts: &TableFacts) -> Vec<Flaw> {
    let made_up = |expression: &str| -> Vec<String> {
        let calls = calls(expression).into_iter().filter(|name| MADE_UP_FUNCTIONS.contains(&name.as_str()));
        calls.map(|name| format!("{name}()")).collect()
    };
    let sent = |name: &str| seen.declared.columns.iter().any(|column| column.name == name && column.is_inserted());
    let columns =
        facts.partition_defaults.iter().filter(|(name, expression)| !sent(name) && !made_up(expression).is_empty());
    let values = columns.map(|(name, expression)| format!("{name} {expression}")).chain(made_up(&facts.partition_key));
    values.map(|value| Flaw::PartitionKey { partition_key: facts.partition_key.clone(), value }).collect()
}

fn view(facts: &ViewFacts) -> Option<Flaw> {
    let view = facts.view.clone();
    let Some(target) = &facts.target else { return Some(Flaw::ViewUnknown { view }) };
    // It stores nothing; the views behind it have findings of their own.
    if target.engine == "Null" {
        return None;
    }
    let (table, engine) = (target.table.clone(), target.engine.clone());
    if !engine.ends_with("MergeTree") {
        return Some(Flaw::ViewEngine { view, target: table, engine });
    }
    let (setting, window) = window_of(&engine, &target.settings);
    (window < ENOUGH_TOKENS).then_some(Flaw::ViewWindow { view, target: table, setting, window })
}

fn row_policies(seen: &Seen<'_>, facts: &TableFacts) -> Option<Flaw> {
    match &facts.row_policies {
        Some(policies) if policies.is_empty() => None,
        Some(policies) => Some(Flaw::RowPolicies { policies: policies.clone() }),
        // The embedded engine can't have one.
        None => (seen.storage != Storage::Embedded).then_some(Flaw::RowPoliciesUnknown),
    }
}

/// Flaws that no setting of ours can fix and that the guarantee excludes.
fn surroundings(seen: &Seen<'_>, facts: &TableFacts) -> Vec<Flaw> {
    let mut flaws = Vec::new();
    if facts.has_ttl {
        flaws.push(Flaw::Ttl);
    }
    if facts.state.is_replicated() {
        flaws.push(Flaw::NoQuorum);
    } else {
        if !is_on(&facts.settings, "fsync_after_insert") {
            flaws.push(Flaw::NotSynced);
        }
        if seen.storage != Storage::Embedded && !facts.views.is_empty() {
            let views = facts.views.iter().map(|view| view.view.clone()).collect();
            flaws.push(Flaw::ViewsOnPlainServer { views });
        }
    }
    flaws
}
