//! The guard: a tiny process that starts the agent, owns the deadline of its open change, and kills
//! and restarts it when it hangs.
//!
//! Owns: the agent's process group and the two pipes to it. Must not: know a change, a host or a
//! network; the recovery of the restarted agent does all that is to be done. No asynchronous
//! runtime, one thread beside the main one. Called by `main` for `run`.
//!
//! An agent is killed with its whole group, so that a program it had started does not change the
//! host behind the back of the recovery.

pub mod line;
pub mod machine;
pub mod own;
pub mod pulse;

use crate::host::boot::Clock;
use line::{LINE_BYTES_MAX, Said};
use machine::{Action, Event, State, Why, step};
use rustix::process::{Pid, Signal, kill_process_group, test_kill_process_group};
use std::ffi::{OsStr, OsString};
use std::io::{BufRead, BufReader, Read, Write};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdout, Command, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel};
use std::time::{Duration, Instant};

/// Time between two looks at the clock.
const TICK: Duration = Duration::from_secs(1);
/// Stack of the thread that listens.
const STACK_BYTES: usize = 64 * 1024;
/// Lines that may wait for the loop.
const LINES_MAX: usize = 16;
/// Longest wait for what is left of a killed group to be gone.
const GROUP_GONE_LIMIT: Duration = Duration::from_millis(500);
/// Time between two looks whether it is.
const GROUP_LOOK: Duration = Duration::from_millis(10);

struct Guard<'a> {
    program: &'a OsStr,
    config: &'a Path,
    clock: Clock,
    child: Option<Child>,
    events: SyncSender<Event>,
}

/// First argument of a guard that has left the command line and the settings behind.
const GUARD: &str = "guard";

/// Becomes the guard: this program anew under the same number, so that what was needed to read command line and settings
/// does not stay in memory. Returns only when that fails.
pub fn become_guard(program: &OsStr, config: &Path) -> anyhow::Error {
    let error = Command::new(program).arg(GUARD).arg(program).arg(config).exec();
    anyhow::anyhow!("{} cannot be started: {error}; set `program` in the settings", program.to_string_lossy())
}

/// The program and the settings file of a guard, when these are the arguments of one.
#[must_use]
pub fn own_arguments(mut arguments: impl Iterator<Item = OsString>) -> Option<(OsString, PathBuf)> {
    let is_guard = arguments.nth(1).is_some_and(|verb| verb == GUARD);
    let (program, config) = (arguments.next()?, arguments.next()?);
    (is_guard && arguments.next().is_none()).then(|| (program, config.into()))
}

/// Guards the agent until this process is killed; returns only when its own parts fail.
pub fn run(program: &OsStr, config: &Path) -> anyhow::Result<()> {
    let (events, listen) = sync_channel(LINES_MAX);
    let mut guard = Guard { program, config, clock: Clock::new(), child: None, events };
    guard.log("INFO", "guard started", &[]);
    guard.watch(&listen)
}

