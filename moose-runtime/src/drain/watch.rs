//! The watch, the side that fills tables: looks for drains each second, tells the workers, and reports for them.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

use tokio::{
    sync::watch,
    time::{Instant, MissedTickBehavior},
};

use super::{
    DrainError, Phase, gate,
    marker::{self, Marker, name_of},
};
use crate::{
    clickhouse::Client,
    schema::{quote_identifier, quote_string},
    shutdown::Shutdown,
    telemetry::{Component, Health, Reason},
};

/// Interval of looking for drains: one small query for all tables of the process.
const LOOK_EVERY: Duration = Duration::from_secs(1);

/// Which tables are drained, as far as this process knows, and which ranges it has on their way. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Drains {
    state: watch::Sender<State>,
}

#[derive(Clone, Debug, Default)]
struct State {
    drained: BTreeMap<String, Phase>,
    /// Ranges that are written down and not in the table yet, by table.
    on_their_way: BTreeMap<String, u64>,
    /// How many drains have ended, by table.
    ended: BTreeMap<String, u64>,
}

impl Default for Drains {
    fn default() -> Self {
        Self { state: watch::Sender::new(State::default()) }
    }
}

/// A range on its way, until dropped.
#[derive(Debug)]
pub struct OnItsWay {
    drains: Drains,
    table: String,
}

impl Drop for OnItsWay {
    fn drop(&mut self) {
        self.drains.count(&self.table, |ranges| ranges.saturating_sub(1));
    }
}

impl Drains {
    /// Begins a range; `None` while the table is drained.
    pub fn begin(&self, table: &str) -> Option<OnItsWay> {
        let mut begun = false;
        // Under the lock: a drain is seen either here or by the next count.
        self.state.send_if_modified(|state| {
            if !state.drained.contains_key(table) {
                *state.on_their_way.entry(table.to_owned()).or_default() += 1;
                begun = true;
            }
            false
        });
        begun.then(|| OnItsWay { drains: self.clone(), table: table.to_owned() })
    }

    /// Continues a range that was written down before.
    pub fn go_on(&self, table: &str) -> OnItsWay {
        self.count(table, |ranges| ranges.saturating_add(1));
        OnItsWay { drains: self.clone(), table: table.to_owned() }
    }

    fn count(&self, table: &str, change: impl Fn(u64) -> u64) {
        self.state.send_if_modified(|state| {
            let ranges = state.on_their_way.entry(table.to_owned()).or_default();
            *ranges = change(*ranges);
            false
        });
    }

    /// Resolves when the table is not drained.
    pub async fn opened(&self, table: &str) {
        // The channel can't close while `self` holds its sender.
        drop(self.state.subscribe().wait_for(|state| !state.drained.contains_key(table)).await);
    }

    /// Resolves when INSERTs into the table may be sent.
    pub async fn passable(&self, table: &str) {
        let closed = |state: &State| state.drained.get(table) == Some(&Phase::Closed);
        drop(self.state.subscribe().wait_for(|state| !closed(state)).await);
    }

    /// Whether the table is drained.
    pub fn is_drained(&self, table: &str) -> bool {
        self.state.borrow().drained.contains_key(table)
    }

    /// How many drains of the table have ended: after each it may be another table.
    pub fn ended(&self, table: &str) -> u64 {
        self.state.borrow().ended.get(table).copied().unwrap_or(0)
    }

    /// Asks the database, for what the bar does not stop; an error while the table is drained.
    pub async fn ask(client: &Client, table: &str) -> Result<(), DrainError> {
        let (markers, _) = marker::all(client).await?;
        let drained = markers.iter().any(|marker| marker.table == table);
        if drained { Err(DrainError::Drained { table: table.to_owned() }) } else { Ok(()) }
    }

    fn on_their_way(&self, table: &str) -> u64 {
        self.state.borrow().on_their_way.get(table).copied().unwrap_or(0)
    }

    fn set(&self, drained: BTreeMap<String, Phase>) {
        self.state.send_if_modified(|state| {
            let news = state.drained != drained;
            for table in state.drained.keys().filter(|table| !drained.contains_key(*table)) {
                *state.ended.entry(table.clone()).or_default() += 1;
            }
            state.drained = drained;
            news
        });
    }

    /// Looks for drains of `tables` until shutdown, tells the workers, and reports as `instance`.
    pub async fn watch(&self, client: Client, tables: Vec<String>, instance: String, health: &Health, stop: Shutdown) {
        let mut watcher =
            Watcher { drains: self, client, tables, instance, health, answered: BTreeMap::new(), bars: None };
        let mut ticks = tokio::time::interval(LOOK_EVERY);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        while stop.unless_signalled(ticks.tick()).await.is_some() {
            match Box::pin(stop.unless_signalled(watcher.look())).await {
                Some(Err(error)) => tracing::debug!(%error, "failed to look for drained tables"),
                Some(Ok(())) => {}
                None => return,
            }
        }
    }
}

