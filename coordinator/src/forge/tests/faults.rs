//! A forge that is slow, broken, wrong or strict.

use super::server::{Fault, Server};
use super::*;
use serde_json::json;
use std::time::Duration;

fn failed(status: u16) -> Fault {
    Fault::Status(status, Vec::new(), json!({"message": "later"}))
}

fn limited(status: u16, name: &'static str, value: &str) -> Fault {
    Fault::Status(status, vec![(name, value.to_owned())], json!({"message": "slow down"}))
}

#[tokio::test]
async fn passing_failures_are_tried_again_and_lasting_ones_are_told() {
    for kind in KINDS {
        let server = Server::start(kind).await;
        server.open_pull(1, &"1".repeat(40));
        let forge = client(&server);
        server.fail(failed(502));
        server.fail(Fault::Truncated);
        assert_eq!(forge.pull_request(1).await.unwrap().number, 1, "{kind:?}");
        assert_eq!(server.requests().len(), 3, "{kind:?}");
        for _ in 0..3 {
            server.fail(failed(500));
        }
        let error = forge.pull_request(1).await.unwrap_err();
        assert!(error.is_passing() && error.to_string().contains("later"), "{kind:?}: {error}");
    }
}

#[tokio::test]
async fn a_wrong_token_is_not_tried_again_and_not_shown() {
    for kind in KINDS {
        let server = Server::start(kind).await;
        let wrong =
            ForgeSettings { credential: Credential::Token(Secret::new("hush-hush")), ..settings(&server) };
        let forge = open(&wrong, limits()).unwrap();
        let error = forge.pull_request(1).await.unwrap_err();
        assert!(matches!(error, ForgeError::Unauthorised { status: 401, .. }), "{kind:?}: {error}");
        assert!(!error.is_passing());
        assert_eq!(server.requests().len(), 1, "{kind:?}");
        assert!(!format!("{error:?} {wrong:?}").contains("hush-hush"), "{kind:?}");
    }
}

#[tokio::test]
async fn a_slow_forge_is_given_up() {
    let server = Server::start(ForgeKind::Gitea).await;
    let short = HttpLimits { request_time: Duration::from_millis(50), attempts_max: 2, ..limits() };
    let forge = open(&settings(&server), short).unwrap();
    server.fail(Fault::Silence);
    server.fail(Fault::Silence);
    let error = forge.pull_request(1).await.unwrap_err();
    assert!(matches!(error, ForgeError::Unreachable { .. }), "{error}");
    assert_eq!(server.requests().len(), 2);
}

#[tokio::test]
async fn a_forge_that_is_not_there_is_told() {
    let server = Server::start(ForgeKind::Gitea).await;
    let gone = ForgeSettings { url: "http://127.0.0.1:1".to_owned(), ..settings(&server) };
    let error = open(&gone, limits()).unwrap().account().await.unwrap_err();
    assert!(matches!(error, ForgeError::Unreachable { .. }), "{error}");
}

#[tokio::test]
async fn answers_that_are_too_large_or_no_answers_are_refused() {
    for kind in KINDS {
        let server = Server::start(kind).await;
        let forge = client(&server);
        server.fail(Fault::Huge);
        let error = forge.open_pull_requests("main").await.unwrap_err();
        assert!(error.to_string().contains("larger than"), "{kind:?}: {error}");
        server.fail(Fault::Status(200, Vec::new(), json!({"number": "no"})));
        let error = forge.pull_request(1).await.unwrap_err();
        assert!(matches!(error, ForgeError::BadAnswer { .. }), "{kind:?}: {error}");
        server.open_pull(1, "../../../user");
        let error = forge.pull_request(1).await.unwrap_err();
        assert!(matches!(error, ForgeError::BadAnswer { .. }), "{kind:?}: {error}");
    }
}

#[tokio::test]
async fn redirects_are_not_followed() {
    for kind in KINDS {
        let server = Server::start(kind).await;
        let place = format!("{}/api/v1/user", server.url);
        server.fail(Fault::Status(302, vec![("location", place)], json!({})));
        let error = client(&server).pull_request(1).await.unwrap_err();
        assert!(matches!(error, ForgeError::Redirected { .. }), "{kind:?}: {error}");
        assert_eq!(server.requests().len(), 1, "{kind:?}");
    }
}

#[tokio::test]
async fn a_short_rest_is_taken_and_a_long_one_is_told_without_asking() {
    for (kind, fault) in [
        (ForgeKind::Github, limited(403, "retry-after", "1")),
        (ForgeKind::Gitlab, limited(429, "retry-after", "1")),
        (ForgeKind::Gitea, limited(503, "retry-after", "1")),
    ] {
        let server = Server::start(kind).await;
        server.open_pull(1, &"1".repeat(40));
        let forge = client(&server);
        server.fail(fault);
        let begun = std::time::Instant::now();
        assert_eq!(forge.pull_request(1).await.unwrap().number, 1, "{kind:?}");
        assert!(begun.elapsed() >= Duration::from_millis(900), "{kind:?}");
        server.fail(limited(429, "retry-after", "600"));
        assert!(matches!(forge.pull_request(1).await, Err(ForgeError::RateLimited { .. })), "{kind:?}");
        let asked = server.requests().len();
        let error = forge.pull_request(1).await.unwrap_err();
        assert!(
            matches!(error, ForgeError::RateLimited { wait } if wait > Duration::from_secs(590)),
            "{error}"
        );
        assert_eq!(server.requests().len(), asked, "{kind:?}: nothing is asked while it rests");
    }
}

#[tokio::test]
async fn a_spent_budget_is_seen_by_its_reset() {
    let later = (crate::tasks::wall_now().0 / 1_000 + 900).to_string();
    let spent = |status: u16, remaining: &'static str, reset: &'static str| {
        let headers = vec![(remaining, "0".to_owned()), (reset, later.clone())];
        Fault::Status(status, headers, json!({"message": "API rate limit exceeded"}))
    };
    for (kind, fault) in [
        (ForgeKind::Github, spent(403, "x-ratelimit-remaining", "x-ratelimit-reset")),
        (ForgeKind::Gitlab, spent(429, "ratelimit-remaining", "ratelimit-reset")),
    ] {
        let server = Server::start(kind).await;
        server.fail(fault);
        let error = client(&server).pull_request(1).await.unwrap_err();
        let ForgeError::RateLimited { wait } = error else { panic!("{kind:?}: {error}") };
        assert!(wait > Duration::from_secs(800) && wait <= Duration::from_secs(901), "{kind:?}: {wait:?}");
    }
    // GitHub's secondary limit may say nothing but a sentence.
    let server = Server::start(ForgeKind::Github).await;
    let said = json!({"message": "You have exceeded a secondary rate limit."});
    server.fail(Fault::Status(403, Vec::new(), said));
    let error = client(&server).pull_request(1).await.unwrap_err();
    assert!(matches!(error, ForgeError::RateLimited { wait } if wait > Duration::from_secs(50)), "{error}");
}

#[tokio::test]
async fn a_comment_whose_answer_was_lost_is_not_written_twice() {
    for kind in KINDS {
        let server = Server::start(kind).await;
        server.open_pull(1, &"1".repeat(40));
        let forge = client(&server);
        // Account and list are answered, the new comment is not.
        forge.account().await.unwrap();
        forge.comments(1).await.unwrap();
        server.fail(Fault::DoneButLost);
        assert!(forge.add_comment(1, &format!("{}\none", sticky::MARK)).await.is_err(), "{kind:?}");
        sticky::put(&*forge, 1, "two").await.unwrap();
        assert_eq!(server.comments(1).len(), 1, "{kind:?}");
    }
}
