//! A forge in memory: one repository, one account of ours, and what its API documents about answers and refusals.
//!
//! Written from the documentation of GitHub (REST, 2022-11-28), GitLab (REST v4, 17) and Gitea (API v1, 1.22). What a client
//! gets wrong is refused as the forge refuses it. Faults are queued and used up in order.

mod gitea;
pub mod github;
mod gitlab;

use crate::forge::{ForgeKind, PullState, StatusState};
use axum::body::Body;
use axum::extract::{Request, State as Held};
use axum::http::{HeaderMap, Method, StatusCode};
use axum::middleware::{Next, from_fn_with_state};
use axum::response::{IntoResponse, Response};
use serde_json::{Value, json};
use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, Mutex};

pub const TOKEN: &str = "forge-token-1";
/// The name our token belongs to.
pub const ACCOUNT: &str = "pointsman-bot";

/// What goes wrong with one request.
#[derive(Clone)]
pub enum Fault {
    Status(u16, Vec<(&'static str, String)>, Value),
    /// Half an answer, then the connection ends.
    Truncated,
    /// No answer.
    Silence,
    /// More than anybody reads.
    Huge,
    /// The request is done, but the answer says 502.
    DoneButLost,
}

#[derive(Clone)]
pub struct Pull {
    pub number: u64,
    pub title: String,
    pub head: String,
    pub base: String,
    pub fork: bool,
    pub state: PullState,
    pub merged: Option<String>,
    pub labels: Vec<String>,
}

#[derive(Clone)]
pub struct StoredComment {
    pub id: u64,
    pub pull: u64,
    pub author: String,
    pub body: String,
}

#[derive(Clone, Debug, PartialEq)]
pub struct StoredStatus {
    pub commit: String,
    pub context: String,
    pub state: StatusState,
    pub description: String,
    pub target: Option<String>,
}

#[derive(Default)]
pub struct World {
    pub pulls: BTreeMap<u64, Pull>,
    pub comments: Vec<StoredComment>,
    pub statuses: Vec<StoredStatus>,
    /// Labels of the repository (Gitea numbers them).
    pub labels: Vec<String>,
    pub approvals: Vec<(u64, String)>,
    pub requests: Vec<String>,
    pub faults: VecDeque<Fault>,
    /// Entries of a page at most, whatever is asked for.
    pub page_max: Option<usize>,
    /// Credentials that are good: `Authorization` or `PRIVATE-TOKEN`.
    pub credentials: Vec<String>,
    /// Tokens given to the App.
    pub granted: u64,
    next_id: u64,
}

impl World {
    pub fn add_comment(&mut self, pull: u64, author: &str, body: &str) -> StoredComment {
        self.next_id += 1;
        let comment =
            StoredComment { id: self.next_id, pull, author: author.to_owned(), body: body.to_owned() };
        self.comments.push(comment.clone());
        comment
    }

    /// The newest status of a commit under a name.
    pub fn status(&self, commit: &str, context: &str) -> Option<&StoredStatus> {
        self.statuses.iter().rev().find(|status| status.commit == commit && status.context == context)
    }
}

pub type Shared = Arc<Mutex<World>>;

/// A running forge. It ends with the runtime of its test.
pub struct Server {
    pub kind: ForgeKind,
    pub url: String,
    pub world: Shared,
}

impl Server {
    pub async fn start(kind: ForgeKind) -> Self {
        install_tls_provider();
        let world = Shared::default();
        let scheme = match kind {
            ForgeKind::Github => format!("Bearer {TOKEN}"),
            ForgeKind::Gitlab => TOKEN.to_owned(),
            ForgeKind::Gitea => format!("token {TOKEN}"),
        };
        world.lock().unwrap().credentials.push(scheme);
        let routes = match kind {
            ForgeKind::Github => github::routes(),
            ForgeKind::Gitlab => gitlab::routes(),
            ForgeKind::Gitea => gitea::routes(),
        };
        let held = (kind, world.clone());
        let app = routes
            .with_state(world.clone())
            .fallback(async || refusal(404, "Not Found"))
            .layer(from_fn_with_state(held, before));
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        tokio::spawn(async move { axum::serve(listener, app).await });
        Self { kind, url, world }
    }

    pub fn repository(&self) -> &'static str {
        match self.kind {
            ForgeKind::Gitlab => "net/fleet/esxi",
            ForgeKind::Github | ForgeKind::Gitea => "net/esxi",
        }
    }

    pub fn open_pull(&self, number: u64, head: &str) {
        let pull = Pull {
            number,
            title: format!("Change {number}"),
            head: head.to_owned(),
            base: "main".to_owned(),
            fork: false,
            state: PullState::Open,
            merged: None,
            labels: Vec::new(),
        };
        self.world.lock().unwrap().pulls.insert(number, pull);
    }

    pub fn change(&self, number: u64, change: impl FnOnce(&mut Pull)) {
        change(self.world.lock().unwrap().pulls.get_mut(&number).unwrap());
    }

    pub fn fail(&self, fault: Fault) {
        self.world.lock().unwrap().faults.push_back(fault);
    }

    pub fn requests(&self) -> Vec<String> {
        self.world.lock().unwrap().requests.clone()
    }

    /// Comments of a pull request as (author, body).
    pub fn comments(&self, number: u64) -> Vec<(String, String)> {
        let world = self.world.lock().unwrap();
        let of_pull = world.comments.iter().filter(|comment| comment.pull == number);
        of_pull.map(|comment| (comment.author.clone(), comment.body.clone())).collect()
    }
}

pub fn install_tls_provider() {
    // Fails when another test was first, which is just as good.
    let _ = rustls::crypto::ring::default_provider().install_default();
}

/// Notes the request, checks the credential, and lets a fault happen.
async fn before(Held((kind, world)): Held<(ForgeKind, Shared)>, request: Request, next: Next) -> Response {
    let fault = {
        let mut world = world.lock().unwrap();
        world.requests.push(format!("{} {}", request.method(), request.uri()));
        world.faults.pop_front()
    };
    match fault {
        Some(Fault::Status(status, headers, body)) => {
            let mut response = (StatusCode::from_u16(status).unwrap(), axum::Json(body)).into_response();
            for (name, value) in headers {
                response.headers_mut().insert(name, value.parse().unwrap());
            }
            return response;
        }
        Some(Fault::Truncated) => {
            let body = Body::from("[{\"number\": 1, \"tit");
            return Response::builder().header("content-length", "4000").body(body).unwrap();
        }
        Some(Fault::Silence) => std::future::pending().await,
        Some(Fault::Huge) => return axum::Json(json!(["x".repeat(512 * 1024)])).into_response(),
        Some(Fault::DoneButLost) => {
            next.run(request).await;
            return refusal(502, "Bad Gateway");
        }
        None => {}
    }
    if let Some(refused) = unfit(kind, &world, request.method(), request.uri().path(), request.headers()) {
        return refused;
    }
    next.run(request).await
}

fn unfit(
    kind: ForgeKind,
    world: &Shared,
    method: &Method,
    path: &str,
    headers: &HeaderMap,
) -> Option<Response> {
    let text = |name: &str| headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default();
    if kind == ForgeKind::Github && (text("user-agent").is_empty() || text("x-github-api-version").is_empty())
    {
        return Some(refusal(403, "Request forbidden by administrative rules"));
    }
    if *method != Method::GET && *method != Method::DELETE && text("content-type") != "application/json" {
        return Some(refusal(415, "Unsupported Media Type"));
    }
    let name = if kind == ForgeKind::Gitlab { "private-token" } else { "authorization" };
    // The App's own routes take a signed statement instead; they check it themselves.
    let of_app = path.starts_with("/api/v3/app") || path.ends_with("/installation");
    let known = world.lock().unwrap().credentials.iter().any(|good| good == text(name));
    if known || of_app { None } else { Some(refusal(401, "Bad credentials")) }
}

pub fn refusal(status: u16, message: &str) -> Response {
    (StatusCode::from_u16(status).unwrap(), axum::Json(json!({"message": message}))).into_response()
}

/// One page of a list, with the headers that say whether it goes on. The address in `Link` leads to a place that must never
/// be asked.
pub fn page(
    world: &World,
    all: Vec<Value>,
    query: &BTreeMap<String, String>,
    size_key: &str,
    most: usize,
) -> Response {
    let number = |key: &str| query.get(key).and_then(|text| text.parse::<usize>().ok());
    let size = number(size_key).unwrap_or(20).min(world.page_max.unwrap_or(most));
    let page = number("page").unwrap_or(1);
    let rest: Vec<Value> = all.into_iter().skip((page - 1) * size).collect();
    let more = rest.len() > size;
    let shown: Vec<Value> = rest.into_iter().take(size).collect();
    let mut response = axum::Json(shown).into_response();
    if more {
        let link = format!("<http://elsewhere.invalid/?page={}>; rel=\"next\"", page + 1);
        response.headers_mut().insert("link", link.parse().unwrap());
    }
    response
}
