//! The SQL store: everything the coordinator must remember, on SQLite or PostgreSQL.
//!
//! Owns: the connection pools, every SQL statement (`sql`), the private row types and their conversion to the types of
//! `model`, and one module of free functions per aggregate. Must not: decide anything, read a clock, or depend on another
//! coordinator module. Called by the tasks, the fleet service, the API and the operator commands.
//!
//! Reads take a [`Db`] and see what is committed. Writes take a [`Tx`], one transaction that keeps all or nothing:
//! `let mut tx = db.begin().await?; ...; tx.commit().await?`. A [`Tx`] that is dropped is rolled back. Never begin a second
//! one while holding one: on SQLite there is a single writer. "Not there" is `Ok(None)` for reads and
//! [`StoreError::NotFound`] for writes. A row that cannot be understood is [`StoreError::Inconsistent`], never a panic.
//!
//! Durability: a commit is on disk when it returns, on both engines (`synchronous = FULL`, `synchronous_commit = on`),
//! because generations and acknowledgements leave the machine right after it. What arrives often goes through
//! [`writer`], which pays for one flush per group of reports.

#[macro_use]
mod db;
mod error;
mod row;
mod sql;

pub mod api_tokens;
pub mod approvals;
pub mod approvers;
pub mod audit;
pub mod census;
pub mod changes;
pub mod drift;
pub mod hosts;
pub mod identities;
pub mod inbox;
pub mod leases;
pub mod logins;
pub mod meta;
mod object_rows;
pub mod observations;
pub mod outcomes;
pub mod plans;
pub mod pulls;
pub mod releases;
pub mod retention;
pub mod rfcs;
pub mod rollouts;
pub mod sessions;
pub mod tokens;
pub mod undone;
pub mod users;
pub mod witness_waivers;
pub mod writer;

#[cfg(test)]
mod tests;

pub use db::{Db, DbSettings, Tx};
pub use error::{OpenDbError, StoreError};
