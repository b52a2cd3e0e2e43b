//! A whole Pointsman on this machine: real coordinator, real Git, real agents over mTLS, simulated hosts.
//!
//! Owns: the processes and folders of one lab, ended and removed with it. Must not decide anything about the product:
//! everything goes through the programs people use. Called by the system tests and by `cargo xtask demo`.

mod agents;
pub mod approver;
mod config;
mod processes;
mod programs;
mod second;
pub mod story;
mod wait;

pub use agents::Agents;
pub use config::ConfigRepository;
pub use programs::Programs;
pub use wait::{Limit, wait_for};

use anyhow::{Context, bail, ensure};
use approver::{Person, approver_set, write_set};
use serde_json::Value;
use simulator::HostDir;
use simulator::fabric::{Reach, management_reachable};
use simulator::fleet::COORDINATOR;
use std::fs;
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU16, Ordering};

/// The group every simulated host is in.
pub const GROUP: &str = "prod-a";
/// The approver set that speaks for every group without one of its own.
pub const DEFAULT_SET: &str = "default";
/// How the reason of a rollout begins that waits for approval.
pub const WAITS: &str = "waits for approval";
/// The name in the coordinator's certificate.
const SERVER_NAME: &str = "pointsman.lab";
/// Longest wait for a part to come up.
const START_LIMIT: Limit = Limit::secs(60);

/// How a lab is set up.
#[derive(Debug, Clone)]
pub struct LabSettings {
    /// Folder of everything; must not exist.
    pub root: PathBuf,
    /// Simulated hosts.
    pub hosts: usize,
    /// `None` for SQLite in the lab's folder.
    pub database_url: Option<String>,
}

/// A running lab.
#[derive(Debug)]
pub struct Lab {
    root: PathBuf,
    programs: Programs,
    operator_port: u16,
    agent_port: u16,
    coordinator: Option<Child>,
    /// What the coordinator logs from its next start on.
    pub coordinator_log: String,
    /// Folder of its state, below the root.
    state: &'static str,
    second: Option<second::Second>,
    fabric: Child,
    /// The agents, one process per host.
    pub agents: Agents,
    /// The configuration repository.
    pub config: ConfigRepository,
    approver: Person,
    /// Whether the approver signs whatever is accepted.
    pub approves: bool,
}

/// Ports for coordinators: below those that the system gives to outgoing connections, so that nobody takes one between
/// now and the moment a coordinator listens, or is started again.
const PORTS: std::ops::Range<u16> = 10_000..32_000;
/// Ports given out by this process.
static PORTS_GIVEN: AtomicU16 = AtomicU16::new(0);

fn free_port() -> anyhow::Result<u16> {
    let span = PORTS.end - PORTS.start;
    let first = u16::try_from(std::process::id().wrapping_mul(97) % u32::from(span)).unwrap_or_default();
    for _ in 0..span {
        let given = PORTS_GIVEN.fetch_add(1, Ordering::Relaxed);
        let offset = (u32::from(first) + u32::from(given)) % u32::from(span);
        let port = PORTS.start + u16::try_from(offset).unwrap_or_default();
        if TcpListener::bind(("127.0.0.1", port)).is_ok() {
            return Ok(port);
        }
    }
    bail!("no free port on this machine between {} and {}", PORTS.start, PORTS.end)
}

/// A log file below the lab that a child writes to.
fn log_to(root: &Path, name: &str) -> anyhow::Result<Stdio> {
    let path = root.join("log").join(name);
    let file = fs::OpenOptions::new().create(true).append(true).open(&path);
    Ok(file.with_context(|| format!("{} cannot be written", path.display()))?.into())
}

