//! The laws of planning over generated states, and the readable cases.

/// What `world` needs; it is also used by the system tests, which reach it from outside.
mod api {
    pub use crate::plan::{Planned, plan};
    pub use crate::project::project;
}

mod cases;
mod digest;
mod kernel;
mod laws;
mod outcome;
pub(crate) mod world;
