//! A simulated host on disk, and the `esxcli` program over it.
//!
//! Owns: the files of a host directory: `state.json`, `fabric.json`, `faults.json`, `latency_ms`, `boot_id`,
//! `calls.log`, `lock`. Directories beside it are its neighbours on the physical network (read for pings only). Writers take the lock and replace the file; readers read the file they find. Must not: know
//! commands. Called by the binaries and by tests.

use crate::faults::{FaultAction, FaultPlan};
use crate::host::{Host, Output};
use serde::Serialize;
use serde::de::DeserializeOwned;
use std::fs::{self, File, OpenOptions};
use std::io::{ErrorKind, Write};
use std::net::Ipv4Addr;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::thread::sleep;
use std::time::Duration;

/// Separates the arguments of one call in `calls.log`.
pub const CALL_SEPARATOR: char = '\u{1f}';
/// Name of the save program.
pub const AUTO_BACKUP: &str = "auto-backup.sh";
/// The command that other hosts answer.
const PING: &str = "network diag ping";
/// Answer of the `garbage` fault.
const GARBAGE: &str = "\u{fffd}\u{1}<structure ty\0peName=\"\n}{[\u{fffd}\n";

/// Why a host directory could not be used.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// A file could not be read, written or locked.
    #[error("{path}: {source}: check the host directory")]
    File {
        /// The file.
        path: PathBuf,
        /// The reason.
        source: std::io::Error,
    },
    /// A file holds something else than expected.
    #[error("{path}: {source}: correct or remove the file")]
    Json {
        /// The file.
        path: PathBuf,
        /// The reason.
        source: serde_json::Error,
    },
}

/// A host directory.
#[derive(Debug, Clone)]
pub struct HostDir {
    dir: PathBuf,
}

impl HostDir {
    /// The host in this directory.
    pub fn new(dir: impl Into<PathBuf>) -> Self {
        Self { dir: dir.into() }
    }

