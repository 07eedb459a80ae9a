//! Dead letters in the log: the keyspace `dead-letters`, independent of the records and of their retention.
//!
//! Nothing here is counted against a stream's disk budget: a refused row without space for its letter would hold its
//! table. A key is `letter/<table>/<topic>/<epoch>/<partition>/<offset>` with numbers of equal length, so that keys
//! sort by offset. A value is the length of a JSON header (u32, big-endian), the header, and the payload.

use std::{
    collections::{BTreeMap, BTreeSet},
    ops::Bound,
};

use bytes::Bytes;
use serde::{Deserialize, Serialize};

use super::{
    Log,
    store::{Store, key::LETTERS, storage},
};
use crate::stream::{DeadLetter, DeadLetterDetails, DeadLetterKey, DeadLetterQuery, Ending, Result, StreamError};

/// Bytes of letters that are moved per commit, plus one letter.
const MOVED_AT_ONCE: usize = 4 << 20;

/// The header stored before the payload.
#[derive(Serialize, Deserialize)]
struct Header {
    version: u8,
    /// How it has ended; then there is no payload.
    ended: Option<Ending>,
    details: DeadLetterDetails,
}

fn stored_key(key: &DeadLetterKey) -> String {
    let DeadLetterKey { destination, topic, epoch, partition, offset } = key;
    format!("{LETTERS}{destination}/{topic}/{epoch:016x}/{partition:05}/{offset:020}")
}

fn read_key(stored: &[u8]) -> Option<DeadLetterKey> {
    std::str::from_utf8(stored).ok()?.strip_prefix(LETTERS)?.parse().ok()
}

fn encode(header: &Header, payload: &[u8]) -> Result<Vec<u8>> {
    let json = serde_json::to_vec(header).map_err(|source| storage("write a dead letter".to_owned(), source))?;
    let length = u32::try_from(json.len()).map_err(|source| storage("write a dead letter".to_owned(), source))?;
    Ok([length.to_be_bytes().as_slice(), &json, payload].concat())
}

fn decode(key: &DeadLetterKey, value: &[u8]) -> Result<(Header, Bytes)> {
    let damaged = |detail: &str| StreamError::Damaged {
        topic: key.topic.clone(),
        partition: key.partition,
        offset: key.offset,
        detail: format!("its dead letter for table `{}` {detail}", key.destination),
    };
    let (length, rest) = value.split_first_chunk::<4>().ok_or_else(|| damaged("is too short"))?;
    let length = usize::try_from(u32::from_be_bytes(*length)).map_err(|_| damaged("is too long"))?;
    let (json, payload) = rest.split_at_checked(length).ok_or_else(|| damaged("is cut off"))?;
    let header = serde_json::from_slice(json).map_err(|error| damaged(&format!("can't be read: {error}")))?;
    Ok((header, Bytes::copy_from_slice(payload)))
}

impl Log {
    /// Stores new letters and returns how many were new.
    pub(super) async fn store_letters(&self, letters: &[DeadLetter]) -> Result<u64> {
        let keys: Vec<String> = letters.iter().map(|letter| stored_key(&letter.key)).collect();
        let known = self.blocking("look for dead letters", move |store| {
            keys.iter().map(|key| Ok(store.letter(key)?.is_some())).collect::<Result<Vec<bool>>>()
        });
        let known = known.await?;
        let mut seen = BTreeSet::new();
        let mut writes = Vec::new();
        for (letter, known) in letters.iter().zip(known) {
            if known || !seen.insert(&letter.key) {
                continue;
            }
            let header = Header { version: 1, ended: None, details: letter.details.clone() };
            writes.push((stored_key(&letter.key), Some(encode(&header, &letter.payload)?)));
        }
        let new = writes.len() as u64;
        if new > 0 {
            self.put(writes, Vec::new()).await?;
        }
        Ok(new)
    }

    /// Moves the letters of a renamed table to its new name, including those that have ended. After an interruption,
    /// calling it again continues.
    pub(super) async fn move_letters(&self, topic: &str, former: &str, table: &str) -> Result<()> {
        if former == table {
            return Ok(());
        }
        let (from, to) = (format!("{LETTERS}{former}/{topic}/"), format!("{LETTERS}{table}/{topic}/"));
        loop {
            let (from, to) = (from.clone(), to.clone());
            let page = self.blocking("look for the dead letters of a renamed table", move |store| {
                let (mut writes, mut bytes) = (Vec::new(), 0);
                store.each_letter(Bound::Included(from.clone()), |stored, value| {
                    let Some(rest) = stored.strip_prefix(from.as_bytes()) else { return Ok(false) };
                    let rest = String::from_utf8_lossy(rest);
                    let moved = format!("{to}{rest}");
                    // Of letters with one key the first is kept.
                    if store.letter(&moved)?.is_none()
                        && let Some(key) = read_key(stored)
                    {
                        let (mut header, payload) = decode(&key, value)?;
                        // A replay under the former name may have stored it, under a token with that name.
                        header.details.maybe_stored = true;
                        writes.push((moved, Some(encode(&header, &payload)?)));
                    }
                    writes.push((format!("{from}{rest}"), None));
                    bytes += value.len();
                    Ok(bytes < MOVED_AT_ONCE)
                })?;
                Ok(writes)
            });
            let writes = page.await?;
            if writes.is_empty() {
                return Ok(());
            }
            self.put(writes, Vec::new()).await?;
        }
    }

