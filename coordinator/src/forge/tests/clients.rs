//! The three clients say the same in three dialects.

use super::server::github::{APP_ID, APP_KEY};
use super::server::{ACCOUNT, Server};
use super::*;

fn status(state: StatusState, description: &str) -> CommitStatus {
    CommitStatus {
        state,
        description: description.to_owned(),
        target: Some("https://forge.example/c".to_owned()),
        context: "pointsman".to_owned(),
    }
}

#[tokio::test]
async fn pull_requests_are_read_the_same_everywhere() {
    for kind in KINDS {
        let server = Server::start(kind).await;
        let (one, other) = ("1".repeat(40), "2".repeat(40));
        server.open_pull(1, &one);
        server.open_pull(2, &other);
        server.open_pull(3, &one);
        server.change(2, |pull| {
            pull.fork = true;
            pull.labels.push("net".to_owned());
        });
        server.change(3, |pull| pull.base = "other".to_owned());
        let forge = client(&server);
        let open = forge.open_pull_requests("main").await.unwrap();
        assert_eq!(open.iter().map(|pull| pull.number).collect::<Vec<_>>(), [2, 1], "{kind:?}");
        assert!(open[0].source.fork && !open[1].source.fork, "{kind:?}");
        assert_eq!((open[0].labels.as_slice(), open[0].author.as_str()), (&["net".to_owned()][..], "ann"));
        assert_eq!((open[1].head, open[1].state, open[1].merged), (sha('1'), PullState::Open, None));
        assert_eq!((open[1].base.as_str(), open[1].title.as_str()), ("main", "Change 1"));

        server.change(1, |pull| {
            pull.state = PullState::Merged;
            pull.merged = Some("3".repeat(40));
        });
        server.change(2, |pull| pull.state = PullState::Closed);
        let merged = forge.merged_pull_requests("main").await.unwrap();
        assert_eq!(
            merged.iter().map(|pull| (pull.number, pull.merged)).collect::<Vec<_>>(),
            [(1, Some(sha('3')))]
        );
        let closed = forge.pull_request(2).await.unwrap();
        assert_eq!((closed.state, closed.merged), (PullState::Closed, None), "{kind:?}");
        assert!(matches!(forge.pull_request(99).await, Err(ForgeError::NotFound { .. })), "{kind:?}");
        assert_eq!(forge.account().await.unwrap(), ACCOUNT);
    }
}

#[tokio::test]
async fn a_fast_forward_merge_on_gitlab_has_its_head_as_merged_commit() {
    let server = Server::start(ForgeKind::Gitlab).await;
    server.open_pull(1, &"4".repeat(40));
    server.change(1, |pull| pull.state = PullState::Merged);
    assert_eq!(client(&server).pull_request(1).await.unwrap().merged, Some(sha('4')));
}

#[tokio::test]
async fn lists_go_on_page_by_page_and_never_to_another_place() {
    for kind in KINDS {
        let server = Server::start(kind).await;
        for number in 1..=9 {
            server.open_pull(number, &"1".repeat(40));
        }
        server.world.lock().unwrap().page_max = Some(2);
        let forge = client(&server);
        assert_eq!(forge.open_pull_requests("main").await.unwrap().len(), 9, "{kind:?}");
        assert_eq!(server.requests().len(), 5, "{kind:?}");
        // Two more need a sixth page: that is more than we read, and said rather than cut off.
        server.open_pull(10, &"1".repeat(40));
        server.open_pull(11, &"1".repeat(40));
        let error = forge.open_pull_requests("main").await.unwrap_err();
        assert!(error.to_string().contains("more than 5 pages"), "{kind:?}: {error}");
    }
}

#[tokio::test]
async fn the_comment_is_one_and_is_edited_in_place() {
    for kind in KINDS {
        let server = Server::start(kind).await;
        server.open_pull(1, &"1".repeat(40));
        let marked = format!("{}\nnot ours", sticky::MARK);
        server.world.lock().unwrap().add_comment(1, "system", "added 1 commit");
        server.world.lock().unwrap().add_comment(1, "mallory", &marked);
        let forge = client(&server);
        let first = sticky::put(&*forge, 1, "one").await.unwrap();
        let second = sticky::put(&*forge, 1, "two").await.unwrap();
        assert_eq!(first.id, second.id, "{kind:?}");
        let before = server.requests().len();
        sticky::put(&*forge, 1, "two").await.unwrap();
        let asked: Vec<String> = server.requests().split_off(before);
        assert!(asked.iter().all(|request| request.starts_with("GET ")), "{kind:?}: {asked:?}");
        // A second one of ours, as a lost answer leaves it, goes away.
        server.world.lock().unwrap().add_comment(1, ACCOUNT, &format!("{}\ntwo", sticky::MARK));
        sticky::put(&*forge, 1, "three").await.unwrap();
        let ours: Vec<String> = server
            .comments(1)
            .into_iter()
            .filter_map(|(author, body)| (author == ACCOUNT).then_some(body))
            .collect();
        assert_eq!(ours, [format!("{}\nthree", sticky::MARK)], "{kind:?}");
        assert!(server.comments(1).contains(&("mallory".to_owned(), marked)), "{kind:?}");
    }
}

#[tokio::test]
async fn the_comment_is_found_behind_a_page_of_others() {
    for kind in KINDS {
        let server = Server::start(kind).await;
        server.open_pull(1, &"1".repeat(40));
        server.world.lock().unwrap().page_max = Some(2);
        for _ in 0..5 {
            server.world.lock().unwrap().add_comment(1, "ann", "hello");
        }
        let forge = client(&server);
        sticky::put(&*forge, 1, "one").await.unwrap();
        sticky::put(&*forge, 1, "two").await.unwrap();
        assert_eq!(server.comments(1).len(), 6, "{kind:?}");
    }
}