impl Lab {
    /// Makes the folders, the hosts and the repository, and starts coordinator and fabric. No agent runs yet.
    ///
    /// # Errors
    /// When a program is missing or does not come up; its log stays in `log/` below the root.
    pub fn start(settings: &LabSettings, programs: Programs) -> anyhow::Result<Self> {
        let root = settings.root.clone();
        fs::create_dir_all(root.join("log")).with_context(|| format!("{} cannot be made", root.display()))?;
        let hosts = root.join("hosts");
        let count = settings.hosts.to_string();
        programs.simulator(&["make-hosts", "--root", text(&hosts)?, "--count", &count, "--group", GROUP])?;
        let config = ConfigRepository::create(&root)?;
        let (operator_port, agent_port) = (free_port()?, free_port()?);
        write_coordinator_settings(&root, settings, (operator_port, agent_port), &config)?;
        let coordinator_settings = root.join("coordinator.toml");
        programs.pointsman(&["ca", "init", "--config", text(&coordinator_settings)?])?;
        let fabric = start_fabric(&root, &programs, agent_port)?;
        let approver = Person::new(&root.join("approvers"), "Ben Approver", "ben@example.com")?;
        let set = approver_set(DEFAULT_SET, 1, 1, &[&approver]);
        let set = write_set(&root.join("approvers"), &set)?;
        let agents = Agents::new(&root, &programs, &set);
        let (coordinator, state, second) = (None, "state", None);
        let mut lab = Self {
            root,
            programs,
            operator_port,
            agent_port,
            coordinator,
            coordinator_log: "info".to_owned(),
            state,
            second,
            fabric,
            agents,
            config,
            approver,
            approves: true,
        };
        lab.start_coordinator()?;
        lab.operate(&["approvers", "import", text(&set)?])?;
        Ok(lab)
    }

    /// Starts the coordinator and waits until it answers.
    ///
    /// # Errors
    /// When it does not answer in time.
    pub fn start_coordinator(&mut self) -> anyhow::Result<()> {
        ensure!(self.coordinator.is_none(), "the coordinator runs already");
        let child = Command::new(&self.programs.pointsman)
            .args(["serve", "--config", text(&self.settings_file())?])
            .args(["--log", &self.coordinator_log])
            .stdin(Stdio::null())
            .stdout(log_to(&self.root, "coordinator.log")?)
            .stderr(log_to(&self.root, "coordinator.log")?)
            .spawn()
            .context("the coordinator cannot be started")?;
        self.coordinator = Some(child);
        wait_for(START_LIMIT, "the coordinator to answer", || Ok(self.status().ok()))?;
        Ok(())
    }

    fn settings_file(&self) -> PathBuf {
        self.root.join(if self.state == "state" { "coordinator.toml" } else { second::SETTINGS })
    }

    /// Kills the coordinator as a power cut would.
    ///
    /// # Errors
    /// When it was not running.
    pub fn kill_coordinator(&mut self) -> anyhow::Result<()> {
        let mut child = self.coordinator.take().context("the coordinator does not run")?;
        child.kill().context("the coordinator cannot be killed")?;
        child.wait().context("the coordinator did not end")?;
        Ok(())
    }

    /// Adds lines to the coordinator's settings; they count from its next start.
    ///
    /// # Errors
    /// When they cannot be written.
    pub fn configure_coordinator(&self, lines: &str) -> anyhow::Result<()> {
        let folder = self.root.join("coordinator.d");
        fs::create_dir_all(&folder).context("the folder of settings cannot be made")?;
        fs::write(folder.join("lab.toml"), lines).context("the coordinator's settings cannot be written")
    }

    /// Folder of everything.
    #[must_use]
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// The programs in use.
    #[must_use]
    pub fn programs(&self) -> &Programs {
        &self.programs
    }

    /// Address of the operators' API.
    #[must_use]
    pub fn operator_url(&self) -> String {
        format!("http://127.0.0.1:{}", self.operator_port)
    }

    /// Port that agents reach behind the fabric.
    #[must_use]
    pub fn agent_port(&self) -> u16 {
        self.agent_port
    }

    /// File with the operator's token.
    #[must_use]
    pub fn token_file(&self) -> PathBuf {
        self.root.join(self.state).join("operator.token")
    }

