//! The agent processes of a lab: per simulated host a guard and the agent it started.

use super::processes::{children, is_alive, signal, signal_group};
use super::programs::run;
use super::{Programs, log_to, text};
use crate::lab::{Limit, wait_for};
use anyhow::{Context, ensure};
use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};

/// Longest wait for the fabric to open a host's port.
const LINK_LIMIT: Limit = Limit::secs(30);
/// Longest wait for a guard to start its agent.
const AGENT_LIMIT: Limit = Limit::secs(60);
/// Longest wait for killed processes to be dead.
const END_LIMIT: Limit = Limit::secs(30);

/// The agents.
#[derive(Debug)]
pub struct Agents {
    root: PathBuf,
    agent: PathBuf,
    esxcli: PathBuf,
    step_timeout_secs: Option<u64>,
    approvers: PathBuf,
    running: BTreeMap<String, Child>,
    /// Agents that lost their guard; they end by themselves, or with the lab.
    orphans: Vec<u32>,
}

impl Agents {
    pub(super) fn new(root: &Path, programs: &Programs, approvers: &Path) -> Self {
        let (agent, esxcli) = (programs.agent.clone(), programs.esxcli.clone());
        Self {
            root: root.to_owned(),
            agent,
            esxcli,
            step_timeout_secs: None,
            approvers: approvers.to_owned(),
            running: BTreeMap::new(),
            orphans: Vec::new(),
        }
    }

    /// Agents enrolled from now on give one changing call this long.
    pub fn set_step_timeout(&mut self, secs: u64) {
        self.step_timeout_secs = Some(secs);
    }

    /// Agents prepared from now on pin this approver set at their first start.
    pub fn set_approvers(&mut self, set: &Path) {
        self.approvers = set.to_owned();
    }

    /// One machine simulates all hosts: the more there are, the less often each is looked at.
    fn observe_period_secs(&self) -> usize {
        let hosts = fs::read_dir(self.root.join("hosts")).map_or(0, Iterator::count);
        (hosts / 4).max(2)
    }

    fn folder(&self, name: &str) -> PathBuf {
        self.root.join("agents").join(name)
    }

    /// Settings file of one agent.
    #[must_use]
    pub fn settings_file(&self, name: &str) -> PathBuf {
        self.folder(name).join("agent.toml")
    }

    /// Writes the settings of one agent: it reaches the coordinator through its host's simulated network only.
    pub(super) fn prepare(&self, name: &str, coordinator: &str, server_name: &str) -> anyhow::Result<()> {
        let folder = self.folder(name);
        fs::create_dir_all(&folder).with_context(|| format!("{} cannot be made", folder.display()))?;
        let host = self.root.join("hosts").join(name);
        let port_file = host.join("link.port");
        let port =
            wait_for(LINK_LIMIT, &format!("the port of {name}"), || Ok(fs::read_to_string(&port_file).ok()))?;
        let backup = folder.join("auto-backup.sh");
        self.link_esxcli(&backup)?;
        self.give_esxcli(name)?;
        let step_timeout =
            self.step_timeout_secs.map(|secs| format!("step_timeout_secs = {secs}\n")).unwrap_or_default();
        let period = self.observe_period_secs();
        let body = format!(
            "host_id = {name:?}\nstate_dir = {:?}\ncoordinators = [\"127.0.0.1:{}\"]\nserver_name = {server_name:?}\n\
             certificate_file = {:?}\nkey_file = {:?}\nesxcli = {:?}\nauto_backup = {:?}\n\
             coordinator_address = {coordinator:?}\nobserve_period_secs = {period}\nreconnect_max_secs = 2\n\
             approval = \"enforce\"\napprovers_file = {:?}\nboot_id_file = {:?}\n{step_timeout}\n[extra_env]\nPOINTSMAN_SIM_HOST = {:?}\n",
            text(&folder.join("state"))?,
            port.trim(),
            text(&folder.join("host.pem"))?,
            text(&folder.join("host.key"))?,
            text(&self.esxcli_of(name))?,
            text(&backup)?,
            text(&self.approvers)?,
            text(&host.join("boot_id"))?,
            text(&host)?,
        );
        fs::write(self.settings_file(name), body)
            .with_context(|| format!("the settings of {name} cannot be written"))
    }

    /// The esxcli of one agent: a link to the simulated one.
    fn esxcli_of(&self, name: &str) -> PathBuf {
        self.folder(name).join("esxcli")
    }

    fn link_esxcli(&self, link: &Path) -> anyhow::Result<()> {
        if !link.exists() {
            std::os::unix::fs::symlink(&self.esxcli, link)
                .with_context(|| format!("{} cannot be linked", link.display()))?;
        }
        Ok(())
    }

