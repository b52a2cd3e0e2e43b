//! The OIDC routes as a browser sees them.

use super::{Rig, assert_problem, send};
use crate::people::oidc::OidcProvider;
use crate::people::oidc::tests::provider::TestProvider;
use crate::people::oidc::tests::settings;
use crate::tasks::wall_now;
use axum::body::Body;
use axum::http::Request;
use http::header::COOKIE;
use serde_json::json;

#[test]
fn a_browser_signs_in_at_the_provider() {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
    let provider = runtime.block_on(TestProvider::start(wall_now().0 / 1000));
    let rig = Rig::with(Some(OidcProvider::new(settings(&provider.issuer)).unwrap()));
    let get = |path: &str, cookie: &str| {
        let request = Request::get(format!("/api/v1/{path}")).header(COOKIE, cookie);
        send(&rig, request.body(Body::empty()).unwrap())
    };
    assert_eq!(get("sign-in-methods", "").body, json!({ "password": true, "oidc": provider.issuer }));
    let there = get("oidc/login", "");
    assert_eq!(there.status.as_u16(), 303);
    let cookie = there.cookie.unwrap().split(';').next().unwrap().to_owned();
    let browser = reqwest::Client::builder().redirect(reqwest::redirect::Policy::none()).no_proxy().build();
    let answer = runtime.block_on(browser.unwrap().get(there.location.unwrap()).send()).unwrap();
    let back = answer.headers()["location"].to_str().unwrap();
    let (_, path) = back.split_once("/api/v1/").unwrap();
    assert_problem(&get(path, "pointsman-login=another"), 401, "provider_refused");
    assert_problem(&get(path, &cookie), 401, "provider_refused");

    let there = get("oidc/login", "");
    let cookie = there.cookie.unwrap().split(';').next().unwrap().to_owned();
    let browser = reqwest::Client::builder().redirect(reqwest::redirect::Policy::none()).no_proxy().build();
    let answer = runtime.block_on(browser.unwrap().get(there.location.unwrap()).send()).unwrap();
    let back = answer.headers()["location"].to_str().unwrap();
    let (_, path) = back.split_once("/api/v1/").unwrap();
    let home = get(path, &cookie);
    assert_eq!(home.status.as_u16(), 200);
    let session = home.cookie.unwrap();
    assert!(
        session.starts_with("pointsman-session=") && session.contains("HttpOnly; SameSite=Lax"),
        "{session}"
    );
    let who = get("whoami", session.split(';').next().unwrap()).body;
    assert_eq!((&who["actor"], &who["email"]), (&json!("user:ann"), &json!("ann@example.net")));
}

#[test]
fn odd_requests_are_refused() {
    let rig = Rig::new();
    let get = |path: &str| send(&rig, Request::get(format!("/api/v1/{path}")).body(Body::empty()).unwrap());
    assert_problem(&get("oidc/login"), 400, "bad_request");
    assert_problem(&get("oidc/login?port=1"), 400, "bad_request");
    assert_problem(&get("oidc/login?port=70000&challenge=x"), 400, "bad_request");
    assert_problem(&get("oidc/callback?state=x&code=y"), 400, "bad_request");
    assert_eq!(get("sign-in-methods").body, json!({ "password": true, "oidc": null }));
    let redeem = Request::post("/api/v1/oidc/redeem").header("content-type", "application/json");
    let body = json!({ "code": "x", "verifier": "y" }).to_string();
    assert_problem(&send(&rig, redeem.body(Body::from(body)).unwrap()), 401, "provider_refused");
}