struct Watcher<'a> {
    drains: &'a Drains,
    client: Client,
    tables: Vec<String>,
    instance: String,
    health: &'a Health,
    /// The last report, by table, owner and id of the drain: two drains by one owner in a row get a report each.
    answered: BTreeMap<[String; 3], u64>,
    /// When bars without a marker were last looked for, and those found.
    bars: Option<(Instant, BTreeSet<(String, String)>)>,
}

fn key_of(marker: &Marker) -> [String; 3] {
    [marker.table.clone(), marker.owner.clone(), marker.id.clone()]
}

impl Watcher<'_> {
    async fn look(&mut self) -> Result<(), DrainError> {
        let (markers, now) = marker::all(&self.client).await?;
        let ours = |marker: &&Marker| self.tables.contains(&marker.table);
        let (valid, over): (Vec<Marker>, Vec<Marker>) =
            markers.iter().filter(ours).cloned().partition(|marker| marker.until > now);
        let drained = valid.iter().chain(&over).map(|marker| (marker.table.clone(), marker.phase)).collect();
        self.drains.set(drained);
        self.answered.retain(|key, _| valid.iter().any(|marker| key_of(marker) == *key));
        for table in &self.tables {
            if !markers.iter().any(|marker| marker.table == *table) {
                self.health.recovered(&component(table));
            }
        }
        for marker in &valid {
            let Marker { table, owner, reason, .. } = marker;
            let text = format!("drained for {reason} by {owner}: records wait in the stream until that is done");
            self.health.failed(&component(table), Reason::Drained, text);
            self.answer(marker).await?;
        }
        for marker in over {
            self.lift(&marker).await?;
        }
        self.take_bars_away().await
    }

    /// Removes bars that had no marker for as long as a lease: those of a runner that was frozen, added its bar late,
    /// and died.
    async fn take_bars_away(&mut self) -> Result<(), DrainError> {
        if self.bars.as_ref().is_some_and(|(looked, _)| looked.elapsed() < marker::lease()) {
            return Ok(());
        }
        let found = marker::orphaned_bars(&self.client).await?;
        for (table, drain) in self.bars.iter().flat_map(|(_, before)| before.intersection(&found)) {
            marker::unbar(&self.client, table, drain).await?;
            tracing::warn!(table, "took the bar of a drain away that nobody knows of any more");
        }
        self.bars = Some((Instant::now(), found));
        Ok(())
    }

    /// Reports how many ranges are on their way, if that has changed.
    async fn answer(&mut self, marker: &Marker) -> Result<(), DrainError> {
        let ranges = self.drains.on_their_way(&marker.table);
        let key = key_of(marker);
        if self.answered.get(&key) == Some(&ranges) {
            return Ok(());
        }
        let (name, instance) = (name_of(&marker.table), quote_string(&self.instance));
        let sql = format!("INSERT INTO {name} (instance, ranges) VALUES ({instance}, {ranges})");
        self.client.note(&sql).await?;
        self.answered.insert(key, ranges);
        Ok(())
    }

    /// Lifts a drain whose lease has expired.
    async fn lift(&self, marker: &Marker) -> Result<(), DrainError> {
        let Marker { table, owner, reason, id, .. } = marker;
        let Err(error) = gate::lift(&self.client, marker).await else { return Ok(()) };
        let (quoted, name) = (quote_identifier(table), name_of(table));
        let text = format!(
            "drained for {reason} by {owner}, who is gone, and it can't be lifted: {error}; run `migrate apply`, or \
             `ALTER TABLE {quoted} DROP CONSTRAINT IF EXISTS _moose_drain, DROP CONSTRAINT IF EXISTS _moose_drain_{id}` and \
             then `DROP TABLE {name}`"
        );
        self.health.failed(&component(table), Reason::Drained, text);
        Err(error)
    }
}

fn component(table: &str) -> Component {
    Component::Drain { table: table.to_owned() }
}

#[cfg(test)]
mod tests {
    use std::future::poll_fn;

    use super::*;

    fn drained(phase: Phase) -> BTreeMap<String, Phase> {
        BTreeMap::from([("a".to_owned(), phase)])
    }

    async fn is_ready(future: impl Future<Output = ()>) -> bool {
        let mut future = Box::pin(future);
        poll_fn(|context| std::task::Poll::Ready(future.as_mut().poll(context).is_ready())).await
    }

    #[tokio::test]
    async fn a_drained_table_begins_nothing_and_brings_what_is_on_its_way_to_its_end() {
        let drains = Drains::default();
        let range = drains.begin("a").unwrap();
        drains.set(drained(Phase::Draining));
        assert!(drains.begin("a").is_none() && drains.begin("b").is_some());
        assert!(is_ready(drains.passable("a")).await, "what is on its way goes on");
        assert!(!is_ready(drains.opened("a")).await);
        let again = drains.go_on("a");
        assert_eq!(drains.on_their_way("a"), 2);
        drop((range, again));
        assert_eq!(drains.on_their_way("a"), 0);
        drains.set(drained(Phase::Closed));
        assert!(!is_ready(drains.passable("a")).await);
        drains.set(BTreeMap::new());
        assert!(is_ready(drains.opened("a")).await && drains.begin("a").is_some());
        assert_eq!((drains.ended("a"), drains.ended("b")), (1, 0));
    }
}
