//! Sends the INSERT of the next range ahead of its turn, while the one before is on its way.
//!
//! Only where nothing is in doubt, and only for a range that is written down. An INSERT sent ahead has no effect until
//! its turn: any failure before cancels it, and the range is then sent as if it had not been.

use super::{
    Prepared, SyncError,
    courier::{Courier, Sent},
};
use crate::{
    clickhouse::TableState,
    fault::{self, Point},
};

impl Courier {
    /// Sends the INSERT of a range that is written down, all but its last byte, unless something is in the way. False
    /// if a later attempt may succeed: too little is known of the table yet.
    pub(super) fn send_ahead(&self, range: &Prepared) -> bool {
        if range.rows() == 0 || !self.assignment.lease.is_held() || self.is_drained() || self.may_have(range.first) {
            return true;
        }
        let Some((state, settings)) = self.target.at_hand() else { return false };
        let token = self.assignment.token(range.first, range.last);
        let insert = self.insert_of(&self.assignment.table.name, Some(&token), range.body.clone(), &settings);
        let insert = self.shared.client.insert().send_ahead(&insert);
        self.next.put(insert.map(|insert| Sent { first: range.first, table: state.uuid, insert }));
        fault::point(Point::InsertAhead);
        true
    }

    /// Cancels the INSERT that was sent ahead.
    pub(super) fn take_back(&self) {
        self.next.put(None);
    }

    /// Completes the INSERT of a range that was sent ahead, now that it is its turn. False if there is none, or none
    /// that is still valid.
    pub(super) async fn send_end(&self, range: &Prepared, state: &TableState) -> Result<bool, SyncError> {
        let Some(sent) = self.next.take().filter(|sent| sent.first == range.first && sent.table == state.uuid) else {
            return Ok(false);
        };
        fault::point(Point::InsertBefore);
        let started = self.begin_to_send()?;
        match self.shared.client.insert().send_end(sent.insert, self.patience()).await {
            Some(answer) => answer.map_err(SyncError::Insert)?,
            None => return Ok(false),
        }
        self.answered(started.elapsed());
        Ok(true)
    }
}