    /// Runs an operator verb against this coordinator; gives what it prints as JSON.
    ///
    /// # Errors
    /// When the verb fails; the error holds what it printed.
    pub fn operate(&self, verb: &[&str]) -> anyhow::Result<Value> {
        let (url, token) = (self.operator_url(), self.token_file());
        let mut arguments = vec!["--json"];
        arguments.extend_from_slice(verb);
        arguments.extend_from_slice(&["--coordinator", &url, "--token-file", text(&token)?]);
        let printed = match verb {
            ["drift", ..] => self.programs.pointsman_finding(&arguments)?,
            _ => self.programs.pointsman(&arguments)?,
        };
        serde_json::from_str(&printed)
            .with_context(|| format!("`pointsman {}` printed: {printed}", verb.join(" ")))
    }

    /// How the coordinator is.
    ///
    /// # Errors
    /// When it does not answer.
    pub fn status(&self) -> anyhow::Result<Value> {
        self.operate(&["status"])
    }

    /// The items of a listing verb.
    ///
    /// # Errors
    /// When the verb fails or prints no list.
    pub fn list(&self, verb: &[&str]) -> anyhow::Result<Vec<Value>> {
        match self.operate(verb)? {
            Value::Array(items) => Ok(items),
            Value::Object(mut page) => match page.remove("items") {
                Some(Value::Array(items)) => Ok(items),
                other => bail!("`pointsman {}` printed no list: {other:?}", verb.join(" ")),
            },
            other => bail!("`pointsman {}` printed no list: {other}", verb.join(" ")),
        }
    }

    /// Enrols every host with a one-time token of its own and starts its agent.
    ///
    /// # Errors
    /// When a token or a certificate is refused.
    pub fn enrol_all(&mut self, mut progress: impl FnMut(usize)) -> anyhow::Result<()> {
        let names = self.host_names()?;
        for (done, name) in names.iter().enumerate() {
            self.enrol(name)?;
            progress(done + 1);
        }
        Ok(())
    }

    /// Enrols one host and starts its agent.
    ///
    /// # Errors
    /// When the token or the certificate is refused.
    pub fn enrol(&mut self, name: &str) -> anyhow::Result<()> {
        let token = self.token_for(name)?;
        self.prepare(name)?;
        self.agents.enrol(name, &token)?;
        self.agents.start(name)
    }

    /// A new one-time token for a host, which lets it in without an operator: a lab is one command.
    ///
    /// # Errors
    /// When the coordinator makes none.
    pub fn token_for(&self, name: &str) -> anyhow::Result<String> {
        self.token(&["--host", name, "--no-approval"])
    }

    /// A new one-time token, made with these arguments.
    ///
    /// # Errors
    /// When the coordinator makes none.
    pub fn token(&self, arguments: &[&str]) -> anyhow::Result<String> {
        let token = self.operate(&[&["token", "create"], arguments].concat())?;
        Ok(token["token"].as_str().context("`token create` printed no token")?.to_owned())
    }

    /// Writes the settings of one agent.
    ///
    /// # Errors
    /// When the fabric has no port for its host.
    pub fn prepare(&self, name: &str) -> anyhow::Result<()> {
        self.agents.prepare(name, &COORDINATOR.to_string(), SERVER_NAME)
    }

    /// Names of the simulated hosts.
    ///
    /// # Errors
    /// When the folder cannot be read.
    pub fn host_names(&self) -> anyhow::Result<Vec<String>> {
        let entries = fs::read_dir(self.root.join("hosts")).context("the hosts cannot be listed")?;
        let mut names = Vec::new();
        for entry in entries {
            let entry = entry?;
            if entry.path().join("state.json").exists() {
                names.push(entry.file_name().to_string_lossy().into_owned());
            }
        }
        names.sort();
        Ok(names)
    }

    /// Folder of one simulated host.
    #[must_use]
    pub fn host_dir(&self, name: &str) -> PathBuf {
        self.root.join("hosts").join(name)
    }

    /// Whether the simulated network leads from the host's management adapter to the coordinator.
    ///
    /// # Errors
    /// When the host cannot be read.
    pub fn is_reachable(&self, name: &str) -> anyhow::Result<bool> {
        let host = HostDir::new(self.host_dir(name)).load()?;
        Ok(management_reachable(&host, &host.fabric) == Reach::Ok)
    }

