//! GitHub's REST API, version 2022-11-28, as far as it is used. Below `/api/v3`, as on GitHub Enterprise Server.

use super::{ACCOUNT, Pull, Shared, StoredComment, StoredStatus, World, page, refusal};
use crate::forge::{PullState, StatusState};
use axum::extract::{Path, Query, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, patch, post};
use axum::{Json, Router};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ring::signature::{RSA_PKCS1_2048_8192_SHA256, RsaKeyPair, UnparsedPublicKey};
use rustls::pki_types::PrivatePkcs1KeyDer;
use rustls::pki_types::pem::PemObject;
use serde_json::{Value, json};
use std::collections::BTreeMap;

type Args = Query<BTreeMap<String, String>>;
type Answer = Response;

/// Key of the App in these tests, made for them.
pub const APP_KEY: &str = include_str!("../app_key.pem");
pub const APP_ID: &str = "Iv1.app";

pub fn routes() -> Router<Shared> {
    let repo = Router::new()
        .route("/installation", get(installation))
        .route("/pulls", get(pulls))
        .route("/pulls/{number}", get(pull))
        .route("/pulls/{number}/reviews", get(reviews))
        .route("/issues/{number}/comments", get(comments).post(add_comment))
        .route("/issues/comments/{id}", patch(edit_comment).delete(delete_comment))
        .route("/issues/{number}/labels", post(add_labels))
        .route("/issues/{number}/labels/{label}", axum::routing::delete(remove_label))
        .route("/statuses/{commit}", post(add_status));
    Router::new()
        .route("/api/v3/user", get(async || Json(json!({"login": ACCOUNT, "id": 1}))))
        .route("/api/v3/app", get(app))
        .route("/api/v3/app/installations/{id}/access_tokens", post(grant))
        .nest("/api/v3/repos/net/esxi", repo)
}

pub fn pull_json(pull: &Pull) -> Value {
    let repo = if pull.fork { "stranger/esxi" } else { "net/esxi" };
    json!({
        "number": pull.number,
        "title": pull.title,
        "user": {"login": "ann"},
        "state": if pull.state == PullState::Open { "open" } else { "closed" },
        "draft": false,
        "merged_at": (pull.state == PullState::Merged).then_some("2026-01-02T03:04:05Z"),
        // Of an open pull request this is the trial merge.
        "merge_commit_sha": pull.merged.clone().unwrap_or_else(|| "e".repeat(40)),
        "head": {"sha": pull.head, "ref": "topic", "repo": {"full_name": repo}},
        "base": {"ref": pull.base, "sha": "0".repeat(40), "repo": {"full_name": "net/esxi"}},
        "labels": pull.labels.iter().map(|name| json!({"name": name})).collect::<Vec<_>>(),
        "html_url": format!("https://forge.example/net/esxi/pull/{}", pull.number),
    })
}

fn comment_json(comment: &StoredComment) -> Value {
    json!({
        "id": comment.id,
        "body": comment.body,
        "user": {"login": comment.author},
        "html_url": format!("https://forge.example/net/esxi/pull/{}#issuecomment-{}", comment.pull, comment.id),
    })
}

async fn pulls(State(world): State<Shared>, Query(args): Args) -> Answer {
    let world = world.lock().unwrap();
    let open = args.get("state").map_or("open", String::as_str) == "open";
    let base = args.get("base").cloned();
    let wanted = |pull: &&Pull| {
        (pull.state == PullState::Open) == open && base.as_ref().is_none_or(|base| *base == pull.base)
    };
    let all = world.pulls.values().rev().filter(wanted).map(pull_json).collect();
    page(&world, all, &args, "per_page", 100)
}

async fn pull(State(world): State<Shared>, Path(number): Path<u64>) -> Answer {
    let world = world.lock().unwrap();
    world
        .pulls
        .get(&number)
        .map_or_else(|| refusal(404, "Not Found"), |pull| Json(pull_json(pull)).into_response())
}

async fn reviews(State(world): State<Shared>, Path(number): Path<u64>, Query(args): Args) -> Answer {
    let world = world.lock().unwrap();
    let review = |(_, who): &(u64, String)| json!({"user": {"login": who}, "state": "APPROVED", "commit_id": world.pulls.get(&number).map(|pull| pull.head.clone())});
    let all = world.approvals.iter().filter(|(pull, _)| *pull == number).map(review).collect();
    page(&world, all, &args, "per_page", 100)
}

async fn comments(State(world): State<Shared>, Path(number): Path<u64>, Query(args): Args) -> Answer {
    let world = world.lock().unwrap();
    let all = world.comments.iter().filter(|comment| comment.pull == number).map(comment_json).collect();
    page(&world, all, &args, "per_page", 100)
}

/// The text of a comment, when GitHub takes it.
fn body_of(sent: &Value) -> Option<&str> {
    sent.get("body")?.as_str().filter(|body| !body.is_empty() && body.chars().count() <= 65_536)
}

async fn add_comment(
    State(world): State<Shared>,
    Path(number): Path<u64>,
    Json(sent): Json<Value>,
) -> Answer {
    let mut world = world.lock().unwrap();
    let Some(body) = body_of(&sent) else { return refusal(422, "Validation Failed") };
    if !world.pulls.contains_key(&number) {
        return refusal(404, "Not Found");
    }
    let comment = world.add_comment(number, ACCOUNT, body);
    (StatusCode::CREATED, Json(comment_json(&comment))).into_response()
}