#[tokio::test]
async fn statuses_fit_the_forge_and_may_be_said_twice() {
    for kind in KINDS {
        let server = Server::start(kind).await;
        let forge = client(&server);
        let commit = sha('5').to_string();
        for _ in 0..2 {
            forge.set_status(sha('5'), &status(StatusState::Pending, "being reviewed")).await.unwrap();
        }
        forge.set_status(sha('5'), &status(StatusState::Failure, &"long ".repeat(100))).await.unwrap();
        let stored = server.world.lock().unwrap().status(&commit, "pointsman").cloned().unwrap();
        assert_eq!(stored.state, StatusState::Failure, "{kind:?}");
        assert!(stored.description.ends_with('\u{2026}'), "{kind:?}");
        assert_eq!(stored.target.as_deref(), Some("https://forge.example/c"));
        // Looked at again: a new round begins and ends.
        forge.set_status(sha('5'), &status(StatusState::Pending, "again")).await.unwrap();
        forge.set_status(sha('5'), &status(StatusState::Success, "good")).await.unwrap();
        let stored = server.world.lock().unwrap().status(&commit, "pointsman").cloned().unwrap();
        assert_eq!((stored.state, stored.description.as_str()), (StatusState::Success, "good"), "{kind:?}");
    }
}

#[tokio::test]
async fn labels_come_and_go() {
    for kind in KINDS {
        let server = Server::start(kind).await;
        server.open_pull(1, &"1".repeat(40));
        let forge = client(&server);
        forge.set_labels(1, &["pointsman/ok", "other"], &["never there"]).await.unwrap();
        forge.set_labels(1, &["pointsman/refused"], &["pointsman/ok"]).await.unwrap();
        let labels = forge.pull_request(1).await.unwrap().labels;
        assert_eq!(labels, ["other", "pointsman/refused"], "{kind:?}");
    }
}

#[tokio::test]
async fn reviews_are_read() {
    for kind in KINDS {
        let server = Server::start(kind).await;
        server.open_pull(1, &"1".repeat(40));
        server.world.lock().unwrap().approvals.push((1, "bo".to_owned()));
        let reviews = client(&server).reviews(1).await.unwrap();
        assert_eq!(reviews.len(), 1, "{kind:?}");
        assert_eq!((reviews[0].author.as_str(), reviews[0].verdict), ("bo", ReviewVerdict::Approved));
        // GitLab does not say which commit.
        assert_eq!(reviews[0].commit, (kind != ForgeKind::Gitlab).then(|| sha('1')));
    }
}

fn app_settings(server: &Server) -> ForgeSettings {
    let credential = Credential::App { id: APP_ID.to_owned(), key: Secret::new(APP_KEY) };
    ForgeSettings { credential, ..settings(server) }
}

#[tokio::test]
async fn a_github_app_gets_a_token_for_one_repository_and_renews_it() {
    let server = Server::start(ForgeKind::Github).await;
    server.world.lock().unwrap().credentials.clear();
    server.open_pull(1, &"1".repeat(40));
    let forge = open(&app_settings(&server), limits()).unwrap();
    forge.pull_request(1).await.unwrap();
    forge.pull_request(1).await.unwrap();
    assert_eq!(server.world.lock().unwrap().granted, 1, "one token serves many requests");
    assert_eq!(forge.account().await.unwrap(), "pointsman[bot]");
    // Taken back by an administrator: once more with a new one.
    server.world.lock().unwrap().credentials.clear();
    forge.pull_request(1).await.unwrap();
    assert_eq!(server.world.lock().unwrap().granted, 2);
}

#[test]
fn settings_that_cannot_work_are_refused() {
    server::install_tls_provider();
    let good = ForgeSettings {
        kind: ForgeKind::Github,
        url: "https://github.com".to_owned(),
        repository: "net/esxi".to_owned(),
        credential: Credential::Token(Secret::new("t")),
        webhook_secrets: Vec::new(),
        poll: std::time::Duration::from_secs(60),
    };
    let with = |url: &str, repository: &str| ForgeSettings {
        url: url.to_owned(),
        repository: repository.to_owned(),
        ..good.clone()
    };
    assert_eq!(good.api().unwrap().as_str(), "https://api.github.com/");
    assert_eq!(with("https://ghe.example/", "a/b").api().unwrap().as_str(), "https://ghe.example/api/v3/");
    let gitlab = ForgeSettings { kind: ForgeKind::Gitlab, ..with("https://host/gitlab/", "a/b/c") };
    assert_eq!(gitlab.api().unwrap().as_str(), "https://host/gitlab/api/v4/");
    assert!(open(&gitlab, limits()).is_ok());
    for url in ["http://forge.example", "ftp://x", "https://user:pw@x", "https://x/?a=1", "nonsense"] {
        assert!(open(&with(url, "a/b"), limits()).is_err(), "{url}");
    }
    assert!(open(&with("http://127.0.0.1:1", "a/b"), limits()).is_ok());
    assert!(open(&with("http://[::1]:1", "a/b"), limits()).is_ok());
    for repository in ["esxi", "a/b/c", "../b", "a/..", "a/b?x", "a//b", "/b"] {
        assert!(open(&with("https://x", repository), limits()).is_err(), "{repository}");
    }
    let app = |key: &str| Credential::App { id: "1".to_owned(), key: Secret::new(key) };
    assert!(open(&ForgeSettings { credential: app(APP_KEY), ..good.clone() }, limits()).is_ok());
    assert!(open(&ForgeSettings { credential: app("no key"), ..good.clone() }, limits()).is_err());
    assert!(open(&ForgeSettings { credential: app(APP_KEY), ..gitlab }, limits()).is_err());
}
