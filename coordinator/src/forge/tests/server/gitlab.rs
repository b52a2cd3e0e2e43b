//! GitLab's REST API v4 (17), as far as it is used. The project is one path segment; a status that is pending cannot become
//! pending; notes of the system are listed among those of people.

use super::{ACCOUNT, Pull, Shared, StoredComment, StoredStatus, page, refusal};
use crate::forge::{PullState, StatusState};
use axum::extract::{Path, Query, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post, put};
use axum::{Json, Router};
use serde_json::{Value, json};
use std::collections::BTreeMap;

type Args = Query<BTreeMap<String, String>>;
/// The project, then what is below it.
type In<T> = Path<(String, T)>;

const PROJECT: &str = "net/fleet/esxi";

pub fn routes() -> Router<Shared> {
    let base = "/api/v4/projects/{project}";
    Router::new()
        .route("/api/v4/user", get(async || Json(json!({"username": ACCOUNT, "id": 1}))))
        .route(&format!("{base}/merge_requests"), get(pulls))
        .route(&format!("{base}/merge_requests/{{number}}"), get(pull).put(change))
        .route(&format!("{base}/merge_requests/{{number}}/approvals"), get(approvals))
        .route(&format!("{base}/merge_requests/{{number}}/notes"), get(notes).post(add_note))
        .route(&format!("{base}/merge_requests/{{number}}/notes/{{id}}"), put(edit_note).delete(delete_note))
        .route(&format!("{base}/repository/commits/{{commit}}/statuses"), get(statuses))
        .route(&format!("{base}/statuses/{{commit}}"), post(add_status))
}

fn pull_json(pull: &Pull) -> Value {
    json!({
        "iid": pull.number,
        "id": 9_000 + pull.number,
        "title": pull.title,
        "author": {"username": "ann"},
        "state": match pull.state {
            PullState::Open => "opened",
            PullState::Closed => "closed",
            PullState::Merged => "merged",
        },
        "draft": false,
        "sha": pull.head,
        "merge_commit_sha": pull.merged,
        "squash_commit_sha": null,
        "source_branch": "topic",
        "target_branch": pull.base,
        "source_project_id": if pull.fork { 77 } else { 5 },
        "target_project_id": 5,
        "labels": pull.labels,
        "web_url": format!("https://forge.example/net/fleet/esxi/-/merge_requests/{}", pull.number),
    })
}

fn note_json(comment: &StoredComment) -> Value {
    let system = comment.author == "system";
    json!({"id": comment.id, "body": comment.body, "author": {"username": comment.author}, "system": system})
}

fn not_found() -> Response {
    refusal(404, "404 Not found")
}

async fn pulls(State(world): State<Shared>, Path(project): Path<String>, Query(args): Args) -> Response {
    if project != PROJECT {
        return refusal(404, "404 Project Not Found");
    }
    let world = world.lock().unwrap();
    let state = match args.get("state").map(String::as_str) {
        Some("opened") => PullState::Open,
        Some("merged") => PullState::Merged,
        _ => return refusal(400, "state does not have a valid value"),
    };
    let base = args.get("target_branch").cloned();
    let wanted = |pull: &&Pull| pull.state == state && base.as_ref().is_none_or(|base| *base == pull.base);
    let all = world.pulls.values().rev().filter(wanted).map(pull_json).collect();
    page(&world, all, &args, "per_page", 100)
}

async fn pull(State(world): State<Shared>, Path((_, number)): In<u64>) -> Response {
    let world = world.lock().unwrap();
    world.pulls.get(&number).map_or_else(not_found, |pull| Json(pull_json(pull)).into_response())
}

async fn change(
    State(world): State<Shared>,
    Path((_, number)): In<u64>,
    Json(sent): Json<Value>,
) -> Response {
    let mut world = world.lock().unwrap();
    let Some(pull) = world.pulls.get_mut(&number) else { return not_found() };
    let names = |key: &str| -> Vec<String> {
        let text = sent.get(key).and_then(Value::as_str).unwrap_or_default();
        text.split(',').filter(|name| !name.is_empty()).map(str::to_owned).collect()
    };
    let removed = names("remove_labels");
    pull.labels.retain(|label| !removed.contains(label));
    for name in names("add_labels") {
        if !pull.labels.contains(&name) {
            pull.labels.push(name);
        }
    }
    Json(pull_json(pull)).into_response()
}

