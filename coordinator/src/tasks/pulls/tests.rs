//! Pull requests from the first push to the last host, on every kind of forge, with webhooks lost, doubled, re-ordered and forged.

use super::*;
use crate::api::{HOOKS_PATH, HookParts, hook_routes};
use crate::forge::tests::server::{Fault, Server, StoredStatus};
use crate::forge::tests::{KINDS, client, settings};
use crate::forge::{ForgeKind, Hooks, StatusState};
use crate::tasks::testkit::{World, documents, eventually, rfc, web};
use axum::body::Body;
use axum::http::{Request, StatusCode};
use model::RolloutPhase;
use ring::hmac;
use serde_json::{Value, json};
use tower::ServiceExt;

/// A coordinator with a forge beside its repository.
struct Rig {
    world: World,
    server: Server,
    handle: PullsHandle,
    hooks: Arc<HookParts>,
    stop: watch::Sender<bool>,
    task: JoinHandle<()>,
}

impl Rig {
    async fn new(kind: ForgeKind, hosts: &[&str]) -> Self {
        Self::polling(kind, hosts, Duration::from_secs(3600)).await
    }

    async fn polling(kind: ForgeKind, hosts: &[&str], poll: Duration) -> Self {
        let (world, server) = (World::new(hosts).await, Server::start(kind).await);
        let (stop, stopped) = watch::channel(false);
        let parts = PullsParts {
            forge: client(&server),
            name: format!("{}:{}", kind.as_str(), server.repository()),
            branch: "main".to_owned(),
            poll,
            db: world.db.clone(),
            lease: world.tasks.lease.clone(),
            reviewer: world.reviewer(),
            repo: world.tasks.repo.clone(),
        };
        let mut rig_world = world;
        let change = rig_world.push(&documents(hosts, "port_groups: {}\n")).await;
        rig_world.commit_all(&change).await;
        let (handle, task) = spawn(parts, stopped);
        let hooks = HookParts::new(Hooks::new(&settings(&server)), rig_world.db.clone(), handle.wake());
        let rig = Self { world: rig_world, server, handle, hooks: Arc::new(hooks), stop, task };
        // The first look at everything is over: from here on only webhooks and `resync` set anything off.
        rig.until("the first look is over", |rig| (rig.server.requests().len() >= 2).then_some(())).await;
        rig
    }

    async fn until<T>(&self, what: &str, probe: impl Fn(&Self) -> Option<T>) -> T {
        eventually(what, async || probe(self)).await
    }

    fn push(&self, number: u64, vlan: u16, with: u32) -> String {
        let mut files = documents(&["a", "b"], &web(vlan));
        if with > 0 {
            files.push(rfc(with, ""));
        }
        self.world.forge.commit_on(&self.server.kind.pull_ref(number), &files)
    }

    fn status(&self, commit: &str) -> Option<StoredStatus> {
        self.server.world.lock().unwrap().status(commit, say::CONTEXT).cloned()
    }

    async fn until_status(&self, commit: &str, state: StatusState, text: &str) {
        self.until(&format!("{text} is said"), |rig| {
            let found = rig.status(commit)?;
            (found.state == state && found.description.contains(text)).then_some(())
        })
        .await;
    }

    fn labels(&self, number: u64) -> Vec<String> {
        self.server.world.lock().unwrap().pulls[&number].labels.clone()
    }

    fn one_comment(&self, number: u64) -> String {
        let comments = self.server.comments(number);
        assert_eq!(comments.len(), 1, "one comment, never two: {comments:?}");
        comments[0].1.clone()
    }

    /// Sends a webhook as the forge does; `secret` signs it.
    async fn hook(&self, number: u64, secret: &str, mark: &str) -> StatusCode {
        let body = hook_body(self.server.kind, number, mark);
        let tag = hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, secret.as_bytes()), body.as_bytes());
        let hex: String = tag.as_ref().iter().map(|byte| format!("{byte:02x}")).collect();
        let request = match self.server.kind {
            ForgeKind::Github => Request::post(HOOKS_PATH)
                .header("x-hub-signature-256", format!("sha256={hex}"))
                .header("x-github-event", "pull_request"),
            ForgeKind::Gitea => Request::post(HOOKS_PATH)
                .header("x-gitea-signature", hex)
                .header("x-gitea-event", "pull_request"),
            ForgeKind::Gitlab => Request::post(HOOKS_PATH).header("x-gitlab-token", secret),
        };
        let router = hook_routes(Some(Arc::clone(&self.hooks)));
        router.oneshot(request.body(Body::from(body)).unwrap()).await.unwrap().status()
    }

    async fn end(mut self) {
        self.stop.send_replace(true);
        self.task.await.unwrap();
        self.world.stop().await;
    }
}

