//! Draining a table: for a change that must not meet INSERTs, they are held off, and come afterwards.
//!
//! Two sides meet in the database, and nowhere else. Whoever changes the table holds a [`Gate`]; every process that fills
//! it keeps a [`Drains`].
//!
//! 1. The gate makes the *marker*, a table named after the drained one, whose comment says who drains until when. Every
//!    process looks for markers each second. It writes down no new range of the table, brings those on their way to their
//!    end, and answers with their number by a row in the marker.
//! 2. When all who answered have none left, or after a time, the gate puts the *bar* up: a constraint that no row passes.
//!    From then on the server itself refuses every INSERT of the table, of processes that have not looked, that stood
//!    still, or that know nothing of all this. Only what it runs already is left, and its list of processes says when that
//!    has ended.
//! 3. The change: a copy, an exchange. Which table takes whose place is noted before ([`Successor`]), so that cursors
//!    know the new one.
//! 4. The gate takes the bar and the marker away. Workers go on at the same offset; what was on its way is settled by
//!    asking the new table.
//!
//! So that nothing is lost rests on the bar alone; the rest makes it short and tidy. The gate renews the marker. One that
//! is not renewed has no owner any more, and whoever sees that first lifts it: the owner's fence is cut and the half-made
//! copy dropped, so that an owner that comes back can't put it in place; then bar and marker go. All of these have names
//! of the drain's own: who lifts it late takes nothing from the next one.

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
