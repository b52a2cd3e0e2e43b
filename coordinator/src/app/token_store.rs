//! Enrolment tokens in SQL, as `trust` wants them.

use crate::store::tokens::{self, NewToken, TakeToken};
use crate::store::{Db, StoreError};
use crate::tasks::wall_now;
use crate::trust::{TokenFuture, TokenGrant, TokenHash, TokenStore, TokenStoreError};
use model::Wall;

/// Who makes tokens through this interface.
const CREATED_BY: &str = "operator";

/// Tokens in the database.
#[derive(Clone, Debug)]
pub struct StoredTokens {
    db: Db,
}

impl StoredTokens {
    /// Tokens of this database.
    #[must_use]
    pub fn new(db: Db) -> Self {
        Self { db }
    }

    async fn put_grant(&self, hash: TokenHash, grant: TokenGrant) -> Result<(), StoreError> {
        let TokenGrant { host, expires } = grant;
        let token = NewToken {
            hash: hash.0,
            host: Some(host),
            group: None,
            expires,
            created_by: CREATED_BY.to_owned(),
            created: wall_now(),
        };
        let mut tx = self.db.begin().await?;
        tokens::create(&mut tx, &token).await?;
        tx.commit().await
    }

    /// A token is dead after its first use, whoever presents it: it is taken for the host it was made for, and `trust`
    /// compares that with the host that presented it.
    async fn take_grant(&self, hash: TokenHash, now: Wall) -> Result<Option<TokenGrant>, StoreError> {
        let known = tokens::list(&self.db).await?.into_iter().find(|token| token.hash == hash.0);
        let Some(token) = known else { return Ok(None) };
        let Some(host) = token.host else { return Ok(None) };
        let mut tx = self.db.begin().await?;
        let taken = tokens::take(&mut tx, &hash.0, &host, now).await?;
        tx.commit().await?;
        let grant = TokenGrant { host, expires: token.expires };
        Ok(match taken {
            TakeToken::Taken { .. } => Some(grant),
            TakeToken::Refused(tokens::TokenRefusal::Expired) => Some(grant),
            TakeToken::Refused(_) => None,
        })
    }
}

fn failed(error: StoreError) -> TokenStoreError {
    TokenStoreError(error.to_string())
}

impl TokenStore for StoredTokens {
    fn put(&self, hash: TokenHash, grant: TokenGrant) -> TokenFuture<'_, ()> {
        Box::pin(async move { self.put_grant(hash, grant).await.map_err(failed) })
    }

    fn take(&self, hash: TokenHash, now: Wall) -> TokenFuture<'_, Option<TokenGrant>> {
        Box::pin(async move { self.take_grant(hash, now).await.map_err(failed) })
    }
}