fn hook_body(kind: ForgeKind, number: u64, mark: &str) -> String {
    let body: Value = match kind {
        ForgeKind::Gitlab => json!({
            "object_kind": "merge_request", "project": {"path_with_namespace": "net/fleet/esxi"},
            "object_attributes": {"iid": number, "updated_at": mark},
        }),
        ForgeKind::Github | ForgeKind::Gitea => json!({
            "number": number, "pull_request": {"number": number, "updated_at": mark},
            "repository": {"full_name": "net/esxi"},
        }),
    };
    body.to_string()
}

fn merge(rig: &Rig, number: u64, commit: &str) {
    rig.server.change(number, |pull| {
        pull.state = PullState::Merged;
        pull.merged = Some(commit.to_owned());
    });
}

#[tokio::test]
async fn a_pull_request_goes_from_its_first_push_to_the_last_host() {
    for kind in KINDS {
        let mut rig = Rig::new(kind, &["a", "b"]).await;
        // Without an RFC: refused, and the author is told why.
        let first = rig.push(7, 5, 0);
        rig.server.open_pull(7, &first);
        assert_eq!(rig.hook(7, "first", "1").await, StatusCode::ACCEPTED);
        rig.until_status(&first, StatusState::Failure, "refused: 1 error").await;
        rig.until("labelled", |rig| (rig.labels(7) == ["pointsman/refused"]).then_some(())).await;
        let stored: Vec<StatusState> =
            rig.server.world.lock().unwrap().statuses.iter().map(|status| status.state).collect();
        assert_eq!(stored, [StatusState::Pending, StatusState::Failure], "{kind:?}");
        assert!(rig.one_comment(7).contains("## Pointsman: refused"), "{kind:?}");

        // The next push: the same comment, edited.
        let second = rig.push(7, 5, 1);
        rig.server.change(7, |pull| pull.head = second.clone());
        assert_eq!(rig.hook(7, "second", "2").await, StatusCode::ACCEPTED);
        rig.until_status(&second, StatusState::Success, "can be merged: 2 hosts would change").await;
        rig.until("labelled", |rig| (rig.labels(7) == ["pointsman/ready"]).then_some(())).await;
        let comment = rig.one_comment(7);
        assert!(
            comment.contains("can be merged \u{2014} 2 hosts") && comment.contains("portgroup add"),
            "{comment}"
        );

        // Merged: fast forward on the branch, then the rollout, then done.
        let mut files = documents(&["a", "b"], &web(5));
        files.push(rfc(1, ""));
        let merged = rig.world.forge.commit(&files);
        merge(&rig, 7, &merged);
        assert_eq!(rig.hook(7, "first", "3").await, StatusCode::ACCEPTED);
        let change = rig.world.change_of(&merged).await;
        // GitLab keeps the words of the first pending status.
        let words = if kind == ForgeKind::Gitlab { "" } else { "rolling out" };
        rig.until_status(&merged, StatusState::Pending, words).await;
        rig.world.commit_all(&change).await;
        rig.handle.resync();
        rig.until_status(&merged, StatusState::Success, "done: every host").await;
        rig.until("labelled", |rig| (rig.labels(7) == ["pointsman/done"]).then_some(())).await;
        rig.until("the comment says so", |rig| {
            rig.one_comment(7).contains("**After the merge: done: every host is as decided**").then_some(())
        })
        .await;
        assert_eq!(rig.world.phase(&change, RolloutPhase::Completed).await.phase, RolloutPhase::Completed);
        rig.end().await;
    }
}

#[tokio::test]
async fn doubled_and_reordered_webhooks_say_nothing_twice() {
    for kind in KINDS {
        let rig = Rig::new(kind, &["a", "b"]).await;
        let head = rig.push(3, 5, 1);
        rig.server.open_pull(3, &head);
        for mark in ["2", "1", "2", "1", "2"] {
            assert_eq!(rig.hook(3, "first", mark).await, StatusCode::ACCEPTED);
        }
        rig.until_status(&head, StatusState::Success, "can be merged").await;
        eventually("the inbox is empty", async || {
            inbox::pending(&rig.world.db, 10).await.unwrap().is_empty().then_some(())
        })
        .await;
        let writes =
            |rig: &Rig| rig.server.requests().iter().filter(|request| !request.starts_with("GET")).count();
        let before = writes(&rig);
        assert_eq!(rig.hook(3, "first", "3").await, StatusCode::ACCEPTED);
        rig.handle.resync();
        eventually("looked at again", async || {
            inbox::pending(&rig.world.db, 10).await.unwrap().is_empty().then_some(())
        })
        .await;
        assert_eq!(writes(&rig), before, "{kind:?}: nothing new, nothing said");
        rig.one_comment(3);
        rig.end().await;
    }
}