async fn approvals(State(world): State<Shared>, Path((_, number)): In<u64>) -> Response {
    let world = world.lock().unwrap();
    let of_pull = world.approvals.iter().filter(|(pull, _)| *pull == number);
    let by: Vec<Value> = of_pull.map(|(_, who)| json!({"user": {"username": who}})).collect();
    Json(json!({"approved_by": by})).into_response()
}

async fn notes(State(world): State<Shared>, Path((_, number)): In<u64>, Query(args): Args) -> Response {
    let world = world.lock().unwrap();
    let mut all: Vec<Value> =
        world.comments.iter().filter(|comment| comment.pull == number).map(note_json).collect();
    if args.get("sort").map(String::as_str) != Some("asc") {
        all.reverse();
    }
    page(&world, all, &args, "per_page", 100)
}

async fn add_note(
    State(world): State<Shared>,
    Path((_, number)): In<u64>,
    Json(sent): Json<Value>,
) -> Response {
    let mut world = world.lock().unwrap();
    let Some(body) = sent.get("body").and_then(Value::as_str).filter(|body| !body.is_empty()) else {
        return refusal(400, "body is missing");
    };
    if !world.pulls.contains_key(&number) {
        return not_found();
    }
    let note = world.add_comment(number, ACCOUNT, body);
    (StatusCode::CREATED, Json(note_json(&note))).into_response()
}

async fn edit_note(
    State(world): State<Shared>,
    Path((_, number, id)): Path<(String, u64, u64)>,
    Json(sent): Json<Value>,
) -> Response {
    let mut world = world.lock().unwrap();
    let body = sent.get("body").and_then(Value::as_str).unwrap_or_default().to_owned();
    let found = world.comments.iter_mut().find(|comment| comment.id == id && comment.pull == number);
    let Some(comment) = found else { return not_found() };
    if comment.author != ACCOUNT {
        return refusal(403, "403 Forbidden");
    }
    comment.body = body;
    Json(note_json(comment)).into_response()
}

async fn delete_note(
    State(world): State<Shared>,
    Path((_, number, id)): Path<(String, u64, u64)>,
) -> Response {
    let mut world = world.lock().unwrap();
    let before = world.comments.len();
    world
        .comments
        .retain(|comment| !(comment.id == id && comment.pull == number && comment.author == ACCOUNT));
    if world.comments.len() == before { not_found() } else { StatusCode::NO_CONTENT.into_response() }
}

async fn statuses(State(world): State<Shared>, Path((_, commit)): In<String>, Query(args): Args) -> Response {
    let world = world.lock().unwrap();
    let name = args.get("name").cloned().unwrap_or_default();
    let found = world.status(&commit, &name);
    let all: Vec<Value> =
        found.iter().map(|status| json!({"name": status.context, "status": word(status.state)})).collect();
    Json(all).into_response()
}

fn word(state: StatusState) -> &'static str {
    match state {
        StatusState::Pending => "pending",
        StatusState::Success => "success",
        StatusState::Failure | StatusState::Error => "failed",
    }
}

async fn add_status(
    State(world): State<Shared>,
    Path((_, commit)): In<String>,
    Json(sent): Json<Value>,
) -> Response {
    let mut world = world.lock().unwrap();
    let text = |key: &str| sent.get(key).and_then(Value::as_str);
    let state = match text("state") {
        Some("pending") => StatusState::Pending,
        Some("success") => StatusState::Success,
        Some("failed") => StatusState::Failure,
        _ => return refusal(400, "state does not have a valid value"),
    };
    let context = text("name").unwrap_or("default").to_owned();
    let description = text("description").unwrap_or_default().to_owned();
    if description.chars().count() > 255 {
        return refusal(400, "description is too long (maximum is 255 characters)");
    }
    let stands = world.status(&commit, &context).map(|status| status.state);
    if state == StatusState::Pending && stands == Some(StatusState::Pending) {
        let reason = "Cannot transition status via :enqueue from :pending (Reason(s): Status cannot transition via \"enqueue\")";
        return refusal(400, reason);
    }
    let target = text("target_url").map(str::to_owned);
    world.statuses.push(StoredStatus { commit, context, state, description, target });
    (StatusCode::CREATED, Json(json!({"status": word(state)}))).into_response()
}
