//! The one door: every request below `/api/v1` passes here, in this order: room, rate, who, right, note, answer.
//!
//! Owns: the decision whether a request reaches its handler, its limits, and the audit entries of decisions. Must not:
//! know what a handler does. Default deny: a route that is not declared is refused, whoever asks. A write that cannot be
//! noted in the audit trail is not done. Called by the router.

use super::denials::Denials;
use super::error::ApiError;
use super::rate::{Buckets, Rate};
use super::routes::{Access, Declared, Found};
use super::tally::{Decision, Tally};
use super::who::{Source, Who};
use super::{PREFIX, cookie};
use crate::people::{Identity, Means, People, Permission};
use crate::store::audit::{self, AuditEntry};
use crate::store::{Db, StoreError};
use crate::tasks::wall_now;
use axum::extract::{MatchedPath, Request, State};
use axum::http::header::{AUTHORIZATION, HOST, ORIGIN};
use axum::http::request::Parts;
use axum::http::{HeaderMap, Method};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use serde_json::json;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::sync::Semaphore;

/// Requests in work at once.
pub const IN_FLIGHT_MAX: usize = 64;
/// Longest work on one request, its body included.
const ANSWER_LIMIT: Duration = Duration::from_secs(60);
/// What one address may ask: programs behind one address share it.
const SOURCE_RATE: Rate = Rate { per_sec: 200, burst: 800 };
/// What one person or token may ask.
const IDENTITY_RATE: Rate = Rate { per_sec: 100, burst: 400 };
/// What one address may try on routes that are open to all: signing in costs a password hash.
const OPEN_RATE: Rate = Rate { per_sec: 1, burst: 20 };
/// Addresses and people that are counted one by one.
const KEYS_MAX: usize = 10_000;
/// Header in which a browser repeats the second secret of its session.
pub const CSRF_HEADER: &str = "x-pointsman-csrf";

/// What the door needs.
pub struct Admission {
    declared: Declared,
    people: People,
    db: Db,
    room: Semaphore,
    sources: Buckets<IpAddr>,
    identities: Buckets<String>,
    open: Buckets<IpAddr>,
    denials: Denials,
    tally: Arc<Tally>,
}

/// Why a request was turned away, for the audit trail.
struct Refused {
    error: ApiError,
    kind: &'static str,
    who: Option<Arc<Identity>>,
    permission: Option<Permission>,
}

impl Admission {
    pub fn new(declared: Declared, people: People, db: Db, tally: Arc<Tally>) -> Self {
        Self {
            declared,
            people,
            db,
            room: Semaphore::new(IN_FLIGHT_MAX),
            sources: Buckets::new(SOURCE_RATE, KEYS_MAX),
            identities: Buckets::new(IDENTITY_RATE, KEYS_MAX),
            open: Buckets::new(OPEN_RATE, KEYS_MAX),
            denials: Denials::default(),
            tally,
        }
    }
}

/// Lets a request through, or says why not.
pub async fn admit(State(admission): State<Arc<Admission>>, request: Request, next: Next) -> Response {
    let (mut asked, body) = request.into_parts();
    let source = asked.extensions.get::<Source>().copied().unwrap_or(Source::NOWHERE);
    let Ok(_place) = admission.room.try_acquire() else {
        admission.tally.count(Decision::Busy);
        return ApiError::busy().into_response();
    };
    let route = route_of(&asked);
    if !admission.sources.take(source.budget(), Instant::now()) {
        admission.tally.count(Decision::TooMany);
        return ApiError::too_many().into_response();
    }
    let answering = async {
        match admission.decide(&asked, &route, source).await {
            Ok(who) => {
                who.map(|who| asked.extensions.insert(Who(who)));
                next.run(Request::from_parts(asked, body)).await
            }
            Err(refused) => admission.turn_away(&asked.method, &route, source, refused).await,
        }
    };
    match tokio::time::timeout(ANSWER_LIMIT, answering).await {
        Ok(response) => response,
        Err(_) => ApiError::too_slow().into_response(),
    }
}

/// The route as it was declared: what people typed into it is nobody's business.
fn route_of(asked: &Parts) -> String {
    let matched = asked.extensions.get::<MatchedPath>().map(MatchedPath::as_str);
    matched.and_then(|path| path.strip_prefix(PREFIX)).unwrap_or_default().to_owned()
}

fn is_write(method: &Method) -> bool {
    !matches!(*method, Method::GET | Method::HEAD)
}

impl Admission {
    async fn decide(
        &self,
        asked: &Parts,
        route: &str,
        source: Source,
    ) -> Result<Option<Arc<Identity>>, Refused> {
        let found = self.declared.find(&asked.method, route);
        if found == Found::Declared(Access::Open) {
            return self.open(asked, route, source).map(|()| None);
        }
        let who = Arc::new(self.recognise(asked).await?);
        let plain = |error, kind| Refused { error, kind, who: Some(Arc::clone(&who)), permission: None };
        if !self.identities.take(who.actor.clone(), Instant::now()) {
            self.tally.count(Decision::TooMany);
            return Err(plain(ApiError::too_many(), "too_many"));
        }
        let (permission, in_group) = match found {
            Found::Declared(Access::Needs(permission)) => (permission, false),
            Found::Declared(Access::InGroup(permission)) => (permission, true),
            Found::OtherMethod => return Err(plain(ApiError::no_method(), "no_such_method")),
            Found::Nothing | Found::Declared(Access::Open) => {
                return Err(plain(ApiError::not_declared(), "not_declared"));
            }
        };
        let refused = |error, kind| Refused { permission: Some(permission), ..plain(error, kind) };
        if !who.may(permission) {
            return Err(refused(ApiError::forbidden(&who, permission), "forbidden"));
        }
        if let Some(group) = who.group().filter(|_| !in_group) {
            return Err(refused(ApiError::out_of_group(group), "out_of_group"));
        }
        if is_write(&asked.method) {
            let noted = self.note_allowed(&asked.method, route, &who, permission, source).await;
            noted.map_err(|error| refused(error.into(), "not_noted"))?;
        }
        self.tally.count(Decision::Allowed);
        Ok(Some(who))
    }

