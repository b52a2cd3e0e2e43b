//! The way to the coordinator: TLS, the long stream, the fresh connection of a confirmation, enrolment.
//!
//! Owns: sockets, certificates and every wire type of the agent. Must not: decide about the host.
//! Called by the event loop through [`stream`] and [`confirm`], and by the command line.

pub mod backoff;
pub mod confirm;
pub mod connect;
pub mod enrol;
mod receipt;
pub mod stream;
pub mod tls;