    /// The directory.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.dir
    }

    /// A file of the directory.
    #[must_use]
    pub fn file(&self, name: &str) -> PathBuf {
        self.dir.join(name)
    }

    fn file_error(&self, name: &str, source: std::io::Error) -> StoreError {
        StoreError::File { path: self.file(name), source }
    }

    fn read_optional<T: DeserializeOwned>(&self, name: &str) -> Result<Option<T>, StoreError> {
        let bytes = match fs::read(self.file(name)) {
            Ok(bytes) => bytes,
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(self.file_error(name, error)),
        };
        let parsed = serde_json::from_slice(&bytes);
        parsed.map(Some).map_err(|source| StoreError::Json { path: self.file(name), source })
    }

    fn replace(&self, name: &str, bytes: &[u8]) -> Result<(), StoreError> {
        let temporary = format!("{name}.{}.tmp", std::process::id());
        fs::write(self.file(&temporary), bytes).map_err(|error| self.file_error(&temporary, error))?;
        fs::rename(self.file(&temporary), self.file(name)).map_err(|error| self.file_error(name, error))
    }

    fn replace_json<T: Serialize>(&self, name: &str, value: &T) -> Result<(), StoreError> {
        let bytes = serde_json::to_vec(value);
        let bytes = bytes.map_err(|source| StoreError::Json { path: self.file(name), source })?;
        self.replace(name, &bytes)
    }

    /// Makes the directory with this host in it, fabric included.
    pub fn create(&self, host: &Host) -> Result<(), StoreError> {
        fs::create_dir_all(&self.dir).map_err(|error| self.file_error("", error))?;
        self.replace_json("fabric.json", &host.fabric)?;
        self.save(host)
    }

    /// The host as it is now.
    pub fn load(&self) -> Result<Host, StoreError> {
        let host: Option<Host> = self.read_optional("state.json")?;
        let missing = || self.file_error("state.json", ErrorKind::NotFound.into());
        let mut host = host.ok_or_else(missing)?;
        host.fabric = self.read_optional("fabric.json")?.unwrap_or_default();
        Ok(host)
    }

    /// The host for a reading call; for a ping with the neighbours it may be for.
    fn load_for(&self, argv: &[String]) -> Result<Host, StoreError> {
        let mut host = self.load()?;
        let words: Vec<&str> = argv.iter().map(String::as_str).collect();
        if crate::cli::command_words(&words).starts_with(PING) {
            let values = words.iter().map(|word| word.rsplit('=').next().unwrap_or_default());
            if let Some(target) = values.filter_map(|value| value.parse::<Ipv4Addr>().ok()).next() {
                host.neighbours = self.neighbours_with(target);
            }
        }
        Ok(host)
    }

    /// The hosts of the directories beside this one whose files mention an address. One that cannot be read answers no ping
    /// and is passed over.
    fn neighbours_with(&self, address: Ipv4Addr) -> Vec<Host> {
        let own = self.dir.file_name();
        let Some(root) = self.dir.parent() else { return Vec::new() };
        let needle = format!("\"{address}\"");
        let siblings = fs::read_dir(root).into_iter().flatten().filter_map(Result::ok);
        let others = siblings.filter(|entry| Some(entry.file_name().as_os_str()) != own);
        let mentions = |dir: &PathBuf| {
            fs::read_to_string(dir.join("state.json")).is_ok_and(|text| text.contains(&needle))
        };
        let mut found: Vec<PathBuf> = others.map(|entry| entry.path()).filter(mentions).collect();
        found.sort();
        found.into_iter().filter_map(|dir| Self::new(dir).load().ok()).collect()
    }

    fn save(&self, host: &Host) -> Result<(), StoreError> {
        self.replace_json("state.json", host)?;
        let boot_id = format!("{}\n", host.boot.id);
        if fs::read(self.file("boot_id")).ok().as_deref() != Some(boot_id.as_bytes()) {
            self.replace("boot_id", boot_id.as_bytes())?;
        }
        Ok(())
    }

    fn lock(&self) -> Result<File, StoreError> {
        let opened = OpenOptions::new().create(true).append(true).open(self.file("lock"));
        let file = opened.map_err(|error| self.file_error("lock", error))?;
        file.lock().map_err(|error| self.file_error("lock", error))?;
        Ok(file)
    }

    /// Changes the host under the lock; the file is replaced only when the host changed.
    pub fn update<R>(&self, change: impl FnOnce(&mut Host) -> R) -> Result<R, StoreError> {
        let _lock = self.lock()?;
        let mut host = self.load()?;
        let before = host.clone();
        let result = change(&mut host);
        if host.fabric != before.fabric {
            self.replace_json("fabric.json", &host.fabric)?;
        }
        if host != before {
            self.save(&host)?;
        }
        Ok(result)
    }

    /// Replaces the scripted faults.
    pub fn set_faults(&self, plan: &FaultPlan) -> Result<(), StoreError> {
        let _lock = self.lock()?;
        self.replace_json("faults.json", plan)
    }

    fn take_fault(&self, words: &str) -> Result<Option<FaultAction>, StoreError> {
        match self.read_optional::<FaultPlan>("faults.json")? {
            Some(plan) if plan.concerns(words) => {}
            _ => return Ok(None),
        }
        let _lock = self.lock()?;
        let mut plan: FaultPlan = self.read_optional("faults.json")?.unwrap_or_default();
        let action = plan.take(words);
        self.replace_json("faults.json", &plan)?;
        Ok(action)
    }

    fn log_call(&self, argv: &[String]) -> Result<(), StoreError> {
        let line = format!("{}\n", argv.join(&CALL_SEPARATOR.to_string()).replace('\n', " "));
        let opened = OpenOptions::new().create(true).append(true).open(self.file("calls.log"));
        let written = opened.and_then(|mut file| file.write_all(line.as_bytes()));
        written.map_err(|error| self.file_error("calls.log", error))
    }

    /// Every call of the program so far, as arguments.
    pub fn calls(&self) -> Result<Vec<Vec<String>>, StoreError> {
        let text = match fs::read_to_string(self.file("calls.log")) {
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(Vec::new()),
            read => read.map_err(|error| self.file_error("calls.log", error))?,
        };
        Ok(text.lines().map(|line| line.split(CALL_SEPARATOR).map(str::to_owned).collect()).collect())
    }

    fn latency(&self, host: &Host) -> Duration {
        let text = fs::read_to_string(self.file("latency_ms")).ok();
        let ms = text.and_then(|text| text.trim().parse().ok()).unwrap_or(host.latency_ms);
        Duration::from_millis(ms)
    }

    /// Runs one command without faults, latency or a line in the log: what a person at the console does.
    pub fn exec(&self, argv: &[String]) -> Result<Output, StoreError> {
        if Host::is_write(argv) {
            self.update(|host| host.run(argv))
        } else {
            Ok(self.load_for(argv)?.run(argv))
        }
    }

    /// Runs the program as an agent calls it: logged, slow, and wrong when a fault says so.
    pub fn run_program(&self, argv: &[String]) -> Result<Output, StoreError> {
        self.log_call(argv)?;
        let words: Vec<&str> = argv.iter().map(String::as_str).collect();
        let fault = self.take_fault(&crate::cli::command_words(&words))?;
        self.around(fault, || {
            if Host::is_write(argv) {
                return self.update(|host| {
                    sleep(self.latency(host));
                    host.run(argv)
                });
            }
            let mut host = self.load_for(argv)?;
            sleep(self.latency(&host));
            Ok(host.run(argv))
        })
    }

    /// Runs `auto-backup.sh`: the running configuration is saved.
    pub fn run_auto_backup(&self) -> Result<Output, StoreError> {
        self.log_call(&[AUTO_BACKUP.to_owned()])?;
        let fault = self.take_fault(AUTO_BACKUP)?;
        self.around(fault, || self.update(Host::auto_backup).map(|()| Output::default()))
    }

    fn around(
        &self,
        fault: Option<FaultAction>,
        work: impl FnOnce() -> Result<Output, StoreError>,
    ) -> Result<Output, StoreError> {
        let failed =
            |message: String| Output { stdout: format!("{message}\n"), exit_code: 1, ..Output::default() };
        match fault {
            None => work(),
            Some(FaultAction::FailBefore { message }) => Ok(failed(message)),
            Some(FaultAction::FailAfterChange { message }) => work().map(|_| failed(message)),
            Some(FaultAction::Hang { ms }) => {
                sleep(Duration::from_millis(ms));
                Ok(failed("SIMULATOR: hung".into()))
            }
            Some(FaultAction::Slow { ms }) => {
                sleep(Duration::from_millis(ms));
                work()
            }
            Some(FaultAction::Garbage) => Ok(Output { stdout: GARBAGE.to_owned(), ..Output::default() }),
            Some(FaultAction::Truncated { bytes }) => work().map(|mut output| {
                let end = output.stdout.char_indices().map(|(at, _)| at).take_while(|at| *at <= bytes).last();
                output.stdout.truncate(if bytes < output.stdout.len() {
                    end.unwrap_or(0)
                } else {
                    usize::MAX
                });
                output
            }),
            Some(FaultAction::KillCallerBefore) => {
                self.kill_caller().map(|()| failed("SIMULATOR: killed".into()))
            }
            Some(FaultAction::KillCallerAfterChange) => {
                work()?;
                self.kill_caller().map(|()| failed("SIMULATOR: killed".into()))
            }
        }
    }

    /// Kills the one process that started this program, by its id.
    fn kill_caller(&self) -> Result<(), StoreError> {
        let caller = std::os::unix::process::parent_id().to_string();
        let status = Command::new("kill").args(["-9", &caller]).status();
        status.map(drop).map_err(|error| self.file_error("kill", error))
    }
}

#[cfg(test)]
mod tests;
