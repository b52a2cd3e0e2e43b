//! Doors on local ports: framing limits, TLS, places, ends, metrics.

use super::*;
use crate::api::{Decision, Live, Tally};
use crate::fleet::LiveHost;
use crate::store::Db;
use crate::store::hosts::{self, KnownHost};
use crate::tasks::wall_now;
use crate::trust::Authority;
use axum::routing::get;
use model::{HostGroupId, HostId, Wall};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::task::JoinHandle;

struct Open {
    address: SocketAddr,
    stop: watch::Sender<bool>,
    serving: JoinHandle<()>,
}

async fn open(tls: Option<Arc<ServerConfig>>, router: Router, limits: DoorLimits) -> Open {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let (stop, stopped) = watch::channel(false);
    let serving = tokio::spawn(serve(Door { name: "test", listener, tls, router, limits }, stopped));
    Open { address, stop, serving }
}

fn hello() -> Router {
    Router::new().route("/", get(async |source: Source| format!("hello {}", source.0)))
}

/// Sends bytes and reads everything until the other side closes.
async fn exchange(address: SocketAddr, request: &[u8]) -> String {
    let mut stream = TcpStream::connect(address).await.unwrap();
    stream.write_all(request).await.unwrap();
    let mut answer = Vec::new();
    // A reset after the answer is a way to close, too.
    let _ = stream.read_to_end(&mut answer).await;
    String::from_utf8_lossy(&answer).into_owned()
}

const GET: &[u8] = b"GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n";

#[tokio::test]
async fn it_serves_and_says_where_from() {
    let door = open(None, hello(), DoorLimits::default()).await;
    let answer = exchange(door.address, GET).await;
    assert!(answer.starts_with("HTTP/1.1 200") && answer.ends_with("hello 127.0.0.1"), "{answer}");
    door.stop.send_replace(true);
    door.serving.await.unwrap();
    assert!(TcpStream::connect(door.address).await.is_err(), "nobody listens any more");
}

#[tokio::test]
async fn large_headers_are_refused() {
    let door = open(None, hello(), DoorLimits::default()).await;
    let long = format!("GET / HTTP/1.1\r\nHost: x\r\nX-Long: {}\r\n\r\n", "x".repeat(HEADER_BYTES_MAX));
    assert!(exchange(door.address, long.as_bytes()).await.starts_with("HTTP/1.1 431"));
    let many = format!("GET / HTTP/1.1\r\n{}\r\n", "X-A: b\r\n".repeat(HEADER_LINES_MAX + 1));
    assert!(exchange(door.address, many.as_bytes()).await.starts_with("HTTP/1.1 431"));
    let fits =
        format!("GET / HTTP/1.1\r\n{}Connection: close\r\n\r\n", "X-A: b\r\n".repeat(HEADER_LINES_MAX - 1));
    assert!(exchange(door.address, fits.as_bytes()).await.starts_with("HTTP/1.1 200"));
}

#[tokio::test]
async fn who_is_slow_or_stays_too_long_is_let_go() {
    let short = Duration::from_millis(50);
    let door = open(None, hello(), DoorLimits { header: short, ..DoorLimits::default() }).await;
    // Ends only because the door closes.
    exchange(door.address, b"GET / HTTP/1.1\r\nHos").await;
    exchange(door.address, b"GET / HTTP/1.1\r\nHost: x\r\n\r\n").await;
    let door = open(None, hello(), DoorLimits { connection: short, ..DoorLimits::default() }).await;
    assert!(exchange(door.address, b"GET / HTTP/1.1\r\nHost: x\r\n\r\n").await.contains("hello"));
    let (_dir, authority) = authority();
    let tls = own(authority.issue_server(&["localhost".to_owned()], wall_now()).unwrap()).unwrap();
    let door = open(Some(tls), hello(), DoorLimits { handshake: short, ..DoorLimits::default() }).await;
    assert_eq!(exchange(door.address, b"").await, "", "no handshake, no connection");
}

