//! Handlers through the router, on a real SQLite database.

mod access;
mod limits;
mod oidc;
mod people;

use super::testkit::{Rig, TOKEN};
use crate::cli::import::testkit::host;
use axum::body::Body;
use axum::http::{Method, Request, StatusCode};
use http::header::{AUTHORIZATION, CONTENT_TYPE, LOCATION, SET_COOKIE};
use serde_json::{Value, json};
use tower::ServiceExt;

/// Largest answer read, in bytes.
const ANSWER_BYTES_MAX: usize = 4 * 1024 * 1024;

pub(super) struct Answer {
    pub(super) status: StatusCode,
    media: String,
    pub(super) body: Value,
    cookie: Option<String>,
    location: Option<String>,
}

fn send(rig: &Rig, request: Request<Body>) -> Answer {
    rig.wait(async {
        let response = rig.router().oneshot(request).await.unwrap();
        let status = response.status();
        let media = response.headers().get(CONTENT_TYPE).map(|v| v.to_str().unwrap().to_owned());
        let cookie = response.headers().get(SET_COOKIE).map(|v| v.to_str().unwrap().to_owned());
        let location = response.headers().get(LOCATION).map(|v| v.to_str().unwrap().to_owned());
        let bytes = axum::body::to_bytes(response.into_body(), ANSWER_BYTES_MAX).await.unwrap();
        let body = serde_json::from_slice(&bytes).unwrap_or(Value::Null);
        Answer { status, media: media.unwrap_or_default(), body, cookie, location }
    })
}

fn ask(rig: &Rig, method: Method, path: &str, body: Body) -> Answer {
    ask_as(rig, TOKEN, method, path, body)
}

fn ask_as(rig: &Rig, token: &str, method: Method, path: &str, body: Body) -> Answer {
    let request = Request::builder()
        .method(method)
        .uri(format!("/api/v1/{path}"))
        .header(AUTHORIZATION, format!("Bearer {token}"))
        .header(CONTENT_TYPE, "application/json")
        .body(body);
    send(rig, request.unwrap())
}

pub(super) fn get(rig: &Rig, path: &str) -> Answer {
    ask(rig, Method::GET, path, Body::empty())
}

pub(super) fn post(rig: &Rig, path: &str, body: &Value) -> Answer {
    ask(rig, Method::POST, path, Body::from(body.to_string()))
}

pub(super) fn post_as(rig: &Rig, token: &str, path: &str, body: &Value) -> Answer {
    ask_as(rig, token, Method::POST, path, Body::from(body.to_string()))
}

/// The newest audit entries, newest first: who, what, about what, more.
fn audit(rig: &Rig, limit: u32) -> Vec<[String; 4]> {
    let page = get(rig, &format!("audit?limit={limit}")).body;
    let text = |entry: &Value, key: &str| entry[key].as_str().unwrap().to_owned();
    let entries = page["items"].as_array().unwrap().iter();
    entries.map(|e| [text(e, "actor"), text(e, "action"), text(e, "subject"), text(e, "detail")]).collect()
}

pub(super) fn assert_problem(answer: &Answer, status: u16, kind: &str) {
    assert_eq!(answer.status.as_u16(), status, "{}", answer.body);
    assert_eq!(answer.media, "application/problem+json");
    assert_eq!(answer.body["kind"], kind);
    assert_eq!(answer.body["status"], status);
    assert!(answer.body["message"].as_str().is_some_and(|message| message.len() > 10));
}

#[test]
fn only_health_is_open() {
    let rig = Rig::new();
    let bare = |path: &str, token: Option<&str>| {
        let mut request = Request::builder().uri(format!("/api/v1/{path}"));
        if let Some(token) = token {
            request = request.header(AUTHORIZATION, token);
        }
        send(&rig, request.body(Body::empty()).unwrap())
    };
    assert_eq!(bare("healthz", None).status, StatusCode::OK);
    for token in [None, Some("Bearer wrong"), Some("Bearer "), Some(TOKEN)] {
        for path in ["hosts", "status", "rollouts/x", "nothing"] {
            let answer = bare(path, token);
            if path == "nothing" {
                assert!(answer.status.is_client_error());
            } else {
                assert_problem(&answer, 401, "unauthorised");
            }
        }
    }
}

