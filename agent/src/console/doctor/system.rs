//! What the agent needs of the kernel: threads, sockets, processes, clocks.

use super::{Check, Weight};
use crate::console::seat;
use crate::guard::own;
use crate::settings::{Settings, environment};
use std::io::{Read, Write};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::Path;
use std::time::{Duration, Instant, SystemTime};

/// The smallest stack in use.
const SMALL_STACK_BYTES: usize = 64 * 1024;
/// How long both clocks are watched, and how far apart they may be then.
const CLOCKS_WATCHED: Duration = Duration::from_millis(100);
const CLOCKS_APART_MAX: Duration = Duration::from_millis(50);

/// All checks of the system.
pub(super) fn checks(settings: &Settings) -> Vec<Check> {
    vec![
        kernel(),
        Check::information("language", language()),
        Check::essential("threads", "the agent cannot read and act at the same time", threads()),
        Check::essential(
            "spawn_and_pipes",
            "the guard cannot start the agent; set `program`",
            own::version(&crate::own_program(settings)),
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
    let own = environment::language().unwrap_or_else(|| "not set".to_owned());
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

fn process_groups() -> Check {
    const ID: &str = "process_groups";
    const MEANING: &str = "a killed agent would leave running programs behind";
    match own::group_is_killed() {
        None => {
            Check::unknown(ID, Weight::Essential, MEANING, "there is no program to try it with".to_owned())
        }
        Some(result) => {
            Check::essential(ID, MEANING, result.map(|()| "started and killed as a group".to_owned()))
        }
    }
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
