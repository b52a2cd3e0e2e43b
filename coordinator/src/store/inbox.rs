//! Arrived events, kept before they are acted upon: each delivery once, however often it is sent.
//!
//! Owns: table `inbox`. Must not understand a body. Written by the poller ("new commit seen") and by webhooks; emptied by the
//! task that deals with them.

use super::error::of;
use super::row::{At, ms, plain, rows};
use super::{Db, StoreError, Tx, sql};
use model::Wall;

/// An event that arrived.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Delivery {
    /// Unique for the event, e.g. the sender's delivery id or `commit:<id>`.
    pub id: String,
    /// Where from, e.g. `poller`, `github`.
    pub source: String,
    /// As it came.
    pub body: String,
    /// When.
    pub received: Wall,
}

/// What became of a delivery.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum InsertDelivery {
    /// Kept; it will be dealt with.
    Fresh,
    /// Known already.
    Repeat,
}

#[derive(sqlx::FromRow)]
struct DeliveryRow {
    delivery_id: String,
    source: String,
    body: String,
    received_at: i64,
}

/// Keeps a delivery.
pub async fn insert(tx: &mut Tx, delivery: &Delivery) -> Result<InsertDelivery, StoreError> {
    let Delivery { id, source, body, received } = delivery;
    let (id, source, body) = (plain(id), plain(source), plain(body));
    let added = tx!(tx, c => sqlx::query(sql::INBOX_ADD)
        .bind(id.as_str())
        .bind(source.as_str())
        .bind(body.as_str())
        .bind(ms(*received))
        .execute(c)
        .await
        .map(|done| done.rows_affected()))
    .map_err(of("inbox"))?;
    Ok(if added == 0 { InsertDelivery::Repeat } else { InsertDelivery::Fresh })
}

/// Deliveries that wait, oldest first.
pub async fn pending(db: &Db, limit: u32) -> Result<Vec<Delivery>, StoreError> {
    let found: Vec<DeliveryRow> =
        on!(db, c => sqlx::query_as(sql::INBOX_PENDING).bind(rows(limit)).fetch_all(c).await)
            .map_err(of("inbox"))?;
    let delivery = |row: DeliveryRow| {
        let DeliveryRow { delivery_id, source, body, received_at } = row;
        let received = At { table: "inbox", id: &delivery_id }.wall("received_at", received_at)?;
        Ok(Delivery { id: delivery_id, source, body, received })
    };
    found.into_iter().map(delivery).collect()
}

/// Forgets deliveries that were dealt with before this time.
pub async fn prune(tx: &mut Tx, before: Wall) -> Result<(), StoreError> {
    tx!(tx, c => sqlx::query(sql::INBOX_PRUNE).bind(ms(before)).execute(c).await.map(|_| ()))
        .map_err(of("inbox"))
}

/// Notes that a delivery was dealt with; a second time changes nothing.
pub async fn mark_processed(tx: &mut Tx, id: &str, now: Wall) -> Result<(), StoreError> {
    tx!(tx, c => sqlx::query(sql::INBOX_PROCESSED).bind(id).bind(ms(now)).execute(c).await.map(|_| ()))
        .map_err(of("inbox"))
}
