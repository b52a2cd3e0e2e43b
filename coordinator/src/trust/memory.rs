//! A token store in memory, for tests of `trust` and `fleet` only.

use super::{TokenFuture, TokenGrant, TokenHash, TokenStore};
use model::Wall;
use std::collections::BTreeMap;
use std::sync::Mutex;

/// Grants by hash.
#[derive(Debug, Default)]
pub struct MemoryTokens(pub Mutex<BTreeMap<TokenHash, TokenGrant>>);

impl TokenStore for MemoryTokens {
    fn put(&self, hash: TokenHash, grant: TokenGrant) -> TokenFuture<'_, ()> {
        self.0.lock().unwrap().insert(hash, grant);
        Box::pin(std::future::ready(Ok(())))
    }

    fn take(&self, hash: TokenHash, _now: Wall) -> TokenFuture<'_, Option<TokenGrant>> {
        let grant = self.0.lock().unwrap().remove(&hash);
        Box::pin(std::future::ready(Ok(grant)))
    }
}
