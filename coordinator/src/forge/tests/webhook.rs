//! Webhooks: what is proven and what is not.

use super::*;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use http::HeaderMap;
use model::Wall;
use ring::hmac;
use serde_json::{Value, json};

const NOW: Wall = Wall(1_800_000_000_000);
const SIGNING: &str = "whsec_dGVzdHRlc3R0ZXN0dGVzdHRlc3R0ZXN0dGVzdHRlc3Q=";

fn hooks(kind: ForgeKind, secrets: &[&str]) -> Hooks {
    Hooks::new(&ForgeSettings {
        kind,
        url: "https://forge.example".to_owned(),
        repository: if kind == ForgeKind::Gitlab { "net/fleet/esxi" } else { "net/esxi" }.to_owned(),
        credential: Credential::Token(Secret::new("t")),
        webhook_secrets: secrets.iter().map(|secret| Secret::new(*secret)).collect(),
        poll: std::time::Duration::from_secs(60),
    })
}

fn headers(pairs: &[(&'static str, &str)]) -> HeaderMap {
    pairs
        .iter()
        .map(|(name, value)| ((*name).parse().unwrap(), value.parse().unwrap()))
        .collect::<HeaderMap>()
}

fn hex_tag(secret: &str, body: &[u8]) -> String {
    let tag = hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, secret.as_bytes()), body);
    tag.as_ref().iter().map(|byte| format!("{byte:02x}")).collect()
}

fn standard(secret: &str, id: &str, time: u64, body: &[u8]) -> String {
    let key = STANDARD.decode(secret.strip_prefix("whsec_").unwrap()).unwrap();
    let signed = [format!("{id}.{time}.").as_bytes(), body].concat();
    let tag = hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, &key), &signed);
    format!("v1,{}", STANDARD.encode(tag))
}

fn github_body(number: u64) -> Value {
    json!({"action": "opened", "number": number, "pull_request": {"number": number}, "repository": {"full_name": "net/esxi"}})
}

fn gitlab_body(number: u64) -> Value {
    json!({
        "object_kind": "merge_request",
        "project": {"path_with_namespace": "net/fleet/esxi"},
        "object_attributes": {"iid": number, "action": "open"},
    })
}

#[test]
fn githubs_published_vector_is_met() {
    let hooks = hooks(ForgeKind::Github, &["It's a Secret to Everybody"]);
    let tag = "sha256=757107ea0eb2509fc211221cce984b8a37570b6d7586c22c46f4379c8b043e17";
    // Proven, then found to be no JSON.
    let signed = headers(&[("x-hub-signature-256", tag)]);
    assert_eq!(hooks.check(&signed, b"Hello, World!", NOW), Err(HookRefusal::NotJson));
    assert_eq!(hooks.check(&signed, b"Hello, World?", NOW), Err(HookRefusal::BadSignature));
}

#[test]
fn hex_schemes_take_either_secret_and_nothing_else() {
    for (kind, name, prefix, event, delivery) in [
        (ForgeKind::Github, "x-hub-signature-256", "sha256=", "x-github-event", "x-github-delivery"),
        (ForgeKind::Gitea, "x-gitea-signature", "", "x-gitea-event", "x-gitea-delivery"),
        (ForgeKind::Gitea, "x-forgejo-signature", "", "x-forgejo-event", "x-forgejo-delivery"),
    ] {
        let hooks = hooks(kind, &["new", "old"]);
        let body = github_body(7).to_string();
        let mut ids = std::collections::BTreeSet::new();
        let count = std::cell::Cell::new(0);
        let sent = |tag: &str| {
            let tag = format!("{prefix}{tag}");
            count.set(count.get() + 1);
            let all =
                headers(&[(name, &tag), (event, "pull_request"), (delivery, &format!("d-{}", count.get()))]);
            hooks.check(&all, body.as_bytes(), NOW)
        };
        for secret in ["new", "old"] {
            let arrived = sent(&hex_tag(secret, body.as_bytes())).unwrap();
            assert_eq!(arrived.event, ForgeEvent::PullRequest { number: 7 }, "{name}");
            ids.insert(arrived.delivery);
        }
        assert_eq!(ids.len(), 1, "the same body under a new id is the same delivery");
        assert_eq!(sent(&hex_tag("forged", body.as_bytes())), Err(HookRefusal::BadSignature), "{name}");
        assert_eq!(sent(&hex_tag("new", b"{}")), Err(HookRefusal::BadSignature), "{name}");
        for broken in ["", "zz", "abc", "+1"] {
            let refused = sent(broken);
            assert!(matches!(refused, Err(HookRefusal::NotSigned | HookRefusal::BadSignature)), "{broken}");
        }
        assert_eq!(hooks.check(&HeaderMap::new(), body.as_bytes(), NOW), Err(HookRefusal::NotSigned));
    }
}

