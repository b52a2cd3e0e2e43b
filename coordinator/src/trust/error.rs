//! What can go wrong with the authority, in words that say what to do.

use std::path::PathBuf;

/// Why the authority cannot be made, opened, or asked.
#[derive(Debug, thiserror::Error)]
pub enum TrustError {
    /// A file of an authority is already there.
    #[error("{} exists: an authority is never overwritten; use it, or move it away first", path.display())]
    AlreadyThere {
        /// The file.
        path: PathBuf,
    },
    /// A file of the authority is missing.
    #[error("{} is missing: make an authority with `pointsman ca init`, or restore all of its files", path.display())]
    Missing {
        /// The file.
        path: PathBuf,
    },
    /// A key that others may read.
    #[error("{} may be read by others (mode {mode:o}): run `chmod 600` on it", path.display())]
    KeyExposed {
        /// The key file.
        path: PathBuf,
        /// Its permission bits.
        mode: u32,
    },
    /// A file that cannot be read or written.
    #[error("cannot {action} {}: {source}", path.display())]
    File {
        /// What was tried.
        action: &'static str,
        /// The file.
        path: PathBuf,
        /// Why not.
        source: std::io::Error,
    },
    /// A file with other content than expected.
    #[error("{} is damaged: {detail}; restore it from a backup", path.display())]
    Damaged {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        detail: String,
    },
    /// Certificate and key of the authority are not a pair.
    #[error("the certificate and the key in {} are not a pair: restore both from the same backup", dir.display())]
    NotAPair {
        /// The folder.
        dir: PathBuf,
    },
    /// A sealed key that does not open.
    #[error("{} is sealed and cannot be opened: {detail}", path.display())]
    Sealed {
        /// The file.
        path: PathBuf,
        /// Why not.
        detail: String,
    },
    /// A sealed key, or a wish to seal one, and no passphrase.
    #[error("keys are sealed with a passphrase and none is set: say `ca_passphrase_file` in the settings")]
    NoPassphrase,
    /// A passphrase that is none.
    #[error("a passphrase needs at least {least} characters")]
    ShortPassphrase {
        /// The least, in bytes.
        least: usize,
    },
    /// An authority whose certificates hosts or coordinator would refuse.
    #[error("the authority cannot be used: {detail}; see `pointsman ca renew` and `pointsman ca import`")]
    Unfit {
        /// What is wrong.
        detail: String,
    },
    /// A name that cannot stand in a certificate.
    #[error("`{name}` cannot be a {what} in a certificate: use a DNS name of a-z 0-9 . -, or an address")]
    BadName {
        /// What it was meant for.
        what: &'static str,
        /// The text.
        name: String,
    },
    /// A certificate request that is not acceptable.
    #[error("the certificate request of {host} is not acceptable: {detail}; make a new one on the host")]
    BadRequest {
        /// The host it is for.
        host: model::HostId,
        /// What is wrong.
        detail: String,
    },
    /// The operating system gives no random bytes.
    #[error("the operating system gives no random bytes: no key or token can be made")]
    NoRandomness,
    /// The cryptographic library failed.
    #[error("cannot {action}: {detail}")]
    Crypto {
        /// What was tried.
        action: &'static str,
        /// What the library said.
        detail: String,
    },
}
