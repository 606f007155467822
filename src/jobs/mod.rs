//! Jobs in the shell. [`make()`] makes one with its execution so that neither is ever there without
//! the other, [`standing`] tells where one stands at this moment, [`sweep`] finishes what was cut
//! off, [`transitions`] says what may become of one that has no execution.
//!
//! How making is safe. The execution's id is drawn first and the job's row written with it, unseen.
//! Then the execution starts under that id. Then the row is begun, by the request or, when that was
//! cut off, by the trigger of the execution's row or the cron: from then on it is seen. A start
//! that is refused takes the row away. So a row without an execution is never seen, and an
//! execution always has its row.

mod make;
pub mod standing;
mod sweep;
pub mod transitions;

pub use make::{Made, Making, by_key, key_of, make};
pub use sweep::sweep_if_due;
