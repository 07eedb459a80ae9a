//! Options of applying migrations, among them the operator's answer about a statement in doubt.

use crate::schema::Storage;

/// The operator's answer about a statement whose outcome can't be found out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum InDoubt {
    /// It took effect.
    Done,
    /// It did not: run it again.
    Again,
}

/// Options of applying migrations.
#[derive(Clone, Copy, Debug)]
pub struct Options {
    /// The kind of server that stores the tables.
    pub storage: Storage,
    /// No other process can be filling the tables.
    pub alone: bool,
    /// The answer about a statement whose outcome can't be found out.
    pub in_doubt: Option<InDoubt>,
}
