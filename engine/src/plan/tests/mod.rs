//! The laws of planning over generated states, and the readable cases.

mod cases;
mod laws;
mod world;
