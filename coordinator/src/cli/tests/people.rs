//! Signing in, users and API tokens from the command line, against a real router on a local port.

use super::{Ran, pointsman};
use crate::api::testkit::{Rig, TOKEN};
use crate::cli::run_on;
use crate::cli::screen::Surface;
use crate::people::oidc::OidcProvider;
use crate::people::oidc::tests::provider::TestProvider;
use crate::people::oidc::tests::settings;
use crate::tasks::wall_now;
use std::fs;
use std::io::Write;
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

const PASSWORD: &str = "correct horse battery";
/// Longest wait for a step of another thread.
const PATIENT: Duration = Duration::from_secs(60);

struct Desk {
    rig: Rig,
}

impl Desk {
    fn new() -> Self {
        Self { rig: Rig::serving() }
    }

    fn file(&self, name: &str, text: &str) -> String {
        let path = self.rig.dir().join(name);
        fs::write(&path, text).unwrap();
        path.display().to_string()
    }

    fn sessions(&self) -> PathBuf {
        self.rig.dir().join("home/sessions.json")
    }

    /// Runs a verb as whoever is signed in.
    fn run(&self, arguments: &[&str]) -> Ran {
        let (url, sessions) = (self.rig.url(), self.sessions().display().to_string());
        let mut all = arguments.to_vec();
        all.extend(["--coordinator", &url, "--session-file", &sessions]);
        pointsman(&all)
    }

    /// Runs a verb with the operator's token.
    fn run_as_operator(&self, arguments: &[&str]) -> Ran {
        let token = self.file("token", &format!("{TOKEN}\n"));
        let mut all = arguments.to_vec();
        all.extend(["--token-file", &token]);
        self.run(&all)
    }

    fn add_ann(&self, role: &str) {
        let password = self.file("ann.password", &format!("{PASSWORD}\nsecond line\n"));
        let ran = self.run_as_operator(&[
            "user",
            "add",
            "ann",
            "--role",
            role,
            "--email",
            "ann@example.net",
            "--password-file",
            &password,
        ]);
        assert_eq!((ran.code, ran.out.as_str()), (0, "user ann was made\n"), "{}", ran.err);
    }

    fn login(&self, password: &str) -> Ran {
        let file = self.file("typed", password);
        self.run(&["login", "--user", "ann", "--password-file", &file])
    }
}

#[test]
fn a_session_is_kept_used_and_ended() {
    let desk = Desk::new();
    desk.add_ann("operator");
    let refused = desk.login("wrong wrong wrong");
    assert_eq!(refused.code, 1);
    assert!(refused.err.contains("the sign-in was refused"), "{}", refused.err);
    let ran = desk.login(PASSWORD);
    assert_eq!(ran.code, 0, "{}", ran.err);
    assert!(ran.out.starts_with("signed in as ann until 2"), "{}", ran.out);
    let mode = fs::metadata(desk.sessions()).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode, 0o600);
    let who = desk.run(&["whoami"]);
    assert_eq!(who.out, "who    user:ann\nroles  operator\nemail  ann@example.net\n");
    assert_eq!(desk.run_as_operator(&["whoami", "--json"]).json()["actor"], "operator");
    let forbidden = desk.run(&["user", "list"]);
    assert_eq!(forbidden.code, 1);
    assert!(
        forbidden.err.contains("needs the permission people_manage, which admin has"),
        "{}",
        forbidden.err
    );
    fs::set_permissions(desk.sessions(), fs::Permissions::from_mode(0o644)).unwrap();
    assert!(desk.run(&["whoami"]).err.contains("others may read"), "an open file is not used");
    fs::set_permissions(desk.sessions(), fs::Permissions::from_mode(0o600)).unwrap();
    let kept = fs::read_to_string(desk.sessions()).unwrap();
    assert_eq!(desk.run(&["logout"]).out, "signed out\n");
    assert_eq!(desk.run(&["logout"]).out, "you are not signed in there\n");
    fs::write(desk.sessions(), kept).unwrap();
    assert_eq!(desk.run(&["logout"]).out, "the session was over already\n");
}

#[test]
fn users_are_listed_changed_and_shut_out() {
    let desk = Desk::new();
    desk.add_ann("viewer");
    let list = || desk.run_as_operator(&["user", "list"]).out.lines().nth(1).unwrap().to_owned();
    assert!(list().starts_with("ann   local  active  viewer  ann@example.net  -"), "{}", list());
    assert_eq!(
        desk.run_as_operator(&["user", "roles", "ann", "--role", "approver", "--role", "viewer"]).code,
        0
    );
    assert_eq!(desk.login(PASSWORD).code, 0);
    assert!(list().contains("viewer, approver"), "{}", list());
    assert_eq!(desk.run_as_operator(&["user", "disable", "ann"]).code, 0);
    assert!(list().contains("disabled"), "{}", list());
    assert!(desk.run(&["whoami"]).err.contains("who are you?"));
    assert_eq!(desk.run_as_operator(&["user", "enable", "ann"]).code, 0);
    assert_eq!(desk.login(PASSWORD).code, 0);
    let (old, new) = (desk.file("old", PASSWORD), desk.file("new", "a quite different one"));
    let set = desk.run(&["user", "password", "ann", "--before-file", &old, "--password-file", &new]);
    assert_eq!(set.code, 0, "{}", set.err);
    assert_eq!((desk.login(PASSWORD).code, desk.login("a quite different one").code), (1, 0));
    assert_eq!(desk.run_as_operator(&["user", "add", "Ann", "--role", "viewer"]).code, 2);
    assert_eq!(desk.run_as_operator(&["user", "add", "eve", "--role", "king"]).code, 2);
    let none =
        desk.run_as_operator(&["user", "add", "eve", "--role", "viewer", "--password-file", "/nowhere"]);
    assert_eq!(none.code, 1);
}

