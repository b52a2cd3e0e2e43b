//! What the door lets in, and that it is on disk before it is acknowledged.

use super::*;
use crate::forge::{Credential, ForgeKind, ForgeSettings};
use axum::http::Method;
use model::Secret;
use ring::hmac;
use tempfile::TempDir;
use tower::ServiceExt;

struct Door {
    db: Db,
    router: Router,
    wake: Arc<Notify>,
    _dir: TempDir,
}

impl Door {
    async fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let db = Db::open(&format!("sqlite://{}/hooks.db", dir.path().display())).await.unwrap();
        let hooks = Hooks::new(&ForgeSettings {
            kind: ForgeKind::Github,
            url: "https://github.com".to_owned(),
            repository: "net/esxi".to_owned(),
            credential: Credential::Token(Secret::new("t")),
            webhook_secrets: vec![Secret::new("s")],
            poll: Duration::from_secs(60),
        });
        let wake = Arc::new(Notify::new());
        let parts = HookParts::new(hooks, db.clone(), Arc::clone(&wake));
        Self { db, router: routes(Some(Arc::new(parts))), wake, _dir: dir }
    }

    async fn send(&self, body: Vec<u8>, secret: &str) -> StatusCode {
        let tag = hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, secret.as_bytes()), &body);
        let hex: String = tag.as_ref().iter().map(|byte| format!("{byte:02x}")).collect();
        let request = Request::builder()
            .method(Method::POST)
            .uri(HOOKS_PATH)
            .header("x-hub-signature-256", format!("sha256={hex}"))
            .header("x-github-event", "pull_request");
        self.router.clone().oneshot(request.body(Body::from(body)).unwrap()).await.unwrap().status()
    }

    async fn kept(&self) -> usize {
        inbox::pending(&self.db, 1_000).await.unwrap().len()
    }
}

fn body(number: u64) -> Vec<u8> {
    format!(r#"{{"pull_request":{{"number":{number}}},"repository":{{"full_name":"net/esxi"}}}}"#)
        .into_bytes()
}

#[tokio::test]
async fn what_is_signed_is_kept_once_and_wakes_the_task() {
    let door = Door::new().await;
    assert_eq!(door.send(body(7), "s").await, StatusCode::ACCEPTED);
    door.wake.notified().await;
    assert_eq!(door.send(body(7), "s").await, StatusCode::ACCEPTED);
    assert_eq!(door.kept().await, 1);
    let kept = inbox::pending(&door.db, 1).await.unwrap();
    assert_eq!(
        (kept[0].source.as_str(), kept[0].body.as_str()),
        ("github", r#"{"kind":"pull_request","number":7}"#)
    );
}

#[tokio::test]
async fn everything_else_stays_outside() {
    let door = Door::new().await;
    assert_eq!(door.send(body(7), "forged").await, StatusCode::FORBIDDEN);
    assert_eq!(door.send(b"payload=%7B%7D".to_vec(), "s").await, StatusCode::BAD_REQUEST);
    assert_eq!(door.send(vec![b' '; HOOK_BYTES_MAX + 1], "s").await, StatusCode::PAYLOAD_TOO_LARGE);
    let request = Request::builder().uri(HOOKS_PATH).body(Body::empty()).unwrap();
    let answer = door.router.clone().oneshot(request).await.unwrap();
    assert_eq!(answer.status(), StatusCode::METHOD_NOT_ALLOWED);
    assert_eq!(door.kept().await, 0);
}

#[test]
fn a_flood_gets_a_burst_and_then_its_rate() {
    let start = Instant::now();
    let mut bucket = Bucket { left: HOOKS_BURST, at: start };
    let taken = |bucket: &mut Bucket, at: Instant| (0..10_000).filter(|_| bucket.take(at)).count();
    assert_eq!(taken(&mut bucket, start), 600);
    assert_eq!(taken(&mut bucket, start + Duration::from_secs(1)), 300);
    assert_eq!(taken(&mut bucket, start + Duration::from_secs(3_600)), 600);
}

#[tokio::test]
async fn two_hundred_at_once_are_all_kept() {
    let door = Arc::new(Door::new().await);
    let sending: Vec<_> = (1..=200)
        .map(|number| {
            let door = Arc::clone(&door);
            tokio::spawn(async move {
                let begun = Instant::now();
                (door.send(body(number), "s").await, begun.elapsed())
            })
        })
        .collect();
    let mut times = Vec::new();
    for sent in sending {
        let (status, took) = sent.await.unwrap();
        assert_eq!(status, StatusCode::ACCEPTED);
        times.push(took);
    }
    times.sort();
    println!("200 at once: half in {:?}, all in {:?}", times[100], times[199]);
    assert_eq!(door.kept().await, 200);
}
