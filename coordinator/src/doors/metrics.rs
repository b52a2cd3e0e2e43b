//! Metrics in the Prometheus text form, and whether the coordinator lives and can work. No secrets, no names of hosts.
//!
//! Must not: change anything. Called over a listener of its own, so that a monitoring system needs no permission here.

use crate::api::{Decision, Live, Tally};
use crate::store::{Db, StoreError, census};
use axum::Router;
use axum::extract::State;
use axum::http::StatusCode;
use axum::http::header::{CONTENT_TYPE, HeaderValue};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use std::fmt::Write;
use std::sync::Arc;
use tokio::sync::Semaphore;

/// Scrapes at once: each asks the database a few questions.
const SCRAPES_MAX: usize = 2;
/// Longest version of an agent that is shown, in characters.
const VERSION_CHARS_MAX: usize = 40;
/// The form.
const MEDIA: HeaderValue = HeaderValue::from_static("text/plain; version=0.0.4; charset=utf-8");

/// What is measured.
#[derive(Clone)]
pub struct MetricsParts {
    /// The database.
    pub db: Db,
    /// The live hosts.
    pub live: Arc<dyn Live>,
    /// Decisions of the operators' door.
    pub tally: Arc<Tally>,
}

struct Shared {
    parts: MetricsParts,
    scrapes: Semaphore,
}

/// `/metrics`, `/healthz` (the process lives), `/readyz` (the database answers).
pub fn router(parts: MetricsParts) -> Router {
    let shared = Arc::new(Shared { parts, scrapes: Semaphore::new(SCRAPES_MAX) });
    Router::new()
        .route("/metrics", get(metrics))
        .route("/healthz", get(async || "ok\n"))
        .route("/readyz", get(ready))
        .with_state(shared)
}

async fn metrics(State(shared): State<Arc<Shared>>) -> Response {
    let Ok(_turn) = shared.scrapes.try_acquire() else {
        return (StatusCode::SERVICE_UNAVAILABLE, "other scrapes are being answered\n").into_response();
    };
    match text(&shared.parts).await {
        Ok(text) => ([(CONTENT_TYPE, MEDIA)], text).into_response(),
        Err(error) => failed(&error),
    }
}

async fn ready(State(shared): State<Arc<Shared>>) -> Response {
    let Ok(_turn) = shared.scrapes.try_acquire() else {
        return (StatusCode::SERVICE_UNAVAILABLE, "other questions are being answered\n").into_response();
    };
    match census::hosts_by_status(&shared.parts.db).await {
        Ok(_) => "ready\n".into_response(),
        Err(error) => failed(&error),
    }
}

fn failed(error: &StoreError) -> Response {
    tracing::warn!(%error, "the metrics cannot be told");
    (StatusCode::SERVICE_UNAVAILABLE, "the database does not answer: the log says why\n").into_response()
}

async fn text(parts: &MetricsParts) -> Result<String, StoreError> {
    let live = parts.live.hosts();
    let mut page = Page(String::new());
    page.one("pointsman_build_info", "The coordinator's release.", &[("version", env!("CARGO_PKG_VERSION"))]);
    page.begin("pointsman_hosts", "Hosts by status.");
    for (status, count) in census::hosts_by_status(&parts.db).await? {
        page.value("pointsman_hosts", &[("status", &status)], count);
    }
    page.begin("pointsman_agents", "Hosts by the release of their agent.");
    for (version, count) in census::hosts_by_agent(&parts.db).await? {
        page.value("pointsman_agents", &[("version", &version)], count);
    }
    page.begin("pointsman_streams", "Hosts with an open stream.");
    page.value("pointsman_streams", &[], whole(live.len()));
    page.begin("pointsman_hosts_with_drift", "Connected hosts that report drift.");
    page.value("pointsman_hosts_with_drift", &[], whole(live.iter().filter(|host| host.drift).count()));
    page.begin("pointsman_rollouts", "Rollouts by phase.");
    for (phase, count) in census::rollouts_by_phase(&parts.db).await? {
        page.value("pointsman_rollouts", &[("phase", &phase)], count);
    }
    page.counter("pointsman_requests_total", "Requests at the operators' door since the start, by decision.");
    for decision in Decision::ALL {
        let labels = [("decision", decision.as_str())];
        page.value("pointsman_requests_total", &labels, parts.tally.of(decision));
    }
    Ok(page.0)
}

fn whole(count: usize) -> u64 {
    u64::try_from(count).unwrap_or(u64::MAX)
}

/// A page in the making. Writing to a String cannot fail.
struct Page(String);

impl Page {
    fn head(&mut self, name: &str, help: &str, kind: &str) {
        let _ = writeln!(self.0, "# HELP {name} {help}\n# TYPE {name} {kind}");
    }

    fn begin(&mut self, name: &str, help: &str) {
        self.head(name, help, "gauge");
    }

    fn counter(&mut self, name: &str, help: &str) {
        self.head(name, help, "counter");
    }

    fn one(&mut self, name: &str, help: &str, labels: &[(&str, &str)]) {
        self.begin(name, help);
        self.value(name, labels, 1);
    }

    fn value(&mut self, name: &str, labels: &[(&str, &str)], value: u64) {
        let shown: Vec<String> =
            labels.iter().map(|(key, value)| format!("{key}=\"{}\"", escaped(value))).collect();
        let _ = match shown.is_empty() {
            true => writeln!(self.0, "{name} {value}"),
            false => writeln!(self.0, "{name}{{{}}} {value}", shown.join(",")),
        };
    }
}

/// A value of a label: hosts say some of them.
fn escaped(text: &str) -> String {
    let plain = |c: char| if c.is_control() || "\"\\".contains(c) { '_' } else { c };
    text.chars().take(VERSION_CHARS_MAX).map(plain).collect()
}