#[test]
fn api_tokens_are_made_used_and_revoked() {
    let desk = Desk::new();
    let made = desk.run_as_operator(&["api-token", "create", "nightly report", "--ttl", "2h"]);
    assert_eq!(made.code, 0, "{}", made.err);
    assert!(made.out.starts_with("pointsman-api-") && made.err.contains("not shown again"), "{}", made.err);
    let token = desk.file("api.token", &made.out);
    let with = |arguments: &[&str]| desk.run(&[arguments, &["--token-file", &token]].concat());
    assert_eq!(with(&["hosts"]).code, 0);
    assert!(with(&["sync"]).err.contains("repository_sync"));
    let list = desk.run_as_operator(&["api-token", "list"]);
    let line = list.out.lines().nth(1).unwrap().to_owned();
    assert!(line.contains("nightly report") && line.contains("viewer"), "{line}");
    let id = line.split_whitespace().next().unwrap();
    assert_eq!(desk.run_as_operator(&["api-token", "revoke", id]).code, 0);
    assert_eq!(with(&["hosts"]).code, 1);
    assert!(desk.run_as_operator(&["api-token", "list"]).out.contains("revoked"));
    assert_eq!(desk.run_as_operator(&["api-token", "revoke", "../users"]).code, 2);
}

#[test]
fn who_asks_too_often_waits_and_is_answered() {
    let desk = Desk::new();
    let asked = reqwest::blocking::Client::builder().no_proxy().build().unwrap();
    let ask = || asked.get(format!("{}/api/v1/whoami", desk.rig.url())).bearer_auth(TOKEN).send().unwrap();
    let begun = Instant::now();
    while ask().status().as_u16() != 429 {
        assert!(begun.elapsed() < PATIENT, "nobody is held back");
    }
    let ran = desk.run_as_operator(&["whoami"]);
    assert_eq!(ran.code, 0, "{}", ran.err);
}

/// What a verb prints while it runs.
#[derive(Clone, Default)]
struct Shared(Arc<Mutex<Vec<u8>>>);

impl Write for Shared {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().write(bytes)
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

impl Shared {
    fn wait_for_line(&self, start: &str) -> String {
        let begun = Instant::now();
        loop {
            let text = String::from_utf8(self.0.lock().unwrap().clone()).unwrap();
            if let Some(line) = text.lines().find(|line| line.starts_with(start) && text.ends_with('\n')) {
                return line.to_owned();
            }
            assert!(begun.elapsed() < PATIENT, "no line starts with {start}:\n{text}");
            std::thread::yield_now();
        }
    }
}

#[test]
fn the_browser_brings_a_session_to_the_command_line() {
    // Chosen once per process; the same one every time.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
    let provider = runtime.block_on(TestProvider::start(wall_now().0 / 1000));
    let rig = Rig::serving_with(Some(OidcProvider::new(settings(&provider.issuer)).unwrap()));
    let sessions = rig.dir().join("sessions.json").display().to_string();
    let remote = ["--coordinator", &rig.url(), "--session-file", &sessions].map(str::to_owned);
    let (out, err) = (Shared::default(), Shared::default());
    let running = std::thread::spawn({
        let (mut out, mut err, remote) = (out.clone(), err.clone(), remote.clone());
        move || {
            let arguments = ["pointsman", "login"].map(str::to_owned).into_iter().chain(remote);
            run_on(arguments.map(Into::into), Surface::Plain, &mut out, &mut err)
        }
    });
    let address = err.wait_for_line(&rig.url());
    // The browser: each step by hand, because the provider sends it to the coordinator's public name.
    let browser = reqwest::blocking::Client::builder().redirect(reqwest::redirect::Policy::none()).no_proxy();
    let browser = browser.build().unwrap();
    let location =
        |answer: &reqwest::blocking::Response| answer.headers()["location"].to_str().unwrap().to_owned();
    let there = browser.get(&address).send().unwrap();
    assert_eq!(there.status().as_u16(), 303);
    let cookie = there.headers()["set-cookie"].to_str().unwrap().to_owned();
    assert!(cookie.ends_with("Path=/api/v1/oidc; Max-Age=600; HttpOnly; SameSite=Lax"), "{cookie}");
    let back = location(&browser.get(location(&there)).send().unwrap());
    let back = back.replace("https://pointsman.example.net", &rig.url());
    let cookie = cookie.split(';').next().unwrap();
    let home = browser.get(&back).header("cookie", cookie).send().unwrap();
    assert_eq!(home.status().as_u16(), 303);
    let home = location(&home);
    let port = home.strip_prefix("http://127.0.0.1:").unwrap().split('/').next().unwrap().to_owned();
    // Whoever else knocks at the port is sent away, and the sign-in goes on.
    let stray = browser.get(format!("http://127.0.0.1:{port}/favicon.ico")).send().unwrap();
    assert_eq!(stray.status().as_u16(), 404);
    assert!(browser.get(&home).send().unwrap().text().unwrap().contains("You are signed in"));
    let code = running.join().unwrap();
    let printed = String::from_utf8(out.0.lock().unwrap().clone()).unwrap();
    assert_eq!(code, 0, "{}", String::from_utf8_lossy(&err.0.lock().unwrap()));
    assert!(printed.starts_with("signed in as ann until"), "{printed}");
    let mut whoami = vec!["whoami", "--json"];
    whoami.extend(remote.iter().map(String::as_str));
    let who = pointsman(&whoami).json();
    assert_eq!((&who["actor"], &who["roles"][0]), (&"user:ann".into(), &"operator".into()));
}