#[test]
fn hosts_come_in_pages_and_bad_cursors_are_refused() {
    let rig = Rig::new();
    rig.add_hosts(&["esx01", "esx02", "esx03"]);
    let first = get(&rig, "hosts?limit=2");
    assert_eq!(first.body["items"].as_array().unwrap().len(), 2);
    let next = first.body["next"].as_str().unwrap().to_owned();
    let second = get(&rig, &format!("hosts?limit=2&cursor={next}"));
    assert_eq!(second.body["items"][0]["id"], "esx03");
    assert_eq!(second.body["next"], Value::Null);
    for cursor in ["esx01", "p1-zz", "p1-6", "p1-2f", "p1-ff", "p1-"] {
        assert_problem(&get(&rig, &format!("hosts?cursor={cursor}")), 400, "bad_cursor");
    }
    for query in ["limit=0", "limit=501", "limit=many", "unknown=1"] {
        assert_problem(&get(&rig, &format!("hosts?{query}")), 400, "bad_request");
    }
    assert_problem(&get(&rig, "rfcs?cursor=p1-6161"), 400, "bad_cursor");
}

#[test]
fn unknown_ids_and_routes_are_problems() {
    let rig = Rig::new();
    for path in [
        "hosts/esx99",
        "hosts/%20",
        "hosts/esx99/observed",
        "rfcs/1",
        "rfcs/x",
        "changes/c9",
        "changes/c9/plans",
        "rollouts/r9",
    ] {
        assert_problem(&get(&rig, path), 404, "not_found");
    }
    assert_problem(&get(&rig, "nothing/here"), 404, "no_such_route");
    assert_problem(&ask(&rig, Method::DELETE, "hosts", Body::empty()), 405, "no_such_method");
    assert_problem(&post(&rig, "rollouts/r9/pause", &json!({ "reason": "x" })), 404, "not_found");
    assert_problem(&post(&rig, "rollouts/r9/explode", &json!({ "reason": "x" })), 404, "no_such_route");
}

#[test]
fn a_host_shows_its_observation() {
    let rig = Rig::new();
    rig.add_hosts(&["esx01"]);
    assert_problem(&get(&rig, "hosts/esx01/observed"), 404, "not_found");
    let observed = host("esx01", 11);
    rig.observe("esx01", &observed);
    let answer = get(&rig, "hosts/esx01/observed");
    assert_eq!(answer.body["network"], serde_json::to_value(&observed).unwrap());
    assert_eq!(answer.body["hash"], "hash-1");
    let shown = get(&rig, "hosts/esx01").body;
    assert_eq!(
        (&shown["connected"], &shown["facts"]["hostname"]),
        (&json!(false), &json!("esx01.example.net"))
    );
}

#[test]
fn changes_show_plans_and_rollouts_their_waves() {
    let rig = Rig::new();
    rig.add_change("c1", &["esx01", "esx02"]);
    assert_eq!(get(&rig, "changes").body["items"][0]["summary"], "New VLAN");
    let change = get(&rig, "changes/c1").body;
    assert_eq!((&change["status"], &change["rollout"]), (&json!("accepted"), &json!("rollout-c1")));
    assert_eq!(
        change["plans"][1]["steps"][0]["esxcli"],
        "esxcli network vswitch standard portgroup set --portgroup-name='VM Network' --vlan-id=31"
    );
    assert_eq!(get(&rig, "changes/c1/plans?limit=1").body["items"][0]["host"], "esx01");
    let rollout = get(&rig, "rollouts/rollout-c1").body;
    assert_eq!(rollout["waves"][1]["number"], 2);
    assert_eq!(rollout["waves"][1]["hosts"][0]["state"], "pending");
    assert_eq!(get(&rig, "groups").body["items"].as_array().unwrap().len(), 1);
    assert_eq!(get(&rig, "status").body["active_rollouts"], 1);
    assert_eq!(get(&rig, "drift").body["items"], json!([]));
    assert_eq!(get(&rig, "audit/verify").body["verdict"], "intact");
}