async fn edit_comment(State(world): State<Shared>, Path(id): Path<u64>, Json(sent): Json<Value>) -> Answer {
    let mut world = world.lock().unwrap();
    let Some(body) = body_of(&sent) else { return refusal(422, "Validation Failed") };
    let Some(comment) = world.comments.iter_mut().find(|comment| comment.id == id) else {
        return refusal(404, "Not Found");
    };
    comment.body = body.to_owned();
    Json(comment_json(comment)).into_response()
}

async fn delete_comment(State(world): State<Shared>, Path(id): Path<u64>) -> Answer {
    let mut world = world.lock().unwrap();
    let before = world.comments.len();
    world.comments.retain(|comment| comment.id != id);
    if world.comments.len() == before {
        refusal(404, "Not Found")
    } else {
        StatusCode::NO_CONTENT.into_response()
    }
}

async fn add_labels(State(world): State<Shared>, Path(number): Path<u64>, Json(sent): Json<Value>) -> Answer {
    let mut world = world.lock().unwrap();
    let Some(pull) = world.pulls.get_mut(&number) else { return refusal(404, "Not Found") };
    let Some(labels) = sent.get("labels").and_then(Value::as_array) else {
        return refusal(422, "Validation Failed");
    };
    for label in labels.iter().filter_map(Value::as_str) {
        if !pull.labels.iter().any(|known| known == label) {
            pull.labels.push(label.to_owned());
        }
    }
    Json(json!([])).into_response()
}

async fn remove_label(State(world): State<Shared>, Path((number, label)): Path<(u64, String)>) -> Answer {
    let mut world = world.lock().unwrap();
    let Some(pull) = world.pulls.get_mut(&number) else { return refusal(404, "Not Found") };
    let before = pull.labels.len();
    pull.labels.retain(|known| *known != label);
    if pull.labels.len() == before {
        refusal(404, "Label does not exist")
    } else {
        Json(json!([])).into_response()
    }
}

async fn add_status(
    State(world): State<Shared>,
    Path(commit): Path<String>,
    Json(sent): Json<Value>,
) -> Answer {
    store_status(&mut world.lock().unwrap(), commit, &sent, 140)
}

/// Statuses of GitHub and Gitea: newest of a name counts.
pub fn store_status(world: &mut World, commit: String, sent: &Value, most: usize) -> Answer {
    let text = |key: &str| sent.get(key).and_then(Value::as_str);
    let state = match text("state") {
        Some("pending") => StatusState::Pending,
        Some("success") => StatusState::Success,
        Some("failure") => StatusState::Failure,
        Some("error") => StatusState::Error,
        _ => return refusal(422, "Validation Failed: state is not included in the list"),
    };
    let description = text("description").unwrap_or_default();
    if description.chars().count() > most {
        return refusal(422, "Validation Failed: description is too long");
    }
    if commit.len() != 40 {
        return refusal(422, "No commit found for SHA");
    }
    world.statuses.push(StoredStatus {
        commit,
        context: text("context").unwrap_or("default").to_owned(),
        state,
        description: description.to_owned(),
        target: text("target_url").filter(|url| !url.is_empty()).map(str::to_owned),
    });
    (StatusCode::CREATED, Json(sent.clone())).into_response()
}

/// Whether this is a statement of the App that GitHub takes now.
fn statement_is_good(headers: &HeaderMap) -> bool {
    let header = headers.get("authorization").and_then(|value| value.to_str().ok()).unwrap_or_default();
    let Some(jwt) = header.strip_prefix("Bearer ") else { return false };
    let Some((signed, signature)) = jwt.rsplit_once('.') else { return false };
    let Some((head, claims)) = signed.split_once('.') else { return false };
    let key = RsaKeyPair::from_der(
        PrivatePkcs1KeyDer::from_pem_slice(APP_KEY.as_bytes()).unwrap().secret_pkcs1_der(),
    )
    .unwrap();
    let public = UnparsedPublicKey::new(&RSA_PKCS1_2048_8192_SHA256, key.public().as_ref());
    let decode = |part: &str| URL_SAFE_NO_PAD.decode(part).unwrap_or_default();
    let json = |part: &str| serde_json::from_slice::<Value>(&decode(part)).unwrap_or_default();
    let (head, claims) = (json(head), json(claims));
    let now = crate::tasks::wall_now().0 / 1_000;
    let time = |key: &str| claims.get(key).and_then(Value::as_u64).unwrap_or_default();
    public.verify(signed.as_bytes(), &decode(signature)).is_ok()
        && head["alg"] == "RS256"
        && claims["iss"] == APP_ID
        && time("iat") <= now
        && time("exp") > now
        && time("exp") - time("iat") <= 600
}

async fn app(headers: HeaderMap) -> Answer {
    if !statement_is_good(&headers) {
        return refusal(401, "A JSON web token could not be decoded");
    }
    Json(json!({"slug": "pointsman", "id": 7})).into_response()
}

async fn installation(headers: HeaderMap) -> Answer {
    if !statement_is_good(&headers) {
        return refusal(401, "A JSON web token could not be decoded");
    }
    Json(json!({"id": 4711})).into_response()
}

async fn grant(
    State(world): State<Shared>,
    Path(id): Path<u64>,
    headers: HeaderMap,
    Json(sent): Json<Value>,
) -> Answer {
    if !statement_is_good(&headers) || id != 4711 || sent["repositories"] != json!(["esxi"]) {
        return refusal(401, "Bad credentials");
    }
    let mut world = world.lock().unwrap();
    world.granted += 1;
    let token = format!("ghs_{}", world.granted);
    world.credentials.push(format!("Bearer {token}"));
    (StatusCode::CREATED, Json(json!({"token": token, "expires_at": "2030-01-01T00:00:00Z"}))).into_response()
}
