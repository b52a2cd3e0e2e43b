//! What the agent needs of the kernel: threads, sockets, processes, clocks.

use super::{Check, Weight};
use crate::console::seat;
use crate::settings::Settings;
use rustix::process::{Pid, Signal, kill_process_group};
use std::io::{Read, Write};
use std::os::unix::net::{UnixListener, UnixStream};
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant, SystemTime};

/// The smallest stack in use.
const SMALL_STACK_BYTES: usize = 64 * 1024;
/// How long both clocks are watched, and how far apart they may be then.
const CLOCKS_WATCHED: Duration = Duration::from_millis(100);
const CLOCKS_APART_MAX: Duration = Duration::from_millis(50);
/// A program that would run for long.
const LONG_PROGRAM: (&str, &str) = ("sleep", "60");

/// All checks of the system.
pub(super) fn checks(settings: &Settings) -> Vec<Check> {
    vec![
        kernel(),
        Check::information("language", language()),
        Check::essential("threads", "the agent cannot read and act at the same time", threads()),
        Check::essential(
            "spawn_and_pipes",
            "the guard cannot start the agent; set `program`",
            spawn(settings),
        ),
        process_groups(),
        unix_socket(&settings.socket),
        Check::essential(
            "clocks",
            "deadlines would be kept wrongly: correct the host's clock source",
            clocks(),
        ),
        uptime(),
    ]
}

fn kernel() -> Check {
    let found = rustix::system::uname();
    let text = |part: &std::ffi::CStr| part.to_string_lossy().into_owned();
    let (name, release) = (text(found.sysname()), text(found.release()));
    Check::information("kernel", format!("{name} {release} {}", text(found.machine())))
}

fn language() -> String {
    let own = std::env::var("LANG").unwrap_or_else(|_| "not set".to_owned());
    format!("LANG here: {own}; programs of the host get en_US.UTF-8")
}

fn threads() -> Result<String, String> {
    let spawned = std::thread::Builder::new().stack_size(SMALL_STACK_BYTES).spawn(|| 7);
    let thread = spawned.map_err(|error| error.to_string())?;
    match thread.join() {
        Ok(7) => Ok(format!("with {} KiB of stack", SMALL_STACK_BYTES / 1024)),
        Ok(_) | Err(_) => Err("a thread died".to_owned()),
    }
}

/// Starts this program as the guard would, and reads what it prints.
fn spawn(settings: &Settings) -> Result<String, String> {
    let program = crate::own_program(settings);
    let shown = program.to_string_lossy().into_owned();
    let output = Command::new(&program)
        .arg("version")
        .stdin(Stdio::null())
        .process_group(0)
        .output()
        .map_err(|error| format!("{shown}: {error}"))?;
    let printed = String::from_utf8_lossy(&output.stdout).trim().to_owned();
    match output.status.success() && printed.starts_with("pointsman-agent") {
        true => Ok(format!("{shown} prints `{printed}`")),
        false => Err(format!("{shown} ended with {} and printed `{printed}`", output.status)),
    }
}

fn process_groups() -> Check {
    const ID: &str = "process_groups";
    const MEANING: &str = "a killed agent would leave running programs behind";
    let (program, argument) = LONG_PROGRAM;
    let started = Command::new(program)
        .arg(argument)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .process_group(0)
        .spawn();
    let mut child = match started {
        Ok(child) => child,
        Err(error) => {
            let detail = format!("`{program}` cannot be started: {error}");
            return Check::unknown(ID, Weight::Essential, MEANING, detail);
        }
    };
    let group = i32::try_from(child.id()).ok().and_then(Pid::from_raw);
    let killed = match group.map(|group| kill_process_group(group, Signal::KILL)) {
        Some(Ok(())) => Ok(()),
        Some(Err(error)) => Err(error.to_string()),
        None => Err("the process has no number".to_owned()),
    };
    if killed.is_err() {
        let _ = child.kill();
    }
    let ended = child.wait().map_err(|error| error.to_string());
    Check::essential(
        ID,
        MEANING,
        killed.and(ended).and_then(|status| match status.signal() {
            Some(9) => Ok("started and killed as a group".to_owned()),
            _ => Err(format!("a killed program ended with {status}")),
        }),
    )
}

/// The agent's own socket when it is there, else one beside it.
fn unix_socket(path: &Path) -> Check {
    const ID: &str = "unix_socket";
    const MEANING: &str = "the console cannot reach a running agent; name a `socket` in a RAM disk, e.g. /var/run/pointsman.sock";
    if seat::is_live(path) {
        return Check::useful(ID, MEANING, Ok(format!("{}: an agent listens", path.display())));
    }
    let probe = path.with_extension("probe");
    let result = converse(&probe).map_err(|error| format!("{}: {error}", probe.display()));
    let _ = std::fs::remove_file(&probe);
    Check::useful(ID, MEANING, result)
}

fn converse(path: &Path) -> std::io::Result<String> {
    let listener = UnixListener::bind(path)?;
    let mut near = UnixStream::connect(path)?;
    let (mut far, _) = listener.accept()?;
    near.write_all(b"7")?;
    let mut byte = [0u8; 1];
    far.read_exact(&mut byte)?;
    Ok("made, connected, and a byte came through".to_owned())
}

fn clocks() -> Result<String, String> {
    let (monotonic, wall) = (Instant::now(), SystemTime::now());
    std::thread::sleep(CLOCKS_WATCHED);
    let monotonic = monotonic.elapsed();
    let Ok(wall) = wall.elapsed() else { return Err("the wall clock goes backwards".to_owned()) };
    if monotonic < CLOCKS_WATCHED {
        return Err(format!("the monotonic clock went {monotonic:?} in {CLOCKS_WATCHED:?}"));
    }
    match monotonic.abs_diff(wall) {
        apart if apart > CLOCKS_APART_MAX => Err(format!("{apart:?} apart after {monotonic:?}")),
        apart => Ok(format!("{apart:?} apart after {monotonic:?}")),
    }
}

fn uptime() -> Check {
    let found = std::fs::read_to_string("/proc/uptime").map(|text| text.trim().to_owned());
    Check::useful(
        "uptime",
        "the boot is told by the monotonic clock instead",
        found.map_err(|error| format!("/proc/uptime: {error}")),
    )
}
