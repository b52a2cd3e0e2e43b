//! A second coordinator on the same database, with a state folder and ports of its own.
//!
//! Agents reach it directly, not through their host's simulated network. Called by the tests of two coordinators.

use super::{Lab, free_port, text, wait_for};
use anyhow::{Context, ensure};
use std::fs;
use std::path::Path;
use std::process::Child;

/// Its settings file, below the root.
pub(super) const SETTINGS: &str = "second.toml";
/// Its state folder, below the root.
const STATE: &str = "second";

/// The coordinator that is not asked now.
#[derive(Debug)]
pub(super) struct Second {
    operator_port: u16,
    agent_port: u16,
    process: Option<Child>,
    state: &'static str,
}

impl Second {
    pub(super) fn process(&mut self) -> Option<&mut Child> {
        self.process.as_mut()
    }
}

impl Lab {
    /// Starts a second coordinator with the same authority and order key, and waits until it answers; gives the port for agents.
    ///
    /// # Errors
    /// When it does not come up.
    pub fn start_second(&mut self) -> anyhow::Result<u16> {
        ensure!(self.second.is_none(), "there is a second coordinator already");
        let (operator_port, agent_port) = (free_port()?, free_port()?);
        let state = self.root.join(STATE);
        copy(&self.root.join("state").join("ca"), &state.join("ca"))?;
        fs::copy(self.root.join("state").join("order.key"), state.join("order.key"))
            .context("the key that signs orders cannot be copied")?;
        let settings = fs::read_to_string(self.root.join("coordinator.toml"))
            .context("the settings of the first coordinator cannot be read")?;
        let first = self.root.join("state");
        let mut changed = String::new();
        for line in settings.lines() {
            let line = match line.split(" = ").next() {
                Some("state_dir") => format!("state_dir = {:?}", text(&state)?),
                Some("listen_agents") => format!("listen_agents = \"127.0.0.1:{agent_port}\""),
                Some("listen_operators") => format!("listen_operators = \"127.0.0.1:{operator_port}\""),
                _ => line.to_owned(),
            };
            changed.push_str(&line);
            changed.push('\n');
        }
        if !settings.contains("database_url") {
            let url = format!("sqlite://{}", text(&first.join("pointsman.db"))?);
            changed = format!("database_url = {url:?}\n{changed}");
        }
        fs::write(self.root.join(SETTINGS), changed).context("the second settings cannot be written")?;
        self.second = Some(Second { operator_port, agent_port, process: None, state: STATE });
        self.ask_the_other()?;
        let started = self.start_coordinator();
        self.ask_the_other()?;
        started.map(|()| agent_port)
    }

    /// From now on operators ask the other coordinator.
    ///
    /// # Errors
    /// When there is no second one.
    pub fn ask_the_other(&mut self) -> anyhow::Result<()> {
        let other = self.second.as_mut().context("there is no second coordinator")?;
        std::mem::swap(&mut self.operator_port, &mut other.operator_port);
        std::mem::swap(&mut self.agent_port, &mut other.agent_port);
        std::mem::swap(&mut self.coordinator, &mut other.process);
        std::mem::swap(&mut self.state, &mut other.state);
        Ok(())
    }

    /// Waits until the coordinator that is asked leads; gives its name.
    ///
    /// # Errors
    /// When it does not within the limit.
    pub fn wait_leads(&self, limit: super::Limit) -> anyhow::Result<String> {
        wait_for(limit, "the coordinator to lead", || {
            let status = self.status()?;
            Ok(status["term"].is_u64().then(|| status["coordinator"].as_str().unwrap_or_default().to_owned()))
        })
    }
}

fn copy(from: &Path, to: &Path) -> anyhow::Result<()> {
    let failed = || format!("{} cannot be copied", from.display());
    fs::create_dir_all(to).with_context(failed)?;
    for entry in fs::read_dir(from).with_context(failed)? {
        let entry = entry.with_context(failed)?;
        let target = to.join(entry.file_name());
        if entry.path().is_dir() {
            copy(&entry.path(), &target)?;
        } else {
            fs::copy(entry.path(), target).with_context(failed)?;
        }
    }
    Ok(())
}