#[test]
fn commands_need_a_reason_and_reach_the_driver() {
    let rig = Rig::new();
    rig.add_change("c1", &["esx01"]);
    assert_problem(&post(&rig, "rollouts/rollout-c1/pause", &json!({ "reason": " " })), 400, "bad_request");
    assert_problem(&post(&rig, "rollouts/rollout-c1/pause", &json!({})), 400, "bad_request");
    assert_problem(&post(&rig, "rollouts/rollout-c1/resume", &json!({ "reason": "go" })), 409, "conflict");
    assert_eq!(post(&rig, "rollouts/rollout-c1/abort", &json!({ "reason": "smoke" })).status, StatusCode::OK);
    assert_eq!(post(&rig, "repo/sync", &json!({})).status, StatusCode::OK);
    assert_eq!(rig.actions(), ["abort rollout-c1 by operator: smoke", "nudge"]);
}

#[test]
fn tokens_are_made_within_limits_and_noted() {
    let rig = Rig::new();
    let answer = post(&rig, "tokens", &json!({ "host": "esx05", "ttl_secs": 60 }));
    assert!(answer.body["token"].as_str().unwrap().starts_with("pointsman-enrol-"));
    let noted = get(&rig, "audit?limit=1").body;
    assert_eq!(
        (&noted["items"][0]["action"], &noted["items"][0]["subject"]),
        (&json!("token.created"), &json!("host/esx05"))
    );
    assert!(!noted.to_string().contains(answer.body["token"].as_str().unwrap()));
    for body in [
        json!({ "host": "esx05", "ttl_secs": 0 }),
        json!({ "host": "esx05", "ttl_secs": 604_801 }),
        json!({ "host": "-x", "ttl_secs": 60 }),
        json!({ "host": "esx05", "ttl_secs": 60, "more": 1 }),
        json!({ "ttl_secs": 60 }),
        json!({ "system_uuid": "00000000-0000-0000-0000-000000000000", "ttl_secs": 60 }),
    ] {
        assert_problem(&post(&rig, "tokens", &body), 400, "bad_request");
    }
    let large = Body::from(format!("{{\"host\":\"{}\"}}", "x".repeat(300 * 1024)));
    assert_problem(&ask(&rig, Method::POST, "tokens", large), 413, "too_large");
}

#[test]
fn identities_are_shown_and_decided() {
    let rig = Rig::new();
    let machine = "4C4C4544-0044-3510-8052-B4C04F4E4D32";
    let answer = post(&rig, "tokens", &json!({ "system_uuid": machine, "ttl_secs": 60, "approval": false }));
    assert_eq!(answer.body["system_uuid"], machine.to_lowercase());
    assert_eq!(answer.body["approval"], false);
    assert_eq!(get(&rig, "enrolments").body["items"], json!([]));
    assert_problem(&post(&rig, "hosts/esx05/approve", &json!({})), 409, "conflict");
    assert_problem(&post(&rig, "hosts/esx05/revoke", &json!({ "reason": "gone" })), 404, "not_found");
    assert_problem(&get(&rig, "hosts/esx05/identity"), 404, "not_found");
    rig.add_hosts(&["esx05"]);
    assert_eq!(get(&rig, "hosts/esx05/identity").body["status"], "expected");
    assert_problem(&post(&rig, "hosts/esx05/revoke", &json!({ "reason": "gone" })), 409, "conflict");
    assert_problem(&post(&rig, "hosts/esx05/revoke", &json!({ "reason": " " })), 400, "bad_request");
    rig.request_enrolment("esx05");
    let waiting = get(&rig, "enrolments").body["items"][0].clone();
    assert_eq!((&waiting["host"], &waiting["replaces"]), (&json!("esx05"), &json!("expected")));
    let wrong = json!({ "fingerprint": "0".repeat(64) });
    assert_problem(&post(&rig, "hosts/esx05/approve", &wrong), 409, "conflict");
    let right = json!({ "fingerprint": waiting["key"] });
    assert_eq!(post(&rig, "hosts/esx05/approve", &right).status, StatusCode::OK);
    assert_eq!(get(&rig, "enrolments").body["items"], json!([]));
    rig.request_enrolment("esx05");
    assert_eq!(post(&rig, "hosts/esx05/deny", &json!({ "reason": "unknown" })).status, StatusCode::OK);
}
