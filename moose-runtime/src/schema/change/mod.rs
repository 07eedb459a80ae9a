//! Plans a change of schema: what changes, what it risks, in which order it is done, and the statements for it.
//!
//! Each stage is data that the next one reads, and none has input or output besides:
//!
//! 1. [`diff`] compares the recorded tables with the declared ones: a [`TableChange`] for each table that changes, with
//!    its [`Change`]s, or a [`Refusal`] for each change that needs a word of the author;
//! 2. [`Change::risk`] says what a change does to the rows that are there;
//! 3. [`plan`](fn@plan) decides how each table is brought along, in place or by a new table, and gives a [`Plan`] of
//!    [`PlanStep`]s;
//! 4. the text of a plan ([`Display`](std::fmt::Display)) is what stands in a migration.
//!
//! Every statement can be repeated after a kill in its middle, except for three kinds, which the runner must know:
//! `INSERT … SELECT` into `<table>__new_<number>` (empty that table first; nobody else writes to it), `EXCHANGE` and
//! `RENAME` (check which table has which uuid), and `MODIFY COLUMN … REMOVE …` and `REMOVE TTL`, which fail with code
//! 36 where they were already done.

mod alter;
mod columns;
mod difference;
mod elements;
mod fit;
mod guard;
mod model;
mod plan;
mod rebuild;
mod refusal;
mod step;
#[cfg(test)]
mod tests;

pub use difference::{Declared, Recorded, diff};
pub use fit::Fit;
pub use model::{Change, Position, Risk, TableChange};
pub use plan::{Plan, TablePlan, plan};
pub use refusal::Refusal;
pub use step::PlanStep;
