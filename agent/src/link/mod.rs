//! The way to the coordinator: TLS, the long stream, the fresh connection of a confirmation, enrolment, renewal.
//!
//! Owns: sockets, certificates and every wire type of the agent. Must not: decide about the host.
//! Called by the event loop through [`stream`], [`confirm`] and [`renew`], and by the command line.

pub mod backoff;
pub mod certificate;
pub mod confirm;
pub mod connect;
pub mod enrol;
mod fresh;
mod join;
mod key;
mod pin;
mod receipt;
pub mod renew;
pub mod stream;
pub mod tls;