#[test]
fn a_bad_forgejo_signature_is_not_saved_by_a_good_gitea_one() {
    let body = github_body(1).to_string();
    let (bad, good) = (hex_tag("x", body.as_bytes()), hex_tag("s", body.as_bytes()));
    let all = headers(&[("x-forgejo-signature", &bad), ("x-gitea-signature", &good)]);
    assert_eq!(
        hooks(ForgeKind::Gitea, &["s"]).check(&all, body.as_bytes(), NOW),
        Err(HookRefusal::BadSignature)
    );
}

#[test]
fn gitlab_signs_id_and_time() {
    let hooks = hooks(ForgeKind::Gitlab, &[SIGNING]);
    let body = gitlab_body(4).to_string();
    let now = NOW.0 / 1_000;
    let sent = |id: &str, time: u64, signature: &str| {
        let time = time.to_string();
        let all = headers(&[
            ("webhook-id", id),
            ("webhook-timestamp", &time),
            ("webhook-signature", signature),
            ("idempotency-key", "not-signed"),
        ]);
        hooks.check(&all, body.as_bytes(), NOW)
    };
    let good = standard(SIGNING, "d-1", now, body.as_bytes());
    let arrived = sent("d-1", now, &format!("v1,AAAA {good}")).unwrap();
    assert_eq!(
        arrived,
        Arrived { delivery: "gitlab:d-1".to_owned(), event: ForgeEvent::PullRequest { number: 4 } }
    );
    assert_eq!(sent("d-2", now, &good), Err(HookRefusal::BadSignature), "the id is signed");
    assert_eq!(sent("d-1", now + 1, &good), Err(HookRefusal::BadSignature), "the time is signed");
    for (time, expected) in [
        (now - 300, Ok(())),
        (now + 300, Ok(())),
        (now - 301, Err(HookRefusal::Stale)),
        (now + 301, Err(HookRefusal::Stale)),
    ] {
        let signature = standard(SIGNING, "d-1", time, body.as_bytes());
        assert_eq!(sent("d-1", time, &signature).map(|_| ()), expected, "{time}");
    }
    // The plain token does not do instead.
    let plain = headers(&[("x-gitlab-token", SIGNING)]);
    assert_eq!(hooks.check(&plain, body.as_bytes(), NOW), Err(HookRefusal::NotSigned));
}

#[test]
fn gitlabs_plain_token_is_compared_whole() {
    let hooks = hooks(ForgeKind::Gitlab, &["token-1", SIGNING]);
    let body = gitlab_body(4).to_string();
    let sent = |token: &str| {
        let all = headers(&[("x-gitlab-token", token), ("x-gitlab-event-uuid", "u-1")]);
        hooks.check(&all, body.as_bytes(), NOW)
    };
    assert_eq!(sent("token-1").unwrap().event, ForgeEvent::PullRequest { number: 4 });
    for wrong in ["token-2", "token-", "token-11", ""] {
        assert_eq!(sent(wrong), Err(HookRefusal::BadSignature), "{wrong}");
    }
    assert_eq!(hooks.check(&HeaderMap::new(), body.as_bytes(), NOW), Err(HookRefusal::NotSigned));
}

#[test]
fn events_are_read_and_foreign_ones_are_nothing() {
    let hooks = hooks(ForgeKind::Github, &["s"]);
    let event = |word: &str, body: Value| {
        let body = body.to_string();
        let tag = format!("sha256={}", hex_tag("s", body.as_bytes()));
        let all = headers(&[("x-hub-signature-256", &tag), ("x-github-event", word)]);
        hooks.check(&all, body.as_bytes(), NOW).unwrap()
    };
    let repository = json!({"full_name": "Net/ESXi"});
    let push = json!({"ref": "refs/heads/main", "repository": repository});
    assert_eq!(event("push", push.clone()).event, ForgeEvent::Push { branch: "main".to_owned() });
    let tag = json!({"ref": "refs/tags/v1", "repository": repository});
    assert_eq!(event("push", tag).event, ForgeEvent::Other);
    assert_eq!(event("pull_request_review", github_body(3)).event, ForgeEvent::PullRequest { number: 3 });
    for word in ["ping", "issue_comment", "pull_request_review_comment", "workflow_run"] {
        assert_eq!(event(word, github_body(3)).event, ForgeEvent::Other, "{word}");
    }
    let mut foreign = github_body(3);
    foreign["repository"]["full_name"] = json!("net/other");
    assert_eq!(event("pull_request", foreign).event, ForgeEvent::Other);
    // No delivery id: the same body is the same delivery.
    let (one, again) = (event("push", push.clone()), event("push", push));
    assert!(one == again && one.delivery.starts_with("github:sha256-"), "{}", one.delivery);
}

#[test]
fn without_a_secret_nothing_is_taken() {
    for kind in KINDS {
        let refused = hooks(kind, &[]).check(&HeaderMap::new(), b"{}", NOW);
        assert_eq!(refused, Err(HookRefusal::NoSecret));
    }
}
