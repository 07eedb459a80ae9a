//! Options of applying migrations, among them the operator's answer about a statement in doubt.

use crate::schema::Storage;

/// What an operator says of a statement whose outcome can't be found out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum InDoubt {
    /// It took effect.
    Done,
    /// It did not: run it again.
    Again,
}

/// How to apply migrations.
#[derive(Clone, Copy, Debug)]
pub struct Options {
    /// Where the tables lie.
    pub storage: Storage,
    /// Nobody else can be filling the tables.
    pub alone: bool,
    /// About a statement whose outcome can't be found out.
    pub in_doubt: Option<InDoubt>,
}
