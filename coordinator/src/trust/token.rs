//! One-time enrolment tokens: 256 random bits, known here only as a SHA-256, bound to one host,
//! dead after their first use whatever comes of it. Must not store anything itself.

use super::{TrustError, random};
use model::{HostId, Millis, Secret, Wall};
use sha2::{Digest, Sha256};
use std::future::Future;
use std::pin::Pin;

/// Life of a token when nothing else is said.
pub const TOKEN_TTL_DEFAULT: Millis = Millis(60 * 60 * 1000);
/// What every token starts with, so that a leaked one can be found by a search.
const TOKEN_PREFIX: &str = "pointsman-enrol-";
/// Secret part of a token, in bytes.
const TOKEN_BYTES: usize = 32;

/// A secret that lets one host enrol once. Shown to a person once, never stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Token(Secret);

impl Token {
    /// A fresh token.
    pub fn generate() -> Result<Self, TrustError> {
        let secret = random::<TOKEN_BYTES>()?;
        let mut text = TOKEN_PREFIX.to_owned();
        text.extend(secret.iter().map(|byte| format!("{byte:02x}")));
        Ok(Self(Secret::new(text)))
    }

    /// A token as somebody presents it.
    #[must_use]
    pub fn presented(text: &str) -> Self {
        Self(Secret::new(text.trim()))
    }

    /// The text to hand to the person who enrols the host.
    #[must_use]
    pub fn reveal(&self) -> &str {
        self.0.expose()
    }

    /// What may be stored. The token has 256 random bits, so a plain hash cannot be guessed back.
    #[must_use]
    pub fn hash(&self) -> TokenHash {
        TokenHash(Sha256::digest(self.reveal().as_bytes()).iter().map(|byte| format!("{byte:02x}")).collect())
    }
}

/// SHA-256 of a token in lower-case hexadecimal: the key under which its grant is stored.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TokenHash(pub String);

/// What a token allows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TokenGrant {
    /// The only host that may enrol with it.
    pub host: HostId,
    /// Until when.
    pub expires: Wall,
}

/// The store failed; the token's state is unknown.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("enrolment tokens cannot be read or written: {0}")]
pub struct TokenStoreError(pub String);

/// A future of a [`TokenStore`].
pub type TokenFuture<'a, T> = Pin<Box<dyn Future<Output = Result<T, TokenStoreError>> + Send + 'a>>;

/// Where grants are kept. Implemented by the SQL store.
pub trait TokenStore: Send + Sync {
    /// Stores a grant under the hash of its token.
    fn put(&self, hash: TokenHash, grant: TokenGrant) -> TokenFuture<'_, ()>;

    /// Takes a grant for good, in one atomic step: of two callers only one gets it. `None` when
    /// there is no such token or it was taken before.
    fn take(&self, hash: TokenHash, now: Wall) -> TokenFuture<'_, Option<TokenGrant>>;
}

/// Why a token does not open the door. The caller who presents it learns none of this.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TokenRefusal {
    /// No such token, or it was used.
    #[error("the token is unknown or was used before")]
    UnknownOrUsed,
    /// Too late.
    #[error("the token expired")]
    Expired,
    /// For another host.
    #[error("the token is for {bound}, not for {claimed}")]
    OtherHost {
        /// The host it was made for.
        bound: HostId,
        /// The host that was claimed.
        claimed: HostId,
    },
    /// The store failed.
    #[error(transparent)]
    Store(#[from] TokenStoreError),
}

/// Why no token was made.
#[derive(Debug, thiserror::Error)]
pub enum IssueError {
    /// No randomness.
    #[error(transparent)]
    Trust(#[from] TrustError),
    /// The store failed.
    #[error(transparent)]
    Store(#[from] TokenStoreError),
}

/// Makes a token for `host` and stores its grant.
pub async fn issue_token(
    store: &dyn TokenStore,
    host: HostId,
    now: Wall,
    ttl: Millis,
) -> Result<Token, IssueError> {
    let token = Token::generate()?;
    store.put(token.hash(), TokenGrant { host, expires: now.plus(ttl) }).await?;
    Ok(token)
}

/// Spends a token for `claimed`. Whatever the answer, the token is dead afterwards.
pub async fn redeem_token(
    store: &dyn TokenStore,
    token: &Token,
    claimed: &HostId,
    now: Wall,
) -> Result<(), TokenRefusal> {
    let TokenGrant { host, expires } =
        store.take(token.hash(), now).await?.ok_or(TokenRefusal::UnknownOrUsed)?;
    if host != *claimed {
        return Err(TokenRefusal::OtherHost { bound: host, claimed: claimed.clone() });
    }
    if now >= expires {
        return Err(TokenRefusal::Expired);
    }
    Ok(())
}