impl Guard<'_> {
    fn watch(&mut self, listen: &Receiver<Event>) -> anyhow::Result<()> {
        let mut state = State::new(self.clock.now().uptime);
        let mut next = Some(Event::Tick);
        loop {
            let event = match next.take() {
                Some(event) => event,
                None => match listen.recv_timeout(TICK) {
                    Ok(event) => event,
                    Err(RecvTimeoutError::Timeout) => Event::Tick,
                    Err(RecvTimeoutError::Disconnected) => anyhow::bail!("the guard lost its own ear"),
                },
            };
            let (after, actions) = step(state, event, self.clock.now().uptime);
            state = after;
            for action in actions {
                next = self.perform(action);
            }
        }
    }

    fn perform(&mut self, action: Action) -> Option<Event> {
        match action {
            Action::Begin => Some(self.begin()),
            Action::Kill(why) => {
                self.kill(why);
                None
            }
            Action::Bury => {
                self.bury();
                None
            }
        }
    }

    fn begin(&mut self) -> Event {
        let spawned = Command::new(self.program)
            .args([OsStr::new("work"), OsStr::new("--guarded"), OsStr::new("--config")])
            .arg(self.config)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .process_group(0)
            .spawn();
        let mut child = match spawned {
            Ok(child) => child,
            Err(error) => {
                let program = self.program.to_string_lossy();
                self.log(
                    "ERROR",
                    "the agent cannot be started",
                    &[("program", &program), ("error", &error.to_string())],
                );
                return Event::NotBegun;
            }
        };
        let pid = child.id().to_string();
        let heard = child.stdout.take().map(|out| listen_to(out, self.events.clone()));
        self.child = Some(child);
        match heard {
            Some(Ok(())) => {
                self.log("INFO", "agent begun", &[("agent_pid", &pid)]);
                Event::Begun
            }
            Some(Err(error)) => {
                self.log("ERROR", "the guard cannot listen to the agent", &[("error", &error.to_string())]);
                self.bury();
                Event::NotBegun
            }
            None => {
                self.bury();
                Event::NotBegun
            }
        }
    }

    /// The agent is not reaped yet, so its number still names its group and nobody else's.
    fn kill(&mut self, why: Why) {
        self.log("ERROR", "the agent is killed", &[("reason", why.words())]);
        if let Some(child) = &mut self.child {
            kill_group(child);
        }
    }

    fn bury(&mut self) {
        let Some(mut child) = self.child.take() else { return };
        kill_group(&mut child);
        let status = child.wait();
        let told = status.map_or_else(|error| error.to_string(), |status| status.to_string());
        self.log("WARN", "agent ended", &[("agent_pid", &child.id().to_string()), ("status", &told)]);
        if let Some(group) = group_of(&child) {
            // Orphans die on their own time; a new agent should not meet them.
            let limit = Instant::now() + GROUP_GONE_LIMIT;
            while test_kill_process_group(group).is_ok() && Instant::now() < limit {
                std::thread::sleep(GROUP_LOOK);
            }
        }
    }

    /// One line of JSON, as the agent writes them; there is no logger in this process.
    fn log(&self, level: &str, message: &str, fields: &[(&str, &str)]) {
        let mut line = serde_json::Map::new();
        line.insert("level".to_owned(), level.into());
        line.insert("message".to_owned(), message.into());
        line.insert("uptime_ms".to_owned(), self.clock.now().uptime.0.into());
        for (name, value) in fields {
            line.insert((*name).to_owned(), (*value).into());
        }
        let text = format!("{}\n", serde_json::Value::Object(line));
        // Nothing can be done when even that does not work.
        let _ = std::io::stderr().write_all(text.as_bytes());
    }
}

fn group_of(child: &Child) -> Option<Pid> {
    i32::try_from(child.id()).ok().and_then(Pid::from_raw)
}

/// Kills the child and all of its group. It may be gone already; both calls are best effort.
fn kill_group(child: &mut Child) {
    let killed = group_of(child).is_some_and(|group| kill_process_group(group, Signal::KILL).is_ok());
    if !killed {
        let _ = child.kill();
    }
}

/// Passes on what the agent says, and last that it ended.
fn listen_to(out: ChildStdout, events: SyncSender<Event>) -> std::io::Result<()> {
    let listen = move || {
        let mut out = BufReader::with_capacity(256, out);
        let mut line = Vec::new();
        loop {
            line.clear();
            match out.by_ref().take(LINE_BYTES_MAX).read_until(b'\n', &mut line) {
                Ok(0) => break,
                Ok(_) => {
                    if let Some(said) = Said::read(&line)
                        && events.send(Event::Said(said)).is_err()
                    {
                        return;
                    }
                }
                Err(error) if error.kind() == std::io::ErrorKind::Interrupted => {}
                Err(_) => break,
            }
        }
        // When nobody listens any more the guard is ending.
        let _ = events.send(Event::Ended);
    };
    std::thread::Builder::new().name("listen".to_owned()).stack_size(STACK_BYTES).spawn(listen).map(|_| ())
}

#[cfg(test)]
mod tests;
