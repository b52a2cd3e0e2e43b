//! Why a coordinator cannot be started, in words that say what to do.

use crate::doors::DoorTlsError;
use crate::people::oidc::OidcSetupError;
use crate::store::OpenDbError;
use crate::tasks::repo_sync::OpenError;
use crate::trust::TrustError;
use std::net::SocketAddr;
use std::path::PathBuf;

/// Why a coordinator cannot be started.
#[derive(Debug, thiserror::Error)]
pub enum ServeError {
    /// The state folder.
    #[error("the state folder {} cannot be made: {source}", path.display())]
    StateDir {
        /// The folder.
        path: PathBuf,
        /// Why not.
        source: std::io::Error,
    },
    /// The operators' token.
    #[error("the operators' token {} cannot be used: {detail}", path.display())]
    Token {
        /// The file.
        path: PathBuf,
        /// What is wrong and what to do.
        detail: String,
    },
    /// The name among several coordinators.
    #[error("the name of this coordinator {} cannot be used: {detail}", path.display())]
    Name {
        /// The file.
        path: PathBuf,
        /// What is wrong and what to do.
        detail: String,
    },
    /// The authority.
    #[error(transparent)]
    Trust(#[from] TrustError),
    /// The authority is another one's.
    #[error(
        "the authority is for `{found}`, the settings say trust_domain = `{wanted}`: correct the settings"
    )]
    OtherDomain {
        /// What its certificate says.
        found: String,
        /// What the settings say.
        wanted: String,
    },
    /// An address is taken or not ours.
    #[error("cannot listen on {address} (setting `{key}`): {source}")]
    Listen {
        /// The key.
        key: &'static str,
        /// The address.
        address: SocketAddr,
        /// Why not.
        source: std::io::Error,
    },
    /// The database.
    #[error(transparent)]
    Database(#[from] OpenDbError),
    /// The mirror.
    #[error(transparent)]
    Repository(#[from] OpenError),
    /// The forge's settings.
    #[error(transparent)]
    Forge(#[from] crate::forge::ForgeError),
    /// The agents' port.
    #[error("{0}")]
    Fleet(String),
    /// TLS of the operators' listener.
    #[error(transparent)]
    DoorTls(#[from] DoorTlsError),
    /// The OIDC provider.
    #[error(transparent)]
    Oidc(#[from] OidcSetupError),
    /// The operating system refused something small.
    #[error("the operating system refused: {0}")]
    System(std::io::Error),
}
