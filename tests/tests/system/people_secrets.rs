//! Secrets of people reach no log, no answer that others may read and no error, however much is logged.

use crate::support::{LIMIT, in_lab, text};
use anyhow::{Context, Result};
use serde_json::{Value, json};
use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::process::Command;
use std::sync::mpsc::{Receiver, channel};
use std::thread;
use tests::lab::{Lab, wait_for};

const PASSWORD: &str = "canary-sign-in-phrase";
const WRONG_PASSWORD: &str = "canary-wrong-password";
const CLIENT_SECRET: &str = "canary-client-secret";
const CODE: &str = "canary-authorization-code";
/// Largest answer read, in bytes.
const ANSWER_BYTES_MAX: u64 = 1024 * 1024;

/// What came over HTTP.
struct Answer {
    status: u16,
    head: String,
    body: Value,
}

impl Answer {
    fn header(&self, name: &str) -> Option<&str> {
        let named =
            |line: &'_ &str| line.split_once(':').is_some_and(|(key, _)| key.eq_ignore_ascii_case(name));
        self.head.lines().find(named).and_then(|line| line.split_once(": ")).map(|(_, value)| value.trim())
    }

    /// The value of the cookie it sets.
    fn cookie(&self) -> Result<(String, String)> {
        let pair = self.header("set-cookie").and_then(|cookie| cookie.split(';').next());
        let (name, value) = pair.and_then(|pair| pair.split_once('=')).context("no cookie is set")?;
        Ok((name.to_owned(), value.to_owned()))
    }
}

/// Asks the coordinator as a browser would.
fn ask(lab: &Lab, line: &str, headers: &[(&str, &str)], body: &str) -> Result<Answer> {
    let url = lab.operator_url();
    let mut stream = TcpStream::connect(url.trim_start_matches("http://"))?;
    let extra: String = headers.iter().map(|(name, value)| format!("{name}: {value}\r\n")).collect();
    let request = format!(
        "{line} HTTP/1.1\r\nhost: x\r\nconnection: close\r\ncontent-type: application/json\r\n{extra}\
         content-length: {}\r\n\r\n{body}",
        body.len()
    );
    stream.write_all(request.as_bytes())?;
    let mut answer = String::new();
    stream.take(ANSWER_BYTES_MAX).read_to_string(&mut answer)?;
    let (head, body) = answer.split_once("\r\n\r\n").context("no answer")?;
    let status = head.split(' ').nth(1).context("no status")?.parse()?;
    Ok(Answer { status, head: head.to_owned(), body: serde_json::from_str(body).unwrap_or(Value::Null) })
}

/// A provider that describes itself and gives nobody a token; it tells what was asked of it.
fn provider() -> Result<(String, Receiver<String>)> {
    let listener = TcpListener::bind("127.0.0.1:0")?;
    let issuer = format!("http://{}", listener.local_addr()?);
    let (tell, asked) = channel();
    let about = json!({
        "issuer": issuer, "authorization_endpoint": format!("{issuer}/authorize"),
        "token_endpoint": format!("{issuer}/token"), "jwks_uri": format!("{issuer}/keys"),
        "response_types_supported": ["code"], "code_challenge_methods_supported": ["S256"],
        "id_token_signing_alg_values_supported": ["ES256"], "token_endpoint_auth_methods_supported": ["client_secret_post"],
    });
    thread::spawn(move || {
        for stream in listener.incoming().map_while(Result::ok) {
            // Whoever asks badly gets no answer; the test then says that it waited in vain.
            let _ = answer_as_provider(stream, &about).map(|request| tell.send(request));
        }
    });
    Ok((issuer, asked))
}

fn answer_as_provider(stream: TcpStream, about: &Value) -> Result<String> {
    let mut reader = BufReader::new(stream);
    let (mut head, mut length) = (String::new(), 0);
    loop {
        let mut line = String::new();
        anyhow::ensure!(reader.read_line(&mut line)? > 0, "it hung up");
        if let Some(value) = line.to_ascii_lowercase().strip_prefix("content-length:") {
            length = value.trim().parse()?;
        }
        head.push_str(&line);
        if line == "\r\n" {
            break;
        }
    }
    let mut body = vec![0; length];
    reader.read_exact(&mut body)?;
    let (status, content) = match head.contains("openid-configuration") {
        true => ("200 OK", about.clone()),
        false => ("400 Bad Request", json!({ "error": "invalid_grant" })),
    };
    let content = content.to_string();
    let answer = format!(
        "HTTP/1.1 {status}\r\ncontent-type: application/json\r\nconnection: close\r\ncontent-length: {}\r\n\r\n{content}",
        content.len()
    );
    reader.get_mut().write_all(answer.as_bytes())?;
    Ok(head + &String::from_utf8(body)?)
}