#[tokio::test]
async fn one_address_has_so_many_places() {
    let limits = DoorLimits { connections_of_one: 2, ..DoorLimits::default() };
    let door = open(None, hello(), limits).await;
    let mut held = Vec::new();
    for _ in 0..2 {
        let mut stream = TcpStream::connect(door.address).await.unwrap();
        stream.write_all(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n").await.unwrap();
        let mut first = [0; 12];
        stream.read_exact(&mut first).await.unwrap();
        held.push(stream);
    }
    assert_eq!(exchange(door.address, GET).await, "");
    held.clear();
    // The places come back as soon as the ends are noticed.
    let served = async {
        while !exchange(door.address, GET).await.contains("hello") {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(Duration::from_secs(20), served).await.unwrap();
}

#[tokio::test]
async fn a_request_in_work_ends_when_the_coordinator_ends() {
    let (begun, mut has_begun) = watch::channel(false);
    let (go, gone) = watch::channel(false);
    let slow = async move || {
        begun.send_replace(true);
        gone.clone().wait_for(|go| *go).await.unwrap();
        "done"
    };
    let door = open(None, Router::new().route("/", get(slow)), DoorLimits::default()).await;
    let asking = tokio::spawn(async move { exchange(door.address, GET).await });
    has_begun.wait_for(|begun| *begun).await.unwrap();
    door.stop.send_replace(true);
    go.send_replace(true);
    assert!(asking.await.unwrap().ends_with("done"));
    door.serving.await.unwrap();
}

fn authority() -> (tempfile::TempDir, Authority) {
    let dir = tempfile::tempdir().unwrap();
    let authority = Authority::create(&dir.path().join("ca"), "example.net", wall_now()).unwrap();
    (dir, authority)
}

fn client(authority: &Authority) -> reqwest::ClientBuilder {
    // Chosen once per process; the same one every time.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let root = reqwest::Certificate::from_pem(authority.root_pem().as_bytes()).unwrap();
    reqwest::Client::builder().no_proxy().tls_certs_only([root])
}

#[tokio::test]
async fn tls_is_1_3_with_our_own_certificate() {
    let (_dir, authority) = authority();
    let names = ["localhost".to_owned(), "127.0.0.1".to_owned()];
    let tls = own(authority.issue_server(&names, wall_now()).unwrap()).unwrap();
    let door = open(Some(tls), hello(), DoorLimits::default()).await;
    let url = format!("https://{}/", door.address);
    let answer = client(&authority).build().unwrap().get(&url).send().await.unwrap();
    assert_eq!(answer.text().await.unwrap(), "hello 127.0.0.1");
    let old = client(&authority).tls_version_max(reqwest::tls::Version::TLS_1_2).build().unwrap();
    assert!(old.get(&url).send().await.is_err(), "TLS 1.2 was taken");
    let (_other_dir, stranger) = self::authority();
    assert!(client(&stranger).build().unwrap().get(&url).send().await.is_err());
    assert!(!exchange(door.address, GET).await.contains("HTTP"), "plain HTTP was answered");
}

fn write(path: &Path, text: &str, mode: u32) {
    std::fs::write(path, text).unwrap();
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode)).unwrap();
}

#[test]
fn certificate_files_are_checked() {
    let dir = tempfile::tempdir().unwrap();
    let at = |name: &str| dir.path().join(name);
    let made = rcgen::generate_simple_self_signed(["p.example.net".to_owned()]).unwrap();
    write(&at("c.pem"), &made.cert.pem(), 0o644);
    write(&at("k.pem"), &made.signing_key.serialize_pem(), 0o600);
    read_files(&at("c.pem"), &at("k.pem")).unwrap();
    write(&at("open.pem"), &made.signing_key.serialize_pem(), 0o644);
    write(&at("empty.pem"), "", 0o600);
    let other = rcgen::generate_simple_self_signed(["p.example.net".to_owned()]).unwrap();
    write(&at("other.pem"), &other.signing_key.serialize_pem(), 0o600);
    for (certificate, key, words) in [
        ("c.pem", "open.pem", "chmod 600"),
        ("c.pem", "gone.pem", "gone.pem"),
        ("c.pem", "empty.pem", "empty.pem"),
        ("empty.pem", "k.pem", "holds no certificate"),
        ("gone.pem", "k.pem", "gone.pem"),
        ("c.pem", "other.pem", "make no TLS server"),
    ] {
        let error = read_files(&at(certificate), &at(key)).map(|_| ()).unwrap_err().to_string();
        assert!(error.contains(words), "{certificate} {key}: {error}");
    }
}

struct Nobody;

impl Live for Nobody {
    fn hosts(&self) -> Vec<LiveHost> {
        Vec::new()
    }
}

#[tokio::test]
async fn metrics_count_and_name_nobody() {
    let dir = tempfile::tempdir().unwrap();
    let db = Db::open(&format!("sqlite://{}/p.db", dir.path().display())).await.unwrap();
    let host = |name: &str| KnownHost {
        id: HostId::new(name).unwrap(),
        group: HostGroupId::new("prod").unwrap(),
        labels: BTreeMap::new(),
    };
    let mut tx = db.begin().await.unwrap();
    let known = [host("esx01"), host("esx02")];
    hosts::upsert_known_hosts(&mut tx, &BTreeMap::new(), &known, Wall(1)).await.unwrap();
    tx.commit().await.unwrap();
    let tally = Arc::new(Tally::default());
    tally.count(Decision::Denied);
    let parts = MetricsParts { db: db.clone(), live: Arc::new(Nobody), tally };
    let door = open(None, metrics_router(parts), DoorLimits::default()).await;
    let ask = async |path: &str| {
        exchange(
            door.address,
            format!("GET {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n").as_bytes(),
        )
        .await
    };
    let page = ask("/metrics").await;
    for line in [
        "# TYPE pointsman_hosts gauge",
        "pointsman_hosts{status=\"expected\"} 2",
        "pointsman_streams 0",
        "pointsman_requests_total{decision=\"denied\"} 1",
        "pointsman_requests_total{decision=\"allowed\"} 0",
    ] {
        assert!(page.lines().any(|found| found == line), "{line}\n{page}");
    }
    assert!(page.contains("pointsman_build_info{version=") && !page.contains("esx01"), "{page}");
    assert!(ask("/healthz").await.starts_with("HTTP/1.1 200"));
    assert!(ask("/readyz").await.ends_with("ready\n"));
    assert!(ask("/api/v1/hosts").await.starts_with("HTTP/1.1 404"), "nothing else is here");
    db.close().await;
    assert!(ask("/readyz").await.starts_with("HTTP/1.1 503"));
    assert!(ask("/metrics").await.starts_with("HTTP/1.1 503"));
}