    /// A person at the console of a host types an esxcli command.
    ///
    /// # Errors
    /// When the host refuses it.
    pub fn console(&self, name: &str, arguments: &[&str]) -> anyhow::Result<String> {
        let dir = self.host_dir(name);
        let mut all = vec!["exec", "--host", text(&dir)?, "--"];
        all.extend_from_slice(arguments);
        self.programs.simulator(&all)
    }

    /// Waits until every host is connected and its first observation is stored.
    ///
    /// # Errors
    /// When they are not within the limit.
    pub fn wait_observed(&self, limit: Limit) -> anyhow::Result<()> {
        let wanted = self.host_names()?.len();
        wait_for(limit, "every host to be observed", || {
            let hosts = self.list(&["hosts"])?;
            let seen = hosts
                .iter()
                .filter(|host| host["connected"] == true && !host["observed_at"].is_null())
                .count();
            Ok((seen >= wanted).then_some(()))
        })
    }

    /// Waits until the change of a commit is there, accepted or refused, and gives it.
    ///
    /// # Errors
    /// When it is not there within the limit.
    pub fn wait_change(&self, commit: &str, limit: Limit) -> anyhow::Result<Value> {
        wait_for(limit, &format!("commit {commit} to be reviewed"), || {
            Ok(self.list(&["changes"])?.into_iter().find(|change| change["commit"] == commit))
        })
    }

    /// Waits until the change of a commit is accepted, and gives it.
    ///
    /// # Errors
    /// When it is refused (the error tells the findings) or not there within the limit.
    pub fn wait_accepted(&self, commit: &str, limit: Limit) -> anyhow::Result<Value> {
        let change = self.wait_change(commit, limit)?;
        if change["status"] != "accepted" {
            let id = change["id"].as_str().context("a change without id")?;
            let detail = self.operate(&["changes", id])?;
            bail!("commit {commit} was {}: {:#}", change["status"], detail["findings"]);
        }
        if self.approves {
            self.begin(&change, limit)?;
        }
        Ok(change)
    }

    /// Has the rollout of a change begin, when there is one.
    fn begin(&self, change: &Value, limit: Limit) -> anyhow::Result<()> {
        wait_for(limit, &format!("the rollout of change {} to begin", change["id"]), || {
            let Some(rollout) = self.rollout_of(change)? else { return Ok(Some(())) };
            self.approve_if_waiting(change, &rollout)?;
            Ok((rollout["phase"] != "pending").then_some(()))
        })
    }

    /// The person who approves.
    #[must_use]
    pub fn approver(&self) -> &Person {
        &self.approver
    }

    /// Signs a change with the approver's key; gives what was signed and how it stands.
    ///
    /// # Errors
    /// When the change has nothing to sign or the signature does not count.
    pub fn approve(&self, change: &Value) -> anyhow::Result<Value> {
        let id = change["id"].as_str().context("a change without id")?;
        self.operate(&["approve", id, "--key", text(&self.approver.key_file)?])
    }

    /// Signs a change that waits for it, when this lab's approver signs whatever is accepted.
    fn approve_if_waiting(&self, change: &Value, rollout: &Value) -> anyhow::Result<()> {
        let waits = rollout["reason"].as_str().is_some_and(|reason| reason.starts_with(WAITS));
        if self.approves && rollout["phase"] == "pending" && waits {
            self.approve(change)?;
        }
        Ok(())
    }

    /// The rollout of a change with its waves, when there is one.
    ///
    /// # Errors
    /// When the coordinator does not answer.
    pub fn rollout_of(&self, change: &Value) -> anyhow::Result<Option<Value>> {
        match self.rollout_id(change)? {
            Some(id) => self.rollout(&id).map(Some),
            None => Ok(None),
        }
    }

    /// Which rollout a change has, when there is one.
    ///
    /// # Errors
    /// When the coordinator does not answer.
    pub fn rollout_id(&self, change: &Value) -> anyhow::Result<Option<String>> {
        let id = &change["id"];
        let found = self.list(&["rollouts"])?.into_iter().find(|rollout| rollout["change"] == *id);
        found.map(|found| found["id"].as_str().map(str::to_owned).context("a rollout without id")).transpose()
    }

