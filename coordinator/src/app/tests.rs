//! A coordinator in this process: it starts, answers, and ends.

use super::*;
use crate::settings::{DatabaseUrl, OperatorsTls, RepositorySettings};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

fn settings(dir: &Path) -> Settings {
    let state_dir = dir.join("state");
    Settings {
        database_url: DatabaseUrl::new(format!("sqlite://{}", state_dir.join("p.db").display())),
        state_dir,
        listen_agents: "127.0.0.1:0".parse().unwrap(),
        listen_operators: "127.0.0.1:0".parse().unwrap(),
        operators_tls: OperatorsTls::Off,
        listen_metrics: Some("127.0.0.1:0".parse().unwrap()),
        oidc: None,
        server_names: vec!["localhost".to_owned()],
        trust_domain: "example.net".to_owned(),
        heartbeat: Duration::from_secs(1),
        forge: None,
        host_certificate_life: crate::trust::HOST_CERTIFICATE_LIFE_DEFAULT,
        ca_passphrase: None,
        repository: RepositorySettings {
            url: format!("file://{}", dir.join("nowhere").display()),
            branch: "main".to_owned(),
            poll: Duration::from_secs(1),
            auth: crate::repo::Auth::None,
        },
    }
}

async fn get(address: SocketAddr, path: &str, token: &str) -> String {
    let mut stream = TcpStream::connect(address).await.unwrap();
    let request = format!(
        "GET {path} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {token}\r\nConnection: close\r\n\r\n"
    );
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    answer
}

#[tokio::test]
async fn it_starts_answers_operators_and_ends_and_starts_again() {
    let dir = tempfile::tempdir().unwrap();
    let mut token = None;
    for _ in 0..2 {
        let app = App::start(settings(dir.path())).await.unwrap();
        let parts = app.parts().clone();
        let known = token.get_or_insert_with(|| parts.operator_token.clone());
        assert_eq!(*known, parts.operator_token, "the token stays");
        let address = app.operators_address();
        assert!(get(address, "/api/v1/healthz", "").await.starts_with("HTTP/1.1 200"));
        assert!(get(address, "/api/v1/status", "wrong").await.starts_with("HTTP/1.1 401"));
        assert!(get(address, "/api/v1/status", known.expose()).await.starts_with("HTTP/1.1 200"));
        // The repository does not exist: the coordinator runs and says so.
        let mut status = parts.nudge_repo.watch();
        let failed = status.wait_for(|status| status.error.is_some()).await.unwrap().clone();
        assert!(failed.head.is_none());
        drop(parts);
        app.shutdown().await;
    }
}

#[tokio::test]
async fn with_a_forge_it_takes_webhooks_and_asks_the_forge() {
    use crate::forge::ForgeKind;
    use crate::forge::tests::{server::Server, settings as forge_settings};
    let dir = tempfile::tempdir().unwrap();
    let server = Server::start(ForgeKind::Gitea).await;
    let with_forge = Settings { forge: Some(forge_settings(&server)), ..settings(dir.path()) };
    let app = App::start(with_forge).await.unwrap();
    let address = app.operators_address();
    // No token is asked for; the signature is, and there is none.
    let mut stream = TcpStream::connect(address).await.unwrap();
    let request = "POST /hooks/forge HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\nConnection: close\r\n\r\n{}";
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    assert!(answer.starts_with("HTTP/1.1 403") && answer.contains("bad_signature"), "{answer}");
    // The task looks at open and merged pull requests by itself.
    crate::tasks::testkit::eventually("the forge is asked", async || {
        (server.requests().len() >= 2).then_some(())
    })
    .await;
    assert!(server.requests()[0].starts_with("GET /api/v1/repos/net/esxi/pulls?state=open"));
    app.shutdown().await;
}

#[tokio::test]
async fn people_come_over_tls_and_monitoring_by_its_own_door() {
    let dir = tempfile::tempdir().unwrap();
    let mut settings = settings(dir.path());
    settings.operators_tls = OperatorsTls::Own;
    let ca = settings.authority_dir().join("ca.pem");
    let app = App::start(settings).await.unwrap();
    let (address, token) = (app.operators_address(), app.parts().operator_token.clone());
    // Chosen once per process; the same one every time.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let root = reqwest::Certificate::from_pem(&std::fs::read(ca).unwrap()).unwrap();
    let client = reqwest::Client::builder().no_proxy().tls_certs_only([root]).build().unwrap();
    let url = format!("https://localhost:{}/api/v1/", address.port());
    let status = client.get(format!("{url}status")).bearer_auth(token.expose()).send().await.unwrap();
    assert_eq!(status.status().as_u16(), 200);
    let user = r#"{"name":"ann","roles":["viewer"],"password":"correct horse battery"}"#;
    let json = |request: reqwest::RequestBuilder, body: &'static str| {
        request.header("content-type", "application/json").body(body).send()
    };
    let added = json(client.post(format!("{url}users")).bearer_auth(token.expose()), user).await.unwrap();
    assert_eq!(added.status().as_u16(), 200);
    let sign_in = r#"{"user":"ann","password":"correct horse battery","kind":"browser"}"#;
    let session = json(client.post(format!("{url}session")), sign_in).await.unwrap();
    let cookie = session.headers()["set-cookie"].to_str().unwrap();
    assert!(cookie.starts_with("__Host-pointsman-session=") && cookie.ends_with("; Secure"), "{cookie}");
    assert!(!get(address, "/api/v1/healthz", "").await.contains("200"), "plain HTTP was answered");
    let metrics = app.metrics_address().unwrap();
    let page = get(metrics, "/metrics", "").await;
    assert!(page.contains("pointsman_streams 0") && !page.contains(token.expose()), "{page}");
    assert!(get(metrics, "/api/v1/status", token.expose()).await.starts_with("HTTP/1.1 404"));
    app.shutdown().await;
}

#[tokio::test]
async fn a_start_that_cannot_work_says_why() {
    let dir = tempfile::tempdir().unwrap();
    App::start(settings(dir.path())).await.unwrap().shutdown().await;
    let mut other = settings(dir.path());
    other.trust_domain = "other.net".to_owned();
    let Err(error) = App::start(other).await else { panic!("another trust domain was accepted") };
    assert!(error.to_string().contains("correct the settings"), "{error}");
    let token = settings(dir.path()).operator_token_file();
    std::fs::write(&token, "short").unwrap();
    let Err(error) = App::start(settings(dir.path())).await else { panic!("a short token was accepted") };
    assert!(error.to_string().contains("holds no token"), "{error}");
}
