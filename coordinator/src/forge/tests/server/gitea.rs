//! Gitea's API v1 (1.22; Forgejo's is the same here), as far as it is used. Comments come without pages, a page has at most 50
//! entries, labels are numbers and have to exist.

use super::github::store_status;
use super::{ACCOUNT, Pull, Shared, StoredComment, page, refusal};
use crate::forge::PullState;
use axum::extract::{Path, Query, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use axum::routing::{get, patch, post};
use axum::{Json, Router};
use serde_json::{Value, json};
use std::collections::BTreeMap;

type Args = Query<BTreeMap<String, String>>;

pub fn routes() -> Router<Shared> {
    let repo = Router::new()
        .route("/pulls", get(pulls))
        .route("/pulls/{number}", get(pull))
        .route("/pulls/{number}/reviews", get(reviews))
        .route("/issues/{number}/comments", get(comments).post(add_comment))
        .route("/issues/comments/{id}", patch(edit_comment).delete(delete_comment))
        .route("/labels", get(labels).post(make_label))
        .route("/issues/{number}/labels", post(add_labels))
        .route("/issues/{number}/labels/{id}", axum::routing::delete(remove_label))
        .route("/statuses/{commit}", post(add_status));
    Router::new()
        .route("/api/v1/user", get(async || Json(json!({"login": ACCOUNT, "id": 1}))))
        .nest("/api/v1/repos/net/esxi", repo)
}

fn pull_json(pull: &Pull) -> Value {
    let repo = if pull.fork { Value::Null } else { json!({"full_name": "net/esxi"}) };
    json!({
        "number": pull.number,
        "title": pull.title,
        "user": {"login": "ann"},
        "state": if pull.state == PullState::Open { "open" } else { "closed" },
        "draft": false,
        "merged": pull.state == PullState::Merged,
        "merge_commit_sha": pull.merged,
        "head": {"sha": pull.head, "ref": "topic", "repo": repo},
        "base": {"ref": pull.base, "sha": "0".repeat(40), "repo": {"full_name": "net/esxi"}},
        "labels": pull.labels.iter().map(|name| json!({"id": 1, "name": name})).collect::<Vec<_>>(),
        "html_url": format!("https://forge.example/net/esxi/pulls/{}", pull.number),
    })
}

fn comment_json(comment: &StoredComment) -> Value {
    json!({
        "id": comment.id,
        "body": comment.body,
        "user": {"login": comment.author},
        "html_url": format!("https://forge.example/net/esxi/pulls/{}#issuecomment-{}", comment.pull, comment.id),
    })
}

async fn pulls(State(world): State<Shared>, Query(args): Args) -> Response {
    let world = world.lock().unwrap();
    let open = args.get("state").map_or("open", String::as_str) == "open";
    let wanted = |pull: &&Pull| (pull.state == PullState::Open) == open;
    let all = world.pulls.values().rev().filter(wanted).map(pull_json).collect();
    page(&world, all, &args, "limit", 50)
}

async fn pull(State(world): State<Shared>, Path(number): Path<u64>) -> Response {
    let world = world.lock().unwrap();
    let found = world.pulls.get(&number);
    found.map_or_else(
        || refusal(404, "pull request does not exist"),
        |pull| Json(pull_json(pull)).into_response(),
    )
}

async fn reviews(State(world): State<Shared>, Path(number): Path<u64>, Query(args): Args) -> Response {
    let world = world.lock().unwrap();
    let head = world.pulls.get(&number).map(|pull| pull.head.clone());
    let review =
        |(_, who): &(u64, String)| json!({"user": {"login": who}, "state": "APPROVED", "commit_id": head});
    let all = world.approvals.iter().filter(|(pull, _)| *pull == number).map(review).collect();
    page(&world, all, &args, "limit", 50)
}

async fn comments(State(world): State<Shared>, Path(number): Path<u64>) -> Response {
    let world = world.lock().unwrap();
    let all: Vec<Value> =
        world.comments.iter().filter(|comment| comment.pull == number).map(comment_json).collect();
    Json(all).into_response()
}

async fn add_comment(
    State(world): State<Shared>,
    Path(number): Path<u64>,
    Json(sent): Json<Value>,
) -> Response {
    let mut world = world.lock().unwrap();
    let Some(body) = sent.get("body").and_then(Value::as_str).filter(|body| !body.is_empty()) else {
        return refusal(422, "[Body]: Required");
    };
    if !world.pulls.contains_key(&number) {
        return refusal(404, "issue does not exist");
    }
    let comment = world.add_comment(number, ACCOUNT, body);
    (StatusCode::CREATED, Json(comment_json(&comment))).into_response()
}

async fn edit_comment(State(world): State<Shared>, Path(id): Path<u64>, Json(sent): Json<Value>) -> Response {
    let mut world = world.lock().unwrap();
    let body = sent.get("body").and_then(Value::as_str).unwrap_or_default().to_owned();
    let Some(comment) = world.comments.iter_mut().find(|comment| comment.id == id) else {
        return refusal(404, "comment does not exist");
    };
    if comment.author != ACCOUNT {
        return refusal(403, "user is not the poster of this comment");
    }
    comment.body = body;
    Json(comment_json(comment)).into_response()
}

async fn delete_comment(State(world): State<Shared>, Path(id): Path<u64>) -> Response {
    let mut world = world.lock().unwrap();
    let before = world.comments.len();
    world.comments.retain(|comment| comment.id != id || comment.author != ACCOUNT);
    if world.comments.len() == before {
        refusal(404, "comment does not exist")
    } else {
        StatusCode::NO_CONTENT.into_response()
    }
}

/// Numbers of labels begin at 100.
async fn labels(State(world): State<Shared>, Query(args): Args) -> Response {
    let world = world.lock().unwrap();
    let label = |(at, name): (usize, &String)| json!({"id": at + 100, "name": name, "color": "ffffff"});
    let all = world.labels.iter().enumerate().map(label).collect();
    page(&world, all, &args, "limit", 50)
}

async fn make_label(State(world): State<Shared>, Json(sent): Json<Value>) -> Response {
    let mut world = world.lock().unwrap();
    let name = sent.get("name").and_then(Value::as_str).unwrap_or_default();
    let colour = sent.get("color").and_then(Value::as_str).unwrap_or_default().trim_start_matches('#');
    if name.is_empty() || colour.len() != 6 || !colour.bytes().all(|byte| byte.is_ascii_hexdigit()) {
        return refusal(422, "invalid color");
    }
    world.labels.push(name.to_owned());
    let id = world.labels.len() + 99;
    (StatusCode::CREATED, Json(json!({"id": id, "name": name}))).into_response()
}

async fn add_labels(
    State(world): State<Shared>,
    Path(number): Path<u64>,
    Json(sent): Json<Value>,
) -> Response {
    let mut world = world.lock().unwrap();
    let ids = sent.get("labels").and_then(Value::as_array).cloned().unwrap_or_default();
    let name = |id: &Value| world.labels.get(usize::try_from(id.as_u64()?).ok()?.checked_sub(100)?).cloned();
    let Some(names) = ids.iter().map(name).collect::<Option<Vec<_>>>() else {
        return refusal(422, "a label does not exist");
    };
    let Some(pull) = world.pulls.get_mut(&number) else { return refusal(404, "issue does not exist") };
    for name in names {
        if !pull.labels.contains(&name) {
            pull.labels.push(name);
        }
    }
    Json(json!([])).into_response()
}

async fn remove_label(State(world): State<Shared>, Path((number, id)): Path<(u64, usize)>) -> Response {
    let mut world = world.lock().unwrap();
    let Some(name) = id.checked_sub(100).and_then(|at| world.labels.get(at)).cloned() else {
        return refusal(422, "label does not exist");
    };
    let Some(pull) = world.pulls.get_mut(&number) else { return refusal(404, "issue does not exist") };
    pull.labels.retain(|known| *known != name);
    StatusCode::NO_CONTENT.into_response()
}

async fn add_status(
    State(world): State<Shared>,
    Path(commit): Path<String>,
    Json(sent): Json<Value>,
) -> Response {
    store_status(&mut world.lock().unwrap(), commit, &sent, 255)
}
