//! The same client against a provider that others wrote: the npm package `oidc-provider`, where npm can be had.
//!
//! Without npm, or when its registry cannot be reached, this is left out and says so.

use super::provider::{CLIENT_SECRET, REDIRECT};
use super::{Finished, OidcProvider, Returned, settings};
use crate::people::{People, Role};
use crate::store::{Db, users};
use crate::tasks::wall_now;
use model::Secret;
use std::collections::{BTreeMap, BTreeSet};
use std::io::{BufRead, BufReader, Lines};
use std::path::Path;
use std::process::{Child, ChildStdout, Command, Stdio};

/// The release this was written against.
const PACKAGE: &str = "oidc-provider@9.13.3";
const PROGRAM: &str = include_str!("fixtures/provider.mjs");
const CLIENT: &str = "pointsman";
/// Most steps of a sign-in.
const STEPS_MAX: usize = 12;

fn installed(dir: &Path) -> bool {
    std::fs::write(dir.join("provider.mjs"), PROGRAM).unwrap();
    let limits =
        ["--fetch-retries=0", "--fetch-timeout=20000", "--ignore-scripts", "--no-audit", "--no-fund"];
    let npm =
        Command::new("npm").args(["install", "--silent", PACKAGE]).args(limits).current_dir(dir).output();
    npm.is_ok_and(|done| done.status.success())
}

struct Provider {
    child: Child,
    /// Kept open: the provider ends when it cannot write.
    _output: Lines<BufReader<ChildStdout>>,
    issuer: String,
}

impl Provider {
    fn start(dir: &Path, claims_at: &str) -> Self {
        let mut child = Command::new("node")
            .args(["provider.mjs", CLIENT, CLIENT_SECRET, REDIRECT, claims_at])
            .current_dir(dir)
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let issuer = lines.by_ref().map_while(Result::ok).find(|line| line.starts_with("http://127.0.0.1:"));
        Self { child, _output: lines, issuer: issuer.expect("the provider does not start") }
    }
}

impl Drop for Provider {
    fn drop(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }
}

/// A browser with cookies and a person who signs in and agrees.
struct Browser {
    http: reqwest::Client,
    cookies: BTreeMap<String, String>,
}

impl Browser {
    async fn sign_in(&mut self, url: &str) -> String {
        let mut url = url.to_owned();
        let mut form: Option<String> = None;
        for _ in 0..STEPS_MAX {
            let request = match &form {
                None => self.http.get(&url),
                Some(form) => self
                    .http
                    .post(&url)
                    .header("content-type", "application/x-www-form-urlencoded")
                    .body(form.clone()),
            };
            let cookies: Vec<String> = self.cookies.iter().map(|(k, v)| format!("{k}={v}")).collect();
            let answer = request.header("cookie", cookies.join("; ")).send().await.unwrap();
            for cookie in answer.headers().get_all("set-cookie") {
                let pair = cookie.to_str().unwrap().split(';').next().unwrap();
                let (name, value) = pair.split_once('=').unwrap();
                self.cookies.insert(name.to_owned(), value.to_owned());
            }
            if let Some(to) = answer.headers().get("location") {
                let to = reqwest::Url::parse(&url).unwrap().join(to.to_str().unwrap()).unwrap();
                url = to.to_string();
                form = None;
                if url.starts_with(REDIRECT) {
                    return url;
                }
                continue;
            }
            let page = answer.text().await.unwrap();
            let login = page.contains("value=\"login\"");
            assert!(login || page.contains("value=\"consent\""), "{url}\n{page}");
            form =
                Some(if login { "prompt=login&login=ann&password=x" } else { "prompt=consent" }.to_owned());
        }
        panic!("the sign-in does not end: {url}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn somebody_signs_in_at_a_provider_that_others_wrote() {
    let dir = tempfile::tempdir().unwrap();
    if !installed(dir.path()) {
        println!("skipped: the npm package {PACKAGE} (npm or its registry cannot be reached)");
        return;
    }
    for (claims_at, algorithm) in
        [("token", "RS256"), ("token", "ES256"), ("token", "EdDSA"), ("userinfo", "ES256")]
    {
        let provider = Provider::start(dir.path(), claims_at);
        let db =
            Db::open(&format!("sqlite://{}/{claims_at}-{algorithm}.db", dir.path().display())).await.unwrap();
        let mut settings = settings(&provider.issuer);
        settings.client_id = format!("{CLIENT} {algorithm}");
        let people = People::new(
            db.clone(),
            Secret::new("operators-token-of-this-test"),
            OidcProvider::new(settings).ok(),
        );
        let begun = people.oidc_begin(None, wall_now()).await.unwrap();
        let http = reqwest::Client::builder().redirect(reqwest::redirect::Policy::none()).no_proxy().build();
        let mut browser = Browser { http: http.unwrap(), cookies: BTreeMap::new() };
        let back = reqwest::Url::parse(&browser.sign_in(&begun.url).await).unwrap();
        let query: BTreeMap<String, String> = back.query_pairs().into_owned().collect();
        let returned = Returned {
            state: query["state"].clone(),
            code: query.get("code").cloned(),
            error: query.get("error").cloned(),
            issuer: query.get("iss").cloned(),
            browser: Some(begun.browser.expose().to_owned()),
            source: "127.0.0.1".to_owned(),
        };
        let finished = people.oidc_finish(returned.clone(), wall_now()).await;
        let Finished::Browser(session) = finished.unwrap_or_else(|error| panic!("{algorithm}: {error}"))
        else {
            panic!("no session")
        };
        let user = users::get(&db, &session.user).await.unwrap().unwrap();
        assert_eq!(user.name.as_str(), "ann");
        assert_eq!(
            (user.roles, user.email.as_deref()),
            (BTreeSet::from([Role::Operator]), Some("ann@example.net"))
        );
        assert!(people.oidc_finish(returned, wall_now()).await.is_err(), "good once");
    }
}