    /// A rollout with its waves.
    ///
    /// # Errors
    /// When there is none, or the coordinator does not answer.
    pub fn rollout(&self, id: &str) -> anyhow::Result<Value> {
        self.operate(&["rollout", "show", id])
    }

    /// Waits until the rollout of a change is in one of these phases, and gives it.
    ///
    /// # Errors
    /// When it is not within the limit.
    pub fn wait_rollout(&self, change: &Value, phases: &[&str], limit: Limit) -> anyhow::Result<Value> {
        let what = format!("the rollout of change {} to be {}", change["id"], phases.join(" or "));
        let id = wait_for(limit, &what, || self.rollout_id(change))?;
        wait_for(limit, &what, || {
            let rollout = self.rollout(&id)?;
            self.approve_if_waiting(change, &rollout)?;
            Ok(phases.iter().any(|phase| rollout["phase"] == *phase).then_some(rollout))
        })
    }

    /// Writes every host into the repository as it is, and pushes; gives the commit.
    ///
    /// # Errors
    /// When a first plan is not empty.
    pub fn commit_import(&self) -> anyhow::Result<String> {
        let (url, token, dir) = (self.operator_url(), self.token_file(), self.config.work().to_owned());
        let arguments =
            ["import", text(&dir)?, "--group", GROUP, "--coordinator", &url, "--token-file", text(&token)?];
        self.programs.pointsman(&arguments)?;
        self.config.set_rollout(GROUP)?;
        let commit = self.config.commit("Import prod-a as it is")?;
        self.operate(&["sync"])?;
        Ok(commit)
    }

    /// Imports every host into the repository and rolls the result out as the baseline.
    ///
    /// # Errors
    /// When a first plan is not empty, or the baseline is not confirmed everywhere.
    pub fn import(&self, limit: Limit) -> anyhow::Result<Value> {
        let commit = self.commit_import()?;
        let change = self.wait_accepted(&commit, limit)?;
        self.wait_rollout(&change, &["completed"], limit)
    }
}

impl Drop for Lab {
    fn drop(&mut self) {
        self.agents.kill_all();
        let second = self.second.iter_mut().filter_map(second::Second::process);
        for child in self.coordinator.iter_mut().chain(second).chain([&mut self.fabric]) {
            let _gone = child.kill();
            let _reaped = child.wait();
        }
    }
}

pub(crate) fn text(path: &Path) -> anyhow::Result<&str> {
    path.to_str().with_context(|| format!("{} is not UTF-8", path.display()))
}

fn write_coordinator_settings(
    root: &Path,
    settings: &LabSettings,
    (operator_port, agent_port): (u16, u16),
    config: &ConfigRepository,
) -> anyhow::Result<()> {
    let database = match &settings.database_url {
        Some(url) => format!("database_url = {url:?}\n"),
        None => String::new(),
    };
    let body = format!(
        "state_dir = {:?}\n{database}listen_agents = \"127.0.0.1:{agent_port}\"\n\
         listen_operators = \"127.0.0.1:{operator_port}\"\nserver_names = [{SERVER_NAME:?}, \"127.0.0.1\"]\n\
         trust_domain = \"lab.pointsman\"\nheartbeat_secs = 2\n\n[repository]\nurl = {:?}\nbranch = \"main\"\npoll_secs = 1\n",
        text(&root.join("state"))?,
        text(config.origin())?,
    );
    fs::write(root.join("coordinator.toml"), body).context("the coordinator's settings cannot be written")
}

fn start_fabric(root: &Path, programs: &Programs, agent_port: u16) -> anyhow::Result<Child> {
    let ports = root.join("fabric.ports");
    let child = Command::new(&programs.simulator)
        .args(["fabric", "--root", text(&root.join("hosts"))?, "--coordinator"])
        .arg(format!("127.0.0.1:{agent_port}"))
        .args(["--ports-file", text(&ports)?])
        .stdin(Stdio::null())
        .stdout(log_to(root, "fabric.log")?)
        .stderr(log_to(root, "fabric.log")?)
        .spawn()
        .context("the fabric cannot be started")?;
    wait_for(START_LIMIT, "the fabric to open its ports", || Ok(ports.exists().then_some(())))?;
    Ok(child)
}
