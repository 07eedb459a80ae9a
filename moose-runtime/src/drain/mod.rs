//! Draining a table: INSERTs are paused for a change that must not meet any, and resumed after it.
//!
//! The two sides communicate through the database alone. The side that changes the table holds a [`Gate`]; every
//! process that fills it keeps a [`Drains`].
//!
//! 1. The gate creates the *marker*, a table named after the drained one, whose comment says who drains until when.
//!    Every process looks for markers each second. It starts no new range for the table, finishes those on their way,
//!    and reports their number in a row of the marker.
//! 2. When all processes that responded have none left, or after a timeout, the gate adds the *bar*: a constraint that
//!    no row passes. From then on the server itself refuses every INSERT into the table, also from processes that have
//!    not looked, were frozen, or know nothing of all this. Only statements that already run are left, and the server's
//!    process list says when they have ended.
//! 3. The change: a copy, an exchange. Which table replaces which is noted before ([`Successor`]), so that cursors
//!    recognise the new one.
//! 4. The gate removes the bar and the marker. Workers continue at the same offset; what was on its way is settled by
//!    asking the new table.
//!
//! Safety depends on the bar alone; the rest keeps the pause short and tidy. The gate renews the marker's lease. A
//! drain whose lease has expired has no owner any more, and the first process that sees that lifts it: it drops the
//! owner's fence and the half-made copy, so that an owner that comes back can't put it in place; then bar and marker.
//! All of these have names that belong to one drain, so a late lift removes nothing of the next one.

mod aside;
mod error;
mod feeders;
mod fence;
mod gate;
mod marker;
mod successor;
mod watch;

pub use aside::{copy_name, drop_copy, is_copy, left_copies, sweep_copies, sweep_empty_copies};
pub use error::DrainError;
pub use fence::Fence;
pub use gate::{Gate, Order};
pub use marker::{Phase, is_bar, lease, new_id, sweep_bars, sweep_markers, without_bars};
pub use successor::Successor;
pub use watch::{Drains, OnItsWay};
