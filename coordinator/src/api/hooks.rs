//! The door for webhooks: `POST /hooks/forge`. The signature is the admission; nobody's token is asked for.
//!
//! Owns: how much may come in (size, time, number), and that a delivery is on disk before it is acknowledged. Must not: act on a
//! delivery (the task that follows pull requests does) or say why a signature is wrong in detail. Registered by `router`.

#[cfg(test)]
mod tests;

use super::error::ApiError;
use crate::forge::{HookRefusal, Hooks};
use crate::store::Db;
use crate::store::inbox::{self, Delivery, InsertDelivery};
use crate::tasks::wall_now;
use axum::Router;
use axum::body::Body;
use axum::extract::{Request, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::routing::post;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};
use tokio::sync::{Notify, Semaphore};

/// Where webhooks are sent.
pub const HOOKS_PATH: &str = "/hooks/forge";
/// Largest webhook, in bytes. What is larger is found by looking.
const HOOK_BYTES_MAX: usize = 1024 * 1024;
/// Time for a webhook to arrive whole.
const HOOK_TIME_MAX: Duration = Duration::from_secs(10);
/// Time a webhook waits for its turn; forges give up after 10 s.
const TURN_TIME_MAX: Duration = Duration::from_secs(4);
/// Webhooks that are read and stored at once.
const HOOKS_AT_ONCE_MAX: usize = 32;
/// Webhooks in one second, over time.
const HOOKS_PER_SEC: f64 = 300.0;
/// Webhooks in a burst.
const HOOKS_BURST: f64 = 600.0;

/// What the door needs.
pub struct HookParts {
    hooks: Hooks,
    db: Db,
    wake: Arc<Notify>,
    at_once: Semaphore,
    bucket: Mutex<Bucket>,
}

impl HookParts {
    /// Checks with `hooks`, keeps in `db`, then calls `wake`.
    #[must_use]
    pub fn new(hooks: Hooks, db: Db, wake: Arc<Notify>) -> Self {
        let bucket = Bucket { left: HOOKS_BURST, at: Instant::now() };
        Self { hooks, db, wake, at_once: Semaphore::new(HOOKS_AT_ONCE_MAX), bucket: Mutex::new(bucket) }
    }

    fn has_room(&self) -> bool {
        self.bucket.lock().unwrap_or_else(PoisonError::into_inner).take(Instant::now())
    }
}

/// How many more may come now.
struct Bucket {
    left: f64,
    at: Instant,
}

impl Bucket {
    fn take(&mut self, now: Instant) -> bool {
        let since = now.saturating_duration_since(self.at).as_secs_f64();
        self.left = (self.left + since * HOOKS_PER_SEC).min(HOOKS_BURST);
        self.at = now;
        let has_room = self.left >= 1.0;
        if has_room {
            self.left -= 1.0;
        }
        has_room
    }
}

/// The route; without a forge there is none.
pub fn routes(parts: Option<Arc<HookParts>>) -> Router {
    match parts {
        Some(parts) => Router::new().route(HOOKS_PATH, post(take)).with_state(parts),
        None => Router::new(),
    }
}

async fn take(State(parts): State<Arc<HookParts>>, request: Request) -> Response {
    let busy =
        || ApiError::flooded("too many webhooks at once: what is lost is found by looking").into_response();
    if !parts.has_room() {
        return busy();
    }
    let Ok(Ok(_place)) = tokio::time::timeout(TURN_TIME_MAX, parts.at_once.acquire()).await else {
        return busy();
    };
    let (head, body) = request.into_parts();
    let body = match tokio::time::timeout(HOOK_TIME_MAX, axum::body::to_bytes(body, HOOK_BYTES_MAX)).await {
        Ok(Ok(body)) => body,
        Ok(Err(_)) => {
            let message = format!("the webhook is larger than {HOOK_BYTES_MAX} bytes, or broke off");
            return ApiError::too_large(message).into_response();
        }
        Err(_) => return ApiError::bad_request("the webhook took too long to arrive").into_response(),
    };
    match keep(&parts, &head.headers, &body).await {
        Ok(kept) => {
            parts.wake.notify_one();
            let word = match kept {
                InsertDelivery::Fresh => "kept\n",
                InsertDelivery::Repeat => "known\n",
            };
            Response::builder()
                .status(StatusCode::ACCEPTED)
                .body(Body::from(word))
                .unwrap_or_else(|_| StatusCode::ACCEPTED.into_response())
        }
        Err(error) => error.into_response(),
    }
}

/// Checks and stores; a delivery is on disk when this returns.
async fn keep(parts: &HookParts, headers: &HeaderMap, body: &[u8]) -> Result<InsertDelivery, ApiError> {
    let now = wall_now();
    let arrived = parts.hooks.check(headers, body, now).map_err(|refusal| {
        tracing::warn!(%refusal, "a webhook is refused");
        match refusal {
            HookRefusal::NotJson => ApiError::bad_request(refusal.to_string()),
            HookRefusal::NoSecret
            | HookRefusal::NotSigned
            | HookRefusal::BadSignature
            | HookRefusal::Stale => ApiError::unsigned(refusal.to_string()),
        }
    })?;
    let body =
        serde_json::to_string(&arrived.event).map_err(|error| ApiError::internal(error.to_string()))?;
    let source = parts.hooks.source().to_owned();
    let delivery = Delivery { id: arrived.delivery, source, body, received: now };
    let mut tx = parts.db.begin().await?;
    let kept = inbox::insert(&mut tx, &delivery).await?;
    tx.commit().await?;
    Ok(kept)
}