    /// A page of letters that have not ended.
    pub(super) async fn find_letters(&self, query: DeadLetterQuery) -> Result<Vec<DeadLetter>> {
        self.blocking("list dead letters", move |store| {
            let prefix = query.destination.map_or_else(|| LETTERS.to_owned(), |table| format!("{LETTERS}{table}/"));
            let from = match &query.after {
                Some(after) => Bound::Excluded(stored_key(after).max(prefix.clone())),
                None => Bound::Included(prefix.clone()),
            };
            let mut found = Vec::new();
            if query.limit == 0 {
                return Ok(found);
            }
            store.each_letter(from, |stored, value| {
                let Some(key) = read_key(stored).filter(|_| stored.starts_with(prefix.as_bytes())) else {
                    return Ok(false);
                };
                let (header, payload) = decode(&key, value)?;
                if header.ended.is_none() {
                    found.push(DeadLetter { key, payload, details: header.details });
                }
                Ok(found.len() < query.limit)
            })?;
            Ok(found)
        })
        .await
    }

    /// A letter that has not ended.
    pub(super) async fn find_letter(&self, key: DeadLetterKey) -> Result<Option<DeadLetter>> {
        self.blocking("read a dead letter", move |store| {
            let Some(value) = store.letter(&stored_key(&key))? else { return Ok(None) };
            let (header, payload) = decode(&key, &value)?;
            Ok(header.ended.is_none().then_some(DeadLetter { key, payload, details: header.details }))
        })
        .await
    }

    /// Offsets that have a letter, and how that has ended, if it has.
    pub(super) async fn letter_offsets(
        &self,
        first: &DeadLetterKey,
        last: u64,
    ) -> Result<BTreeMap<u64, Option<Ending>>> {
        let from = stored_key(first);
        let to = stored_key(&DeadLetterKey { offset: last, ..first.clone() });
        self.blocking("look for dead letters", move |store| {
            let mut found = BTreeMap::new();
            store.each_letter(Bound::Included(from), |stored, value| {
                if stored > to.as_bytes() {
                    return Ok(false);
                }
                if let Some(key) = read_key(stored) {
                    found.insert(key.offset, decode(&key, value)?.0.ended);
                }
                Ok(true)
            })?;
            Ok(found)
        })
        .await
    }

    /// Deletes the payloads and keeps the keys. Returns how many had not ended before.
    pub(super) async fn end_letters(&self, keys: &[DeadLetterKey], ending: Ending) -> Result<u64> {
        let keys: BTreeSet<DeadLetterKey> = keys.iter().cloned().collect();
        let writes = self.blocking("end dead letters", move |store| {
            let mut writes = Vec::new();
            for key in keys {
                let Some(value) = store.letter(&stored_key(&key))? else { continue };
                let (header, _payload) = decode(&key, &value)?;
                if header.ended.is_none() {
                    let header = Header { ended: Some(ending), ..header };
                    writes.push((stored_key(&key), Some(encode(&header, b"")?)));
                }
            }
            Ok(writes)
        });
        let writes = writes.await?;
        let ended = writes.len() as u64;
        if ended > 0 {
            self.put(writes, Vec::new()).await?;
        }
        Ok(ended)
    }
}

impl Store {
    fn letter(&self, key: &str) -> Result<Option<fjall::UserValue>> {
        self.letters().get(key).map_err(|source| storage(format!("read `{key}` of the stream"), source))
    }

    /// Passes on keys and values from `from` on, until told to stop.
    fn each_letter(&self, from: Bound<String>, mut take: impl FnMut(&[u8], &[u8]) -> Result<bool>) -> Result<()> {
        let action = || "read the dead letters of the stream".to_owned();
        for entry in self.letters().range::<String, _>((from, Bound::Unbounded)) {
            let (key, value) = entry.into_inner().map_err(|source| storage(action(), source))?;
            if !take(&key, &value)? {
                break;
            }
        }
        Ok(())
    }
}
