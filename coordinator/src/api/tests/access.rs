//! Who may use which route: all of them are walked, for nobody, for every role, for tokens and for cookies.

use super::{Rig, TOKEN, ask_as, assert_problem, audit, get, post, post_as, send};
use crate::api::admission::{self, Admission};
use crate::api::routes::{Access, Declared};
use crate::api::v1;
use crate::people::{Permission, Role};
use crate::store::hosts::HostStatus;
use crate::store::sessions::SessionKind;
use axum::body::Body;
use axum::http::{Method, Request};
use axum::middleware::from_fn_with_state;
use axum::routing::get as on_get;
use http::header::{AUTHORIZATION, COOKIE, HOST, ORIGIN};
use serde_json::json;
use std::sync::Arc;
use tower::ServiceExt;

fn declared() -> Declared {
    v1::routes().split().1
}

/// A path of the table as somebody would ask for it.
fn concrete(path: &str) -> String {
    let part = |part: &str| if part.starts_with('{') { "x1".to_owned() } else { part.to_owned() };
    path.trim_start_matches('/').split('/').map(part).collect::<Vec<_>>().join("/")
}

fn permission_of(access: Access) -> Option<Permission> {
    match access {
        Access::Open => None,
        Access::Needs(permission) | Access::InGroup(permission) => Some(permission),
    }
}

#[test]
fn every_route_lets_in_exactly_those_who_may() {
    let rig = Rig::new();
    let declared = declared();
    let mut walked = 0;
    for (path, method, access) in declared.all() {
        let Some(permission) = permission_of(access) else { continue };
        walked += 1;
        let nobody = ask_as(&rig, "wrong", method.clone(), &concrete(path), Body::empty());
        assert_problem(&nobody, 401, "unauthorised");
        for role in Role::ALL {
            let session = rig.session(role, SessionKind::Cli);
            let answer = ask_as(&rig, &session, method.clone(), &concrete(path), Body::empty());
            let may = permission.roles().contains(&role);
            let let_in = !matches!(answer.status.as_u16(), 401 | 403);
            assert_eq!(let_in, may, "{role} on {method} {path}: {} {}", answer.status, answer.body);
            if !may {
                assert_problem(&answer, 403, "forbidden");
            }
        }
    }
    assert!(walked >= 27, "{walked} routes were walked");
    let open: Vec<_> = declared.all().filter(|(_, _, access)| *access == Access::Open).collect();
    let open: Vec<String> = open.iter().map(|(path, method, _)| format!("{method} {path}")).collect();
    let reasoned = [
        "GET /healthz",
        "GET /oidc/callback",
        "GET /oidc/login",
        "POST /oidc/redeem",
        "POST /session",
        "GET /sign-in-methods",
    ];
    assert_eq!(open, reasoned, "a route that is open to all needs a reason");
}

#[test]
fn a_route_that_was_not_declared_is_nobodys() {
    let rig = Rig::new();
    let (routes, declared) = v1::routes().split();
    let parts = rig.parts().clone();
    let admission =
        Admission::new(declared, parts.people.clone(), parts.db.clone(), Arc::clone(&parts.tally));
    let inner = routes
        .route("/sneaky", on_get(async || "in"))
        .with_state(parts)
        .layer(from_fn_with_state(Arc::new(admission), admission::admit));
    let router = axum::Router::new().nest("/api/v1", inner);
    let request = Request::get("/api/v1/sneaky").header(AUTHORIZATION, format!("Bearer {TOKEN}"));
    let response = rig.wait(router.oneshot(request.body(Body::empty()).unwrap())).unwrap();
    assert_eq!(response.status().as_u16(), 403);
    let [actor, action, subject, detail] = audit(&rig, 1).remove(0);
    assert_eq!(
        (actor.as_str(), action.as_str(), subject.as_str()),
        ("operator", "access.denied", "route/GET /sneaky")
    );
    assert!(detail.contains("not_declared"), "{detail}");
}

#[test]
fn decisions_are_in_the_audit_trail_with_who() {
    let rig = Rig::new();
    rig.add_change("c1", &["esx01"]);
    let viewer = rig.session(Role::Viewer, SessionKind::Cli);
    let operator = rig.session(Role::Operator, SessionKind::Cli);
    let path = "rollouts/rollout-c1/pause";
    assert_problem(&post_as(&rig, &viewer, path, &json!({ "reason": "x" })), 403, "forbidden");
    let [actor, action, subject, detail] = audit(&rig, 1).remove(0);
    assert_eq!([actor, action], ["user:the-viewer", "access.denied"]);
    assert_eq!(subject, "route/POST /rollouts/{id}/{command}");
    assert!(detail.contains("rollout_steer"), "{detail}");
    assert_eq!(post_as(&rig, &operator, path, &json!({ "reason": "x" })).status.as_u16(), 200);
    let [actor, action, ..] = audit(&rig, 1).remove(0);
    assert_eq!([actor, action], ["user:the-operator", "access.allowed"]);
    assert_eq!(rig.actions(), ["pause rollout-c1 by user:the-operator: x"]);
    // Nobody: the token that was tried is nowhere.
    assert_problem(&post_as(&rig, "tried-secret", path, &json!({})), 401, "unauthorised");
    let [actor, action, _, detail] = audit(&rig, 1).remove(0);
    assert_eq!([actor.as_str(), action.as_str()], ["nobody", "access.denied"]);
    assert!(!detail.contains("tried-secret"));
    // Reading is no decision worth a line.
    let before = get(&rig, "audit/verify").body["entries"].clone();
    get(&rig, "hosts");
    assert_eq!(get(&rig, "audit/verify").body["entries"], before);
}

