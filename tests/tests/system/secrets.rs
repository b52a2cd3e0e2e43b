//! Secrets reach no log, no answer and no error, however much is logged.

use crate::support::*;
use anyhow::{Context, Result};
use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};
use tests::lab::story::Story;
use tests::lab::{Lab, Programs, wait_for};

/// A text that must not be found, and what it is.
struct Planted {
    what: String,
    text: String,
}

/// The inner lines of a PEM file: any of them would give the key away.
fn key_lines(path: &Path) -> Result<Vec<Planted>> {
    let pem = fs::read_to_string(path).with_context(|| format!("{} cannot be read", path.display()))?;
    let lines = pem.lines().filter(|line| !line.starts_with("-----") && line.len() >= 16);
    Ok(lines.map(|line| Planted { what: path.display().to_string(), text: line.to_owned() }).collect())
}

/// Everything that people or programs may read of a lab, with its name.
fn readable(lab: &Lab, names: &[String]) -> Result<Vec<(String, String)>> {
    let mut found = Vec::new();
    for entry in fs::read_dir(lab.root().join("log"))? {
        let path = entry?.path();
        found.push((path.display().to_string(), String::from_utf8_lossy(&fs::read(&path)?).into_owned()));
    }
    for verb in [
        &["status"][..],
        &["hosts"],
        &["rfcs"],
        &["changes"],
        &["rollouts"],
        &["drift", "list"][..1],
        &["audit", "list", "--limit", "500"],
        &["host", "show", &names[0]],
    ] {
        found.push((verb.join(" "), lab.operate(verb)?.to_string()));
    }
    for verb in [&["status"][..], &["log"], &["doctor"], &["plan"]] {
        let output = lab.agents.verb(&names[0], verb)?;
        let text = [output.stdout, output.stderr].concat();
        found.push((format!("agent {}", verb.join(" ")), String::from_utf8_lossy(&text).into_owned()));
    }
    Ok(found)
}

fn assert_absent(planted: &[Planted], found: &[(String, String)]) {
    for Planted { what, text } in planted {
        for (place, content) in found {
            assert!(!content.contains(text.as_str()), "{what} is to be read in {place}");
        }
    }
}

#[test]
fn a_coordinator_and_agents_that_log_everything_keep_their_secrets() {
    in_lab(2, |lab| {
        lab.kill_coordinator()?;
        lab.coordinator_log = "trace".to_owned();
        lab.start_coordinator()?;
        let names = lab.host_names()?;
        let mut planted = Vec::new();
        for name in &names {
            let token = lab.token_for(name)?;
            lab.prepare(name)?;
            let settings = lab.agents.settings_file(name);
            let body = fs::read_to_string(&settings)?;
            fs::write(&settings, format!("log_level = \"trace\"\n{body}"))?;
            lab.agents.enrol(name, &token)?;
            // Somebody tries it again: the refusal must not repeat it.
            let error = format!("{:#}", lab.agents.enrol(name, &token).unwrap_err());
            // The lab names the command it ran, token and all: only what the agent itself printed counts.
            let printed = error.split_once(":\n").map_or("", |(_, printed)| printed).to_owned();
            let token = Planted { what: "an enrolment token".to_owned(), text: token };
            assert_absent(std::slice::from_ref(&token), &[("a refused enrolment".to_owned(), printed)]);
            planted.push(token);
            lab.agents.start(name)?;
            let key = settings.parent().context("no folder")?.join("host.key");
            planted.extend(key_lines(&key)?);
        }
        lab.wait_observed(LIMIT)?;
        lab.import(LIMIT)?;
        let change = merge(lab, &Story::backup_network(), &[])?;
        assert_eq!(wait_ended(lab, &change)?.phase, "completed");
        planted.push(Planted {
            what: "the operators' token".to_owned(),
            text: fs::read_to_string(lab.token_file())?.trim().to_owned(),
        });
        for entry in fs::read_dir(lab.root().join("state").join("ca"))? {
            let path = entry?.path();
            if path.extension().is_some_and(|extension| extension == "key") {
                planted.extend(key_lines(&path)?);
            }
        }
        assert!(planted.len() >= 8, "few secrets were planted");
        let found = readable(lab, &names)?;
        let trace =
            |part: &str| found.iter().any(|(place, text)| place.contains(part) && text.contains("TRACE"));
        assert!(
            trace("coordinator.log") && trace(&format!("agent-{}.log", names[0])),
            "nobody logs everything"
        );
        assert_absent(&planted, &found);
        Ok(())
    });
}

/// Runs a coordinator with these settings until its log says `until` or it ends; gives all it printed.
fn serve(folder: &Path, name: &str, settings: &str, until: &str) -> Result<String> {
    let (file, log) = (folder.join(format!("{name}.toml")), folder.join(format!("{name}.log")));
    let state = folder.join(format!("{name}.state"));
    let body = format!(
        "state_dir = {:?}\nserver_names = [\"localhost\"]\ntrust_domain = \"canary.test\"\n\
         listen_agents = \"127.0.0.1:0\"\nlisten_operators = \"127.0.0.1:0\"\n{settings}",
        text(&state)
    );
    fs::write(&file, body)?;
    let programs = Programs::beside_this_program()?;
    let out = fs::File::create(&log)?;
    let mut child = Command::new(&programs.pointsman)
        .args(["serve", "--log", "trace", "--config", text(&file)])
        .stdin(Stdio::null())
        .stdout(out.try_clone()?)
        .stderr(out)
        .spawn()?;
    let seen = wait_for(LIMIT, "the coordinator to say what is wrong", || {
        let said = fs::read_to_string(&log)?.contains(until);
        Ok((said || child.try_wait()?.is_some()).then_some(()))
    });
    let _gone = child.kill();
    child.wait()?;
    seen?;
    Ok(fs::read_to_string(&log)?)
}

#[test]
fn passwords_in_settings_are_not_repeated_when_they_are_of_no_use() {
    let folder = tempfile::tempdir().unwrap();
    let dir = folder.path();
    fs::write(dir.join("token"), "canary-repository-token\n").unwrap();
    let file_url = "[repository]\nurl = \"/nowhere.git\"\n";
    for (name, settings, until) in [
        (
            "database",
            format!("database_url = \"postgres://ana:canary-database-password@127.0.0.1:1/db\"\n{file_url}"),
            "127.0.0.1",
        ),
        (
            "database-malformed",
            format!("database_url = \"postgres://ana:canary-database-password@:x:/db\"\n{file_url}"),
            "database",
        ),
        (
            "address",
            "[repository]\nurl = \"https://ana:canary-url-password@127.0.0.1:1/x.git\"\n".to_owned(),
            "password",
        ),
        (
            "token",
            format!(
                "[repository]\nurl = \"https://127.0.0.1:1/x.git\"\ntoken_file = {:?}\n",
                text(&dir.join("token"))
            ),
            "was not fetched",
        ),
    ] {
        let printed = serve(dir, name, &settings, until).unwrap();
        assert!(printed.contains(until), "{name}: {printed}");
        assert!(!printed.contains("canary-"), "{name}: {printed}");
    }
}