#[tokio::test]
async fn forged_webhooks_set_nothing_off() {
    for kind in KINDS {
        let rig = Rig::new(kind, &["a"]).await;
        let asked = rig.server.requests().len();
        assert_eq!(rig.hook(3, "forged", "1").await, StatusCode::FORBIDDEN);
        assert!(inbox::pending(&rig.world.db, 10).await.unwrap().is_empty(), "{kind:?}");
        assert_eq!(rig.server.requests().len(), asked, "{kind:?}");
        rig.end().await;
    }
}

#[tokio::test]
async fn what_lost_webhooks_did_not_say_is_found_by_looking() {
    let rig = Rig::polling(ForgeKind::Gitea, &["a", "b"], Duration::from_millis(50)).await;
    let head = rig.push(4, 5, 1);
    rig.server.open_pull(4, &head);
    rig.until_status(&head, StatusState::Success, "can be merged").await;
    // Closed without a word: it is followed no more.
    rig.server.change(4, |pull| pull.state = PullState::Closed);
    eventually("it is closed here too", async || {
        let record = pulls::get(&rig.world.db, "gitea:net/esxi", 4).await.unwrap()?;
        (record.state == PullState::Closed && record.done).then_some(())
    })
    .await;
    rig.end().await;
}

#[tokio::test]
async fn a_conflict_is_said_and_goes_away_with_the_branch() {
    let mut rig = Rig::new(ForgeKind::Github, &["a", "b"]).await;
    let head = rig.push(5, 5, 1);
    rig.server.open_pull(5, &head);
    rig.handle.resync();
    rig.until_status(&head, StatusState::Success, "can be merged").await;
    // The branch takes another VLAN on the same line.
    let mut files = documents(&["a", "b"], &web(9));
    files.push(rfc(2, ""));
    let change = rig.world.push(&files).await;
    rig.world.commit_all(&change).await;
    rig.handle.resync();
    rig.until_status(&head, StatusState::Failure, "does not merge: 1 file").await;
    assert!(rig.one_comment(5).contains("groups/g/network.yaml"));
    rig.end().await;
}

#[tokio::test]
async fn a_forge_that_fails_in_between_is_told_the_rest_later() {
    for kind in KINDS {
        let rig = Rig::new(kind, &["a", "b"]).await;
        let head = rig.push(6, 5, 1);
        rig.server.open_pull(6, &head);
        // The pull request is read, then its status fails for good: this look ends, the next one does it.
        let gone = || Fault::Status(500, Vec::new(), json!({"message": "down"}));
        for _ in 0..3 {
            rig.server.fail(gone());
        }
        assert_eq!(rig.hook(6, "first", "1").await, StatusCode::ACCEPTED);
        rig.until("the failures are used up", |rig| {
            rig.server.world.lock().unwrap().faults.is_empty().then_some(())
        })
        .await;
        assert!(!inbox::pending(&rig.world.db, 10).await.unwrap().is_empty(), "{kind:?}: the hint is kept");
        rig.handle.resync();
        rig.until_status(&head, StatusState::Success, "can be merged").await;
        rig.end().await;
    }
}

#[tokio::test]
async fn merges_of_the_past_are_left_alone() {
    let world = World::new(&["a"]).await;
    let server = Server::start(ForgeKind::Github).await;
    let mut world = world;
    let change = world.push(&documents(&["a"], "port_groups: {}\n")).await;
    world.commit_all(&change).await;
    server.open_pull(1, &change.commit);
    server.change(1, |pull| {
        pull.state = PullState::Merged;
        pull.merged = Some(change.commit.clone());
    });
    let (stop, stopped) = watch::channel(false);
    let parts = PullsParts {
        forge: client(&server),
        name: "github:net/esxi".to_owned(),
        branch: "main".to_owned(),
        poll: Duration::from_secs(3600),
        db: world.db.clone(),
        lease: world.tasks.lease.clone(),
        reviewer: world.reviewer(),
        repo: world.tasks.repo.clone(),
    };
    let (_handle, task) = spawn(parts, stopped);
    eventually("it is known", async || {
        pulls::get(&world.db, "github:net/esxi", 1).await.unwrap().filter(|record| record.done)
    })
    .await;
    assert!(server.world.lock().unwrap().statuses.is_empty());
    stop.send_replace(true);
    task.await.unwrap();
    world.stop().await;
}
