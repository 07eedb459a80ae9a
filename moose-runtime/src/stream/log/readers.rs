//! The readers of a topic: listing them, and forgetting one that no longer exists.

use std::collections::BTreeSet;

use super::{
    Log,
    job::CursorMove,
    store::{key, storage},
};
use crate::stream::{Cursor, Reader, Result};

/// The table that a group fills.
fn table_of(group: &str) -> &str {
    group.rsplit_once('/').map_or(group, |(_, table)| table)
}

impl Log {
    /// Every group with a cursor or a registration, for each partition.
    pub(super) async fn find_readers(&self, topic: &str) -> Result<Vec<Reader>> {
        let open = self.shared.topic(topic)?;
        self.blocking(&format!("list the readers of topic `{topic}`"), move |store| {
            let mut groups: BTreeSet<String> =
                store.scan::<()>(&key::groups(open.epoch))?.into_iter().map(|(group, ())| group).collect();
            groups.extend(open.partitions.iter().flat_map(|partition| partition.groups()));
            let mut readers = Vec::new();
            for group in groups {
                for partition in &open.partitions {
                    let cursor = store.get(&key::cursor(partition.key, &group))?;
                    readers.push(Reader { group: group.clone(), partition: partition.key.1, cursor });
                }
            }
            Ok(readers)
        })
        .await
    }

    /// Deletes a reader's cursors and its registration, and moves the cursors to `heir`, in one commit. Where the
    /// reader had no cursor, the heir keeps its own.
    pub(super) async fn forget(&self, topic: &str, group: &str, heir: Option<&str>) -> Result<bool> {
        let known = self.find_readers(topic).await?.iter().any(|reader| reader.group == group);
        if !known || heir == Some(group) {
            return Ok(known);
        }
        if let Some(heir) = heir {
            self.move_letters(topic, table_of(group), table_of(heir)).await?;
        }
        let open = self.shared.topic(topic)?;
        let action = format!("forget `{group}` as a reader of topic `{topic}`");
        let (gone, heir, topic) = (group.to_owned(), heir.map(str::to_owned), topic.to_owned());
        let (writes, moves) = self
            .blocking(&action.clone(), move |store| {
                let mut writes = vec![(key::group(open.epoch, &gone), None)];
                if let Some(heir) = &heir {
                    writes.push((key::group(open.epoch, heir), Some(b"null".to_vec())));
                }
                let mut moves = Vec::new();
                for partition in &open.partitions {
                    let place = key::cursor(partition.key, &gone);
                    if let Some(heir) = &heir {
                        partition.know_group(heir);
                        if let Some(value) = store.value(&place)? {
                            let failed = |source| storage(action.clone(), source);
                            let mut cursor: Cursor = serde_json::from_slice(&value).map_err(failed)?;
                            // Its tokens keep their prefix, whichever group has it now.
                            cursor.id.get_or_insert_with(|| Cursor::id_of_names(&gone, &topic));
                            let value = serde_json::to_vec(&cursor).map_err(failed)?;
                            writes.push((key::cursor(partition.key, heir), Some(value)));
                            moves.push(CursorMove::to(partition, heir, cursor.next));
                        }
                    }
                    writes.push((place, None));
                    moves.push(CursorMove::forgotten(partition, &gone));
                }
                Ok((writes, moves))
            })
            .await?;
        self.put(writes, moves).await?;
        Ok(true)
    }
}
