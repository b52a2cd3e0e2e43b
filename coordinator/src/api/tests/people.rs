//! Signing in, users and API tokens through the router.

use super::{Rig, ask_as, assert_problem, audit, get, post, post_as, send};
use crate::people::Role;
use crate::store::sessions::SessionKind;
use axum::body::Body;
use axum::http::{Method, Request};
use http::header::{AUTHORIZATION, COOKIE};
use serde_json::{Value, json};

const PASSWORD: &str = "correct horse battery";

fn add_ann(rig: &Rig, roles: &[&str]) {
    let ann = json!({ "name": "ann", "email": "ann@example.net", "roles": roles, "password": PASSWORD });
    let answer = post(rig, "users", &ann);
    assert_eq!(answer.status.as_u16(), 200, "{}", answer.body);
}

fn sign_in(rig: &Rig, password: &str, kind: &str) -> super::Answer {
    let body = json!({ "user": "ann", "password": password, "kind": kind }).to_string();
    let request = Request::post("/api/v1/session").header("content-type", "application/json");
    send(rig, request.body(Body::from(body)).unwrap())
}

#[test]
fn a_user_is_made_signs_in_and_out() {
    let rig = Rig::new();
    add_ann(&rig, &["operator", "viewer"]);
    assert_problem(&sign_in(&rig, "wrong wrong wrong", "cli"), 401, "sign_in_refused");
    let session = sign_in(&rig, PASSWORD, "cli").body;
    let token = session["token"].as_str().unwrap().to_owned();
    assert!(token.starts_with("pointsman-session-"));
    let who = ask_as(&rig, &token, Method::GET, "whoami", Body::empty()).body;
    assert_eq!((&who["actor"], &who["roles"]), (&json!("user:ann"), &json!(["viewer", "operator"])));
    let shown = get(&rig, "users").body.to_string();
    assert!(shown.contains("ann@example.net") && !shown.contains("argon2"), "{shown}");
    let trail = format!("{:?}", audit(&rig, 50));
    assert!(
        !trail.contains(PASSWORD) && !trail.contains(&token) && trail.contains("wrong_password"),
        "{trail}"
    );
    assert_eq!(ask_as(&rig, &token, Method::DELETE, "session", Body::empty()).status.as_u16(), 200);
    assert_problem(&ask_as(&rig, &token, Method::GET, "whoami", Body::empty()), 401, "unauthorised");
}

#[test]
fn a_browser_gets_a_cookie_and_no_token() {
    let rig = Rig::new();
    add_ann(&rig, &["viewer"]);
    let answer = sign_in(&rig, PASSWORD, "browser");
    assert_eq!(answer.body["token"], Value::Null);
    let cookie = answer.cookie.unwrap();
    assert!(
        cookie.starts_with("pointsman-session=") && cookie.ends_with("; HttpOnly; SameSite=Lax"),
        "{cookie}"
    );
    let pair = cookie.split(';').next().unwrap();
    let request = Request::get("/api/v1/whoami").header(COOKIE, pair);
    let who = send(&rig, request.body(Body::empty()).unwrap()).body;
    assert_eq!((&who["user"], &who["csrf"]), (&json!("ann"), &answer.body["csrf"]));
    // A header that is there counts, not the cookie beside it.
    let request = Request::get("/api/v1/whoami").header(COOKIE, pair).header(AUTHORIZATION, "Bearer x");
    assert_problem(&send(&rig, request.body(Body::empty()).unwrap()), 401, "unauthorised");
}

#[test]
fn changes_of_a_user_count_at_once() {
    let rig = Rig::new();
    add_ann(&rig, &["admin"]);
    let token = sign_in(&rig, PASSWORD, "cli").body["token"].as_str().unwrap().to_owned();
    let users = |token: &str| ask_as(&rig, token, Method::GET, "users", Body::empty()).status.as_u16();
    let change = |body: Value| {
        ask_as(&rig, super::TOKEN, Method::PATCH, "users/ann", Body::from(body.to_string())).status.as_u16()
    };
    assert_eq!(users(&token), 200);
    assert_eq!(change(json!({ "roles": ["viewer"] })), 200);
    assert_eq!(users(&token), 403);
    assert_eq!(change(json!({ "roles": [] })), 400);
    assert_eq!(change(json!({ "status": "disabled" })), 200);
    assert_eq!(users(&token), 401);
    assert_problem(&sign_in(&rig, PASSWORD, "cli"), 401, "sign_in_refused");
    assert_eq!(change(json!({ "status": "active", "email": "" })), 200);
    let token = sign_in(&rig, PASSWORD, "cli").body["token"].as_str().unwrap().to_owned();
    let set = |token: &str, body: Value| post_as(&rig, token, "users/ann/password", &body);
    let fresh = "a quite different one";
    assert_problem(&set(&token, json!({ "password": fresh })), 403, "forbidden");
    assert_problem(&set(&token, json!({ "before": PASSWORD, "password": "short" })), 400, "bad_request");
    assert_eq!(set(&token, json!({ "before": PASSWORD, "password": fresh })).status.as_u16(), 200);
    assert_eq!(users(&token), 401, "its sessions ended");
    assert_eq!(sign_in(&rig, fresh, "cli").status.as_u16(), 200);
    let other = rig.session(Role::Operator, SessionKind::Cli);
    assert_problem(&set(&other, json!({ "before": fresh, "password": PASSWORD })), 403, "forbidden");
}