    fn open(&self, asked: &Parts, route: &str, source: Source) -> Result<(), Refused> {
        let refused = |error, kind| Refused { error, kind, who: None, permission: None };
        if is_write(&asked.method) && !same_origin(&asked.headers) {
            return Err(refused(ApiError::cross_site(), "cross_site"));
        }
        // Being alive costs nothing; everything else that is open may be somebody who guesses.
        let cheap = route == super::HEALTH_ROUTE;
        if !cheap && !self.open.take(source.budget(), Instant::now()) {
            self.tally.count(Decision::TooMany);
            return Err(refused(ApiError::too_many(), "too_many"));
        }
        Ok(())
    }

    async fn recognise(&self, asked: &Parts) -> Result<Identity, Refused> {
        let nobody = |error| Refused { error, kind: "unauthorised", who: None, permission: None };
        let failed = |error: StoreError| Refused { kind: "store", ..nobody(error.into()) };
        let headers = &asked.headers;
        let bearer = headers.get(AUTHORIZATION).and_then(|value| value.to_str().ok());
        if let Some(presented) = bearer {
            // A header that is there is the one that counts: a cookie beside it is not looked at.
            let token = presented.strip_prefix("Bearer ").unwrap_or_default().trim();
            let known = self.people.recognise_bearer(token, wall_now()).await.map_err(failed)?;
            return known.ok_or_else(|| nobody(ApiError::unauthorised()));
        }
        let Some(secret) = cookie::session(headers) else { return Err(nobody(ApiError::unauthorised())) };
        let known = self.people.recognise_cookie(secret, wall_now()).await.map_err(failed)?;
        let known = known.ok_or_else(|| nobody(ApiError::unauthorised()))?;
        if is_write(&asked.method) && !(same_origin(headers) && cookie::has_csrf(headers, secret)) {
            let who = Some(Arc::new(known));
            return Err(Refused { kind: "cross_site", who, ..nobody(ApiError::cross_site()) });
        }
        Ok(known)
    }

    async fn note_allowed(
        &self,
        method: &Method,
        route: &str,
        who: &Identity,
        permission: Permission,
        source: Source,
    ) -> Result<(), StoreError> {
        let detail = json!({
            "permission": permission.as_str(), "source": source.0, "means": means_word(&who.means),
        });
        self.note(&who.actor, "access.allowed", format!("route/{method} {route}"), detail).await
    }

    async fn turn_away(&self, method: &Method, route: &str, source: Source, refused: Refused) -> Response {
        let Refused { error, kind, who, permission } = refused;
        // Too much and too little is not a decision about a person.
        if !matches!(kind, "too_many" | "no_such_method" | "store" | "not_noted") {
            self.tally.count(Decision::Denied);
            if let Some(left_out) = self.denials.admit(source.budget(), Instant::now()) {
                let actor = who.as_ref().map_or("nobody", |who| who.actor.as_str());
                let detail = json!({
                    "why": kind, "permission": permission.map(Permission::as_str), "source": source.0,
                    "left_out_before": left_out,
                });
                let subject = format!("route/{method} {route}");
                if let Err(error) = self.note(actor, "access.denied", subject, detail).await {
                    tracing::warn!(%error, actor, kind, "a denial could not be noted in the audit trail");
                }
            }
        }
        error.into_response()
    }

    async fn note(
        &self,
        actor: &str,
        action: &str,
        subject: String,
        detail: serde_json::Value,
    ) -> Result<(), StoreError> {
        let entry = AuditEntry {
            at: wall_now(),
            actor: actor.to_owned(),
            action: action.to_owned(),
            subject,
            detail,
        };
        let mut tx = self.db.begin().await?;
        audit::append(&mut tx, &entry).await?;
        tx.commit().await
    }
}

fn means_word(means: &Means) -> &'static str {
    match means {
        Means::OperatorToken => "operator_token",
        Means::Session { .. } => "session",
        Means::Cookie { .. } => "cookie",
        Means::ApiToken { .. } => "api_token",
    }
}

/// Whether a browser sent this from our own pages. Programs send neither header.
fn same_origin(headers: &HeaderMap) -> bool {
    let text = |name: &str| headers.get(name).map(|value| value.to_str().unwrap_or_default());
    if text("sec-fetch-site").is_some_and(|site| !matches!(site, "same-origin" | "none")) {
        return false;
    }
    let Some(origin) = text(ORIGIN.as_str()) else { return true };
    let Some((_, authority)) = origin.split_once("://") else { return false };
    text(HOST.as_str()).is_some_and(|host| host.eq_ignore_ascii_case(authority))
}
