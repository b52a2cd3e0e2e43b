//! Adoption: documents for hosts as they are, so that the first plan is empty on every one of them.
//!
//! Owns: describing a host (`describe`, `fit`, `unknown`), which hosts belong together (`shape`, `mine`, `name`), what
//! they have in common (`fold`, `uplinks`, `subnets`, `trim`), where they are unlike (`outlier`), and the texts with their proof
//! (`files`, `request`). Must not: do I/O or turn a fact that was not read into desired state. Called by the import verb.

mod describe;
mod files;
mod fit;
mod fold;
mod mine;
mod name;
mod outlier;
mod request;
mod shape;
mod subnets;
mod trim;
mod unknown;
mod uplinks;

pub use files::{AdoptError, Adopted, Files, HostLabels, Proof, Prover, adopt};
pub use mine::{Hints, Mined, mine};
pub use outlier::{Cause, Outlier};
pub use request::request;

#[cfg(test)]
mod fleet;
#[cfg(test)]
mod testkit;
#[cfg(test)]
mod tests;
