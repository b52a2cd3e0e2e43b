//! People at the real coordinator: who acts stands in the trail, who may not stays out, and nobody listens in.

use crate::support::{in_lab, text};
use serde_json::{Value, json};
use std::fs;
use std::process::Command;
use tests::lab::{Lab, Programs};

const PASSWORD: &str = "correct horse battery";

/// Runs a verb as whoever is signed in: exit code, output, errors.
fn as_ann(lab: &Lab, verb: &[&str]) -> (Option<i32>, String, String) {
    let (url, sessions) = (lab.operator_url(), lab.root().join("ann.sessions"));
    let ran = Command::new(&lab.programs().pointsman)
        .args(verb)
        .args(["--coordinator", &url, "--session-file", text(&sessions)])
        .output()
        .unwrap();
    let words = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    (ran.status.code(), words(&ran.stdout), words(&ran.stderr))
}

fn newest(lab: &Lab, action: &str) -> anyhow::Result<Value> {
    let entries = lab.list(&["audit", "list", "--limit", "50"])?;
    Ok(entries.into_iter().find(|entry| entry["action"] == action).unwrap_or_default())
}

#[test]
fn who_acts_is_in_the_trail_and_a_session_outlives_the_coordinator() {
    in_lab(1, |lab| {
        let password = lab.root().join("ann.password");
        fs::write(&password, PASSWORD)?;
        let file = text(&password).to_owned();
        lab.operate(&["user", "add", "ann", "--role", "engineer", "--password-file", &file])?;
        let (code, out, err) = as_ann(lab, &["login", "--user", "ann", "--password-file", &file]);
        assert_eq!(code, Some(0), "{out}{err}");
        assert_eq!(as_ann(lab, &["sync"]).0, Some(0));
        assert_eq!(newest(lab, "repository.sync")?["actor"], "user:ann");
        let (code, _, err) = as_ann(lab, &["token", "create", "--host", "esx99"]);
        assert_eq!(code, Some(1), "{err}");
        assert!(err.contains("needs the permission host_enrol, which operator or admin has"), "{err}");
        let denied = newest(lab, "access.denied")?;
        assert_eq!(
            (&denied["actor"], &denied["subject"]),
            (&json!("user:ann"), &json!("route/POST /tokens"))
        );
        lab.kill_coordinator()?;
        lab.start_coordinator()?;
        assert_eq!(as_ann(lab, &["sync"]).0, Some(0), "a session is in the database");
        lab.operate(&["user", "disable", "ann"])?;
        assert_eq!(as_ann(lab, &["sync"]).0, Some(1));
        assert_eq!(lab.operate(&["audit", "verify"])?["verdict"], "intact");
        let log = fs::read_to_string(lab.root().join("log/coordinator.log"))?;
        assert!(!log.contains(PASSWORD) && !log.contains("pointsman-session-"), "a secret is in the log");
        Ok(())
    });
}

#[test]
fn a_listener_that_others_reach_needs_tls() {
    let folder = tempfile::tempdir().unwrap();
    let settings = folder.path().join("coordinator.toml");
    let small = format!(
        "state_dir = {:?}\nserver_names = [\"x\"]\ntrust_domain = \"example.net\"\nlisten_operators = \"0.0.0.0:0\"\n\
         [repository]\nurl = \"file:///nowhere\"\n",
        text(&folder.path().join("state"))
    );
    fs::write(&settings, small).unwrap();
    let programs = Programs::beside_this_program().unwrap();
    let ran =
        Command::new(&programs.pointsman).args(["serve", "--config", text(&settings)]).output().unwrap();
    let words = String::from_utf8_lossy(&ran.stderr);
    assert_eq!(ran.status.code(), Some(1), "{words}");
    assert!(words.contains("`listen_operators`") && words.contains("operators_tls = \"own\""), "{words}");
    assert!(!folder.path().join("state").exists(), "nothing was begun");
}