    /// Puts the esxcli of one agent in its place.
    ///
    /// # Errors
    /// When it cannot be linked.
    pub fn give_esxcli(&self, name: &str) -> anyhow::Result<()> {
        self.link_esxcli(&self.esxcli_of(name))
    }

    /// Takes the esxcli of one agent away.
    ///
    /// # Errors
    /// When it is not there.
    pub fn take_esxcli(&self, name: &str) -> anyhow::Result<()> {
        let link = self.esxcli_of(name);
        fs::remove_file(&link).with_context(|| format!("{} cannot be removed", link.display()))
    }

    /// The certificate of one agent.
    #[must_use]
    pub fn certificate_file(&self, name: &str) -> PathBuf {
        self.folder(name).join("host.pem")
    }

    /// Enrols with a token, as `pointsman-agent enrol` does; needs the settings file.
    ///
    /// # Errors
    /// When the coordinator refuses the token.
    pub fn enrol(&self, name: &str, token: &str) -> anyhow::Result<()> {
        let settings = self.settings_file(name);
        run(&self.agent, &["enrol", "--config", text(&settings)?, "--token", token]).map(|_| ())
    }

    /// Copies the folder of one agent with identity and memory, as somebody who cloned a host would: `copy` is another
    /// agent of the same host, and is started under that name.
    ///
    /// # Errors
    /// When a file cannot be copied.
    pub fn clone_identity(&self, name: &str, copy: &str) -> anyhow::Result<()> {
        let (from, to) = (self.folder(name), self.folder(copy));
        copy_files(&from, &to)?;
        let settings = fs::read_to_string(self.settings_file(name))
            .with_context(|| format!("the settings of {name} cannot be read"))?;
        fs::write(self.settings_file(copy), settings.replace(text(&from)?, text(&to)?))
            .with_context(|| format!("the settings of {copy} cannot be written"))
    }

    /// Starts the guard of one host, which starts its agent; one that runs under this name already is a mistake.
    ///
    /// # Errors
    /// When the program cannot be started.
    pub fn start(&mut self, name: &str) -> anyhow::Result<()> {
        self.start_as(name, "run")
    }

    /// Starts an agent that no guard watches or starts again.
    ///
    /// # Errors
    /// When the program cannot be started.
    pub fn start_without_guard(&mut self, name: &str) -> anyhow::Result<()> {
        self.start_as(name, "work")
    }

    fn start_as(&mut self, name: &str, verb: &str) -> anyhow::Result<()> {
        ensure!(self.has_ended(name)?, "the agent of {name} runs already");
        let child = Command::new(&self.agent)
            .args([verb, "--config", text(&self.settings_file(name))?])
            .stdin(Stdio::null())
            .stdout(log_to(&self.root, &format!("agent-{name}.log"))?)
            .stderr(log_to(&self.root, &format!("agent-{name}.log"))?)
            .spawn()
            .with_context(|| format!("the agent of {name} cannot be started"))?;
        self.running.insert(name.to_owned(), child);
        Ok(())
    }

    /// Kills guard, agent and all they started, as a power cut would.
    ///
    /// # Errors
    /// When it was not running.
    pub fn kill(&mut self, name: &str) -> anyhow::Result<()> {
        let guard = self.running.remove(name).with_context(|| format!("the agent of {name} does not run"))?;
        end(guard).with_context(|| format!("the agent of {name} cannot be killed"))
    }

    /// Kills the agent and not its guard.
    ///
    /// # Errors
    /// When it was not running.
    pub fn kill_agent_only(&self, name: &str) -> anyhow::Result<()> {
        signal(self.agent_id(name)?, "KILL")
    }

    /// Kills the guard and not the agent; the agent goes on by itself as long as a change is open.
    ///
    /// # Errors
    /// When it was not running.
    pub fn kill_guard_only(&mut self, name: &str) -> anyhow::Result<()> {
        let mut guard =
            self.running.remove(name).with_context(|| format!("the agent of {name} does not run"))?;
        self.orphans.extend(children(guard.id())?);
        guard.kill().with_context(|| format!("the guard of {name} cannot be killed"))?;
        guard.wait().with_context(|| format!("the guard of {name} did not end"))?;
        Ok(())
    }

    /// Stops the agent, and not its guard: it does nothing any more, but is there.
    ///
    /// # Errors
    /// When it was not running.
    pub fn stop_agent(&self, name: &str) -> anyhow::Result<()> {
        signal(self.agent_id(name)?, "STOP")
    }

