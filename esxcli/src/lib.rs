//! Grammar of esxcli: typed commands to arguments, and output text to typed records.
//!
//! Owns: every esxcli word, option, message and output format, from 6.7 to 9.0. Must not run a
//! process, do I/O, read a clock or decide what to change. Called by the agent (which runs what is
//! spelled here) and the coordinator (which shows it).
//!
//! | question | place |
//! |---|---|
//! | which arguments is this change? | [`command`] |
//! | which reads exist, what are they called in recorded sets? | [`query`] |
//! | can this address be reached from that adapter? | [`diag`] |
//! | how is an output read? | [`output`] (five formats, one form), then `vswitch`, `nic`, ... |
//! | what does this failure mean? | [`error`] |
//! | which reads make an observation, and how is it put together? | [`observe`] |
#![warn(missing_docs)]

pub mod argv;
pub mod command;
pub mod diag;
pub mod error;
pub mod formatter;
pub mod netstack;
pub mod nic;
pub mod observe;
pub mod output;
pub mod portgroup;
pub mod query;
pub mod recordings;
pub mod records;
pub mod system;
pub mod typed;
pub mod vm;
pub mod vmknic;
pub mod vswitch;

pub use argv::{ArgvError, display};
pub use command::argv;
pub use error::{EsxcliFailure, FailureKind, classify};
pub use formatter::Formatter;
pub use output::{Record, Value};
pub use query::{Query, QueryError, ReadCommand};