#[test]
fn a_browsers_writes_need_the_second_secret_and_our_own_pages() {
    let rig = Rig::new();
    let secret = rig.session(Role::Operator, SessionKind::Browser);
    let send = |method: Method, path: &str, headers: &[(&str, &str)]| {
        let mut request = Request::builder().method(method).uri(format!("/api/v1/{path}"));
        request = request.header(COOKIE, format!("a=b; pointsman-session={secret}"));
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        send(&rig, request.body(Body::empty()).unwrap())
    };
    let who = send(Method::GET, "whoami", &[]).body;
    assert_eq!(who["actor"], "user:the-operator");
    let csrf = who["csrf"].as_str().unwrap();
    let (host, origin) = (HOST.as_str(), ORIGIN.as_str());
    for headers in [
        &[][..],
        &[("x-pointsman-csrf", "wrong")],
        &[("x-pointsman-csrf", csrf), ("sec-fetch-site", "cross-site")],
        &[("x-pointsman-csrf", csrf), (origin, "https://evil.example"), (host, "p.example")],
        &[("x-pointsman-csrf", csrf), (origin, "null"), (host, "p.example")],
    ] {
        assert_problem(&send(Method::POST, "repo/sync", headers), 403, "cross_site");
    }
    assert!(rig.actions().is_empty());
    let good = [("x-pointsman-csrf", csrf), (origin, "https://p.example"), (host, "p.example")];
    assert_eq!(send(Method::POST, "repo/sync", &good).status.as_u16(), 200);
    // The cookie's secret is none for the header, and two cookies of the name are none.
    assert_problem(&ask_as(&rig, &secret, Method::GET, "whoami", Body::empty()), 401, "unauthorised");
    let twice = [(COOKIE.as_str(), "pointsman-session=planted")];
    assert_problem(&send(Method::GET, "whoami", &twice), 401, "unauthorised");
}

#[test]
fn a_token_for_one_group_sees_and_touches_nothing_else() {
    let rig = Rig::new();
    rig.add_hosts_of("prod", &["esx01"]);
    rig.add_hosts_of("lab", &["esx02"]);
    rig.add_change_of("prod", "c1", &["esx01"]);
    rig.add_change_of("lab", "c2", &["esx02"]);
    let asked = json!({ "name": "pipeline", "role": "operator", "group": "prod", "ttl_secs": 60 });
    let made = post(&rig, "api-tokens", &asked).body;
    let token = made["token"].as_str().unwrap();
    let get = |path: &str| ask_as(&rig, token, Method::GET, path, Body::empty());
    assert_eq!(get("whoami").body["group"], "prod");
    let hosts = get("hosts").body;
    assert_eq!((hosts["items"].as_array().unwrap().len(), &hosts["items"][0]["id"]), (1, &json!("esx01")));
    assert_eq!(get("groups").body["items"].as_array().unwrap().len(), 1);
    assert_eq!(get("hosts/esx01").status.as_u16(), 200);
    assert_problem(&get("hosts/esx02"), 404, "not_found");
    assert_problem(&get("hosts/esx02/observed"), 404, "not_found");
    let reason = json!({ "reason": "x" });
    assert_eq!(post_as(&rig, token, "rollouts/rollout-c1/pause", &reason).status.as_u16(), 200);
    assert_problem(&post_as(&rig, token, "rollouts/rollout-c2/pause", &reason), 403, "out_of_group");
    let enrol = |host: &str| post_as(&rig, token, "tokens", &json!({ "host": host, "ttl_secs": 60 }));
    assert_eq!(enrol("esx01").status.as_u16(), 200);
    assert_problem(&enrol("esx02"), 403, "out_of_group");
    assert_problem(&enrol("esx77"), 403, "out_of_group");
    // Nor does it bring a host in doubt back, or a machine past the operator who compares keys.
    let unseen = json!({ "host": "esx01", "ttl_secs": 60, "approval": false });
    assert_eq!(post_as(&rig, token, "tokens", &unseen).status.as_u16(), 200, "a new host");
    rig.set_status("esx01", HostStatus::Enrolled);
    assert_eq!(enrol("esx01").status.as_u16(), 200);
    assert_problem(&post_as(&rig, token, "tokens", &unseen), 403, "host_trust");
    for status in [HostStatus::Quarantined, HostStatus::Revoked] {
        rig.set_status("esx01", status);
        assert_problem(&enrol("esx01"), 403, "host_trust");
    }
    // Every other route is closed to it, also those added later.
    for (path, method, access) in declared().all() {
        if matches!(access, Access::Needs(_)) {
            let answer = ask_as(&rig, token, method.clone(), &concrete(path), Body::empty());
            assert_eq!(answer.status.as_u16(), 403, "{method} {path}: {}", answer.body);
        }
    }
    assert_eq!(
        rig.actions(),
        [format!("pause rollout-c1 by operator+token:{}: x", made["id"].as_str().unwrap())]
    );
}
