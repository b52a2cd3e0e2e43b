//! The rollout machine: a change goes to its hosts wave by wave, and stops when a host fails.
//!
//! Owns: the waves, who gets an order next, when a wave is done, when all stops. Must not: send,
//! store, wait, or read a clock; the caller stores the state after every call of
//! [`RolloutState::handle`], *before* it performs the effects. Called by the coordinator's rollout driver.
//!
//! | Phase | New orders | Leaves it by |
//! |---|---|---|
//! | `Pending` | no | `Start`, `Pause`, `Abort` |
//! | `Running` | yes | wave done (`Soaking`, or the next wave), a failure (`Halted`), `Pause`, `Abort`, all committed |
//! | `Soaking` | no | the soak is over (`Running`), a failure (`Halted`), `Pause`, `Abort` |
//! | `Paused` | no | `Resume`, a failure (`Halted`), `Abort`, all committed |
//! | `Halted` | no | `Resume`, `Abort`, all committed |
//! | `Aborted`, `Completed` | no | never; late outcomes are still noted |
//!
//! Decisions worth knowing:
//!
//! - **In flight from the effect on.** A host counts as in flight from `Effect::SendOrder`, so a crash between
//!   storing and sending leads to a second order, never to a forgotten one. Hosts know orders by generation.
//! - **A lost stream is not an end.** A host in flight whose stream broke gets its order again when it returns. Gone for
//!   longer than the confirm window plus [`UNREACHABLE_GRACE`], it is *lost*: it counts as a failure until it
//!   returns, since the change may be what cut it off.
//! - **Busy is not a failure.** A host that still ends an earlier change refuses the order; it gets it again after
//!   [`BUSY_RETRY`]. Every other refusal counts as a failure, a changed plan too.
//! - **An unreachable host does not stall.** A host of the running wave without a stream for [`UNREACHABLE_GRACE`] is
//!   passed over and catches up when it returns, in any later wave and after the last one. Only a canary
//!   wave without one committed host holds, with a reason that names the way on.
//! - **`Completed` means every host committed.** After the last wave a rollout with unreachable hosts stays
//!   `Running` and [`RolloutState::is_catching_up`]; one in which every host has ended, some of them failed
//!   within the budget, is `Halted` with a reason.
//! - **`Resume` after a halt goes on with the rest.** Failed hosts are left as they are and no longer count
//!   against the budget; a new change is the way to try them again.

mod effect;
mod event;
mod gate;
mod state;
mod wave;

pub use effect::Effect;
pub use event::{Event, EventKind, NotSent};
pub use state::{RolloutState, WaveTimes};
pub use wave::{RolloutHost, Work};

use model::Millis;

/// How long a host of the running wave may be without a stream before the wave goes on without it.
pub const UNREACHABLE_GRACE: Millis = Millis(30_000);
/// Wait before an order is offered again to a host whose queue was full.
pub const SEND_RETRY: Millis = Millis(1_000);
/// Wait before an order is offered again to a host that is busy with an earlier change.
pub const BUSY_RETRY: Millis = Millis(5_000);
/// Most hosts named in a reason; the others are counted.
pub const REASON_HOSTS_MAX: usize = 5;

#[cfg(test)]
mod tests;