/// Somebody signs in at the provider, which says no at the end; gives the secrets that were made on the way.
fn sign_in_at_the_provider(lab: &Lab, asked: &Receiver<String>) -> Result<Vec<String>> {
    let begun = ask(lab, "GET /api/v1/oidc/login", &[], "")?;
    let to = begun.header("location").with_context(|| begun.head.clone())?;
    let state = to.split("state=").nth(1).and_then(|rest| rest.split('&').next()).context("no state")?;
    let (name, browser) = begun.cookie()?;
    let back = format!("GET /api/v1/oidc/callback?state={state}&code={CODE}");
    let refused = ask(lab, &back, &[("cookie", &format!("{name}={browser}"))], "")?;
    assert!(refused.status >= 400, "{}", refused.head);
    let presented: Vec<String> = asked.try_iter().collect();
    let presented = presented.iter().find(|request| request.starts_with("POST /token"));
    let presented = presented.context("the provider was not asked for a token")?;
    assert!(presented.contains(CLIENT_SECRET) && presented.contains(CODE), "{presented}");
    let verifier = presented.split("code_verifier=").nth(1).and_then(|rest| rest.split('&').next());
    Ok(vec![browser, state.to_owned(), verifier.context("no verifier")?.to_owned()])
}

/// Ann signs in every way and makes a token; gives her secrets.
fn ann_comes_and_goes(lab: &Lab) -> Result<Vec<String>> {
    let (file, wrong, sessions) =
        (lab.root().join("ann.password"), lab.root().join("wrong.password"), lab.root().join("ann.sessions"));
    fs::write(&file, PASSWORD)?;
    fs::write(&wrong, WRONG_PASSWORD)?;
    lab.operate(&["user", "add", "ann", "--role", "operator", "--password-file", text(&file)])?;
    let login = |password: &str| {
        let verb = ["login", "--user", "ann", "--password-file", password, "--session-file", text(&sessions)];
        Command::new(&lab.programs().pointsman)
            .args(verb)
            .args(["--coordinator", &lab.operator_url()])
            .output()
    };
    let refused = login(text(&wrong))?;
    let said = String::from_utf8_lossy(&refused.stderr).into_owned();
    assert!(!refused.status.success() && !said.contains(WRONG_PASSWORD), "{said}");
    assert!(login(text(&file))?.status.success());
    let kept: Value = serde_json::from_str(&fs::read_to_string(&sessions)?)?;
    let kept = kept[lab.operator_url()]["token"].as_str().context("no session is kept")?.to_owned();
    let asked = json!({ "user": "ann", "password": PASSWORD, "kind": "browser" }).to_string();
    let (name, cookie) = ask(lab, "POST /api/v1/session", &[], &asked)?.cookie()?;
    let with_cookie = format!("{name}={cookie}");
    let who = ask(lab, "GET /api/v1/whoami", &[("cookie", &with_cookie)], "")?.body;
    let csrf = who["csrf"].as_str().context("no second secret")?.to_owned();
    let headers = [("cookie", with_cookie.as_str()), ("x-pointsman-csrf", csrf.as_str())];
    let asked = json!({ "name": "nightly", "role": "viewer", "ttl_secs": 60 }).to_string();
    let token = ask(lab, "POST /api/v1/api-tokens", &headers, &asked)?.body;
    let token = token["token"].as_str().with_context(|| token.to_string())?.to_owned();
    let bearer = format!("Bearer {token}");
    assert_eq!(ask(lab, "GET /api/v1/hosts", &[("authorization", &bearer)], "")?.status, 200);
    assert_eq!(ask(lab, "POST /api/v1/repo/sync", &[("authorization", &bearer)], "{}")?.status, 403);
    Ok(vec![kept, cookie, csrf, token])
}

#[test]
fn a_coordinator_that_logs_everything_keeps_the_secrets_of_people() {
    in_lab(1, |lab| {
        let (issuer, asked) = provider()?;
        let secret_file = lab.root().join("oidc.secret");
        fs::write(&secret_file, CLIENT_SECRET)?;
        let allowed = Command::new("chmod").arg("600").arg(&secret_file).status()?;
        assert!(allowed.success());
        lab.configure_coordinator(&format!(
            "[oidc]\nissuer = \"{issuer}\"\nclient_id = \"pointsman\"\nclient_secret_file = {:?}\n\
             redirect_url = \"{}/api/v1/oidc/callback\"\n[oidc.roles]\nviewer = [\"all\"]\n",
            text(&secret_file),
            lab.operator_url()
        ))?;
        lab.kill_coordinator()?;
        lab.coordinator_log = "trace".to_owned();
        lab.start_coordinator()?;
        let mut planted = [PASSWORD, WRONG_PASSWORD, CLIENT_SECRET, CODE].map(str::to_owned).to_vec();
        planted.extend(ann_comes_and_goes(lab)?);
        planted.extend(sign_in_at_the_provider(lab, &asked)?);
        planted.push(fs::read_to_string(lab.token_file())?.trim().to_owned());
        assert_eq!(planted.len(), 12);
        let mut found = vec![];
        for verb in
            [&["user", "list"][..], &["api-token", "list"], &["audit", "list", "--limit", "500"], &["status"]]
        {
            found.push((verb.join(" "), lab.operate(verb)?.to_string()));
        }
        let audit = &found[2].1;
        assert!(audit.contains("user:ann") && audit.contains("access.denied"), "{audit}");
        let log = lab.root().join("log/coordinator.log");
        wait_for(LIMIT, "a trace in the log", || {
            Ok(fs::read_to_string(&log)?.contains("TRACE").then_some(()))
        })?;
        found.push(("the log".to_owned(), fs::read_to_string(&log)?));
        for secret in &planted {
            for (place, content) in &found {
                assert!(!content.contains(secret.as_str()), "{secret} is to be read in {place}");
            }
        }
        Ok(())
    });
}