    /// Stops the guard, and not its agent.
    ///
    /// # Errors
    /// When it was not running.
    pub fn stop_guard(&self, name: &str) -> anyhow::Result<()> {
        signal(self.guard_id(name).with_context(|| format!("no guard of {name} runs"))?, "STOP")
    }

    /// Lets a stopped guard go on.
    ///
    /// # Errors
    /// When it was not running.
    pub fn resume_guard(&self, name: &str) -> anyhow::Result<()> {
        signal(self.guard_id(name).with_context(|| format!("no guard of {name} runs"))?, "CONT")
    }

    /// Lets a stopped agent go on.
    ///
    /// # Errors
    /// When it was not running.
    pub fn resume_agent(&self, name: &str) -> anyhow::Result<()> {
        signal(self.agent_id(name)?, "CONT")
    }

    /// Process id of the agent that the guard of this host has started; waits while it is being started.
    ///
    /// # Errors
    /// When there is no guard, or no agent in time.
    pub fn agent_id(&self, name: &str) -> anyhow::Result<u32> {
        let guard = self.running.get(name).with_context(|| format!("no guard of {name} runs"))?.id();
        wait_for(AGENT_LIMIT, &format!("the guard of {name} to start its agent"), || {
            Ok(children(guard)?.into_iter().next())
        })
    }

    /// Whether the process that was started for one host (its guard, when it has one) has ended by itself, e.g. because
    /// the simulator killed it.
    ///
    /// # Errors
    /// When the system does not tell.
    pub fn has_ended(&mut self, name: &str) -> anyhow::Result<bool> {
        match self.running.get_mut(name) {
            Some(child) => Ok(child.try_wait()?.is_some()),
            None => Ok(true),
        }
    }

    /// Process id of one agent, once its guard has started it.
    #[must_use]
    pub fn process_id(&self, name: &str) -> Option<u32> {
        self.agent_id(name).ok()
    }

    /// Process id of one guard.
    #[must_use]
    pub fn guard_id(&self, name: &str) -> Option<u32> {
        self.running.get(name).map(Child::id)
    }

    /// Runs a console verb of one host to its end, whatever it ends with.
    ///
    /// # Errors
    /// When it cannot be started.
    pub fn verb(&self, name: &str, arguments: &[&str]) -> anyhow::Result<Output> {
        let settings = self.settings_file(name);
        let output = Command::new(&self.agent)
            .args(arguments)
            .args(["--config", text(&settings)?])
            .stdin(Stdio::null())
            .output();
        output.with_context(|| format!("`{}` of {name} cannot be run", arguments.join(" ")))
    }

    /// What an agent's own `status` says.
    ///
    /// # Errors
    /// When it fails.
    pub fn status(&self, name: &str) -> anyhow::Result<serde_json::Value> {
        // The exit code tells in short what the text tells in full.
        let output = self.verb(name, &["status", "--json"])?;
        let printed = String::from_utf8_lossy(&output.stdout);
        let context = || format!("status of {name} ended with {} and printed: {printed}", output.status);
        serde_json::from_str(&printed).with_context(context)
    }

    pub(super) fn kill_all(&mut self) {
        for (_, guard) in std::mem::take(&mut self.running) {
            let _gone = end(guard);
        }
        for agent in self.orphans.drain(..) {
            let _gone = signal_group(agent, "KILL");
        }
    }
}

/// Ends a guard, its agent, and what that had started. The guard first: it would start another agent.
fn end(mut guard: Child) -> anyhow::Result<()> {
    signal(guard.id(), "STOP")?;
    let agents = children(guard.id())?;
    guard.kill().context("the guard cannot be killed")?;
    guard.wait().context("the guard did not end")?;
    for agent in &agents {
        // It may have ended in between.
        let _gone = signal_group(*agent, "KILL");
    }
    // Until it is dead it may answer on its socket, and the next one would not start.
    wait_for(END_LIMIT, "the killed agent to be dead", || {
        Ok((!agents.iter().any(|agent| is_alive(*agent))).then_some(()))
    })
}

/// Copies a folder without its sockets; links are followed.
fn copy_files(from: &Path, to: &Path) -> anyhow::Result<()> {
    let context = || format!("{} cannot be copied", from.display());
    fs::create_dir_all(to).with_context(context)?;
    for entry in fs::read_dir(from).with_context(context)? {
        let entry = entry.with_context(context)?;
        let target = to.join(entry.file_name());
        if entry.path().is_dir() {
            copy_files(&entry.path(), &target)?;
        } else if entry.path().is_file() {
            fs::copy(entry.path(), target).with_context(context)?;
        }
    }
    Ok(())
}