#[test]
fn bad_users_are_refused() {
    let rig = Rig::new();
    add_ann(&rig, &["viewer"]);
    let user = |name: &str, email: &str, roles: Value, password: &str| {
        let body = json!({ "name": name, "email": email, "roles": roles, "password": password });
        post(&rig, "users", &body)
    };
    let good = json!(["viewer"]);
    assert_problem(&user("ann", "a@b.c", good.clone(), PASSWORD), 409, "conflict");
    for (name, email, roles, password) in [
        ("Bob", "a@b.c", &good, PASSWORD),
        ("../bob", "a@b.c", &good, PASSWORD),
        ("bob", "not an address", &good, PASSWORD),
        ("bob", "a@b.c", &json!([]), PASSWORD),
        ("bob", "a@b.c", &json!(["king"]), PASSWORD),
        ("bob", "a@b.c", &good, "short"),
        ("bob", "a@b.c", &good, "aaaaaaaaaaaaaaaa"),
        ("bob", "a@b.c", &good, "this is Bob's one"),
    ] {
        assert_problem(&user(name, email, roles.clone(), password), 400, "bad_request");
    }
}

#[test]
fn api_tokens_are_scoped_listed_and_revoked() {
    let rig = Rig::new();
    let operator = rig.session(Role::Operator, SessionKind::Cli);
    let viewer = rig.session(Role::Viewer, SessionKind::Cli);
    let make = |by: &str, role: &str| {
        post_as(&rig, by, "api-tokens", &json!({ "name": "nightly", "role": role, "ttl_secs": 3600 }))
    };
    assert_problem(&make(&operator, "admin"), 403, "forbidden");
    assert_problem(&make(&viewer, "operator"), 403, "forbidden");
    let made = make(&operator, "viewer").body;
    let (id, token) = (made["id"].as_str().unwrap(), made["token"].as_str().unwrap());
    assert_eq!(ask_as(&rig, token, Method::GET, "hosts", Body::empty()).status.as_u16(), 200);
    assert_problem(&post_as(&rig, token, "repo/sync", &json!({})), 403, "forbidden");
    assert_problem(&make(token, "viewer"), 403, "forbidden");
    assert_eq!(audit(&rig, 2)[1][0], format!("user:the-operator+token:{id}"));
    let list = |by: &str| ask_as(&rig, by, Method::GET, "api-tokens", Body::empty()).body;
    assert_eq!(list(&viewer)["items"], json!([]));
    let own = list(&operator);
    assert_eq!((&own["items"][0]["id"], &own["items"][0]["token"]), (&json!(id), &Value::Null));
    assert!(own["items"][0]["last_used"].is_u64());
    let revoke = |by: &str| ask_as(&rig, by, Method::DELETE, &format!("api-tokens/{id}"), Body::empty());
    assert_problem(&revoke(&viewer), 404, "not_found");
    assert_eq!(revoke(&operator).status.as_u16(), 200);
    assert_problem(&ask_as(&rig, token, Method::GET, "hosts", Body::empty()), 401, "unauthorised");
    for body in [
        json!({ "name": " ", "role": "viewer", "ttl_secs": 60 }),
        json!({ "name": "x", "role": "viewer", "ttl_secs": 0 }),
        json!({ "name": "x", "role": "viewer", "ttl_secs": 90 * 86_400 + 1 }),
        json!({ "name": "x", "role": "viewer" }),
    ] {
        assert_problem(&post(&rig, "api-tokens", &body), 400, "bad_request");
    }
    // An admin's API token administers the fleet, not people.
    let admin = post(&rig, "api-tokens", &json!({ "name": "a", "role": "admin", "ttl_secs": 60 })).body;
    let admin = admin["token"].as_str().unwrap();
    assert_problem(&ask_as(&rig, admin, Method::GET, "users", Body::empty()), 403, "forbidden");
}
