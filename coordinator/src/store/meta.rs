//! Small facts of this installation.
//!
//! Owns: table `meta`. Must not know what a fact means. Called by the tasks.

use super::error::of;
use super::row::{ms, plain};
use super::{Db, StoreError, Tx, sql};
use model::Wall;

/// The value of a key.
pub async fn get(db: &Db, key: &str) -> Result<Option<String>, StoreError> {
    on!(db, c => sqlx::query_scalar(sql::META_GET).bind(key).fetch_optional(c).await).map_err(of("meta"))
}

/// Sets the value of a key.
pub async fn set(tx: &mut Tx, key: &str, value: &str, now: Wall) -> Result<(), StoreError> {
    let value = plain(value);
    tx!(tx, c => sqlx::query(sql::META_SET).bind(key).bind(&value).bind(ms(now)).execute(c).await.map(|_| ()))
        .map_err(of("meta"))
}
