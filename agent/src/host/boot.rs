//! Which boot this is, and how late it is.
//!
//! Owns: the two clocks and the boot id. Must not: use more of `/proc` than the uptime and the
//! boot id, since hosts have little of it. Called by `main` and the event loop.

use model::{BootId, Now, Uptime, Wall};
use std::path::Path;
use std::time::{Instant, SystemTime, UNIX_EPOCH};

const UPTIME_FILE: &str = "/proc/uptime";
const BOOT_ID_FILE: &str = "/proc/sys/kernel/random/boot_id";
/// Width of the window two computed boot times may differ in and still be the same boot.
const BOOT_TIME_BUCKET_MS: u64 = 600_000;

/// Both clocks; the monotonic one goes on from the host's uptime.
#[derive(Debug, Clone, Copy)]
pub struct Clock {
    started: Instant,
    uptime_at_start: Uptime,
}

impl Clock {
    /// A clock that begins at the host's uptime; where the host does not tell, at the kernel's
    /// monotonic clock, which is the same for all processes too.
    #[must_use]
    pub fn new() -> Self {
        let uptime = std::fs::read_to_string(UPTIME_FILE).ok().and_then(|text| parse_uptime(&text));
        Self { started: Instant::now(), uptime_at_start: uptime.unwrap_or_else(monotonic) }
    }

    /// Both clocks now.
    #[must_use]
    pub fn now(&self) -> Now {
        let since = u64::try_from(self.started.elapsed().as_millis()).unwrap_or(u64::MAX);
        let uptime = Uptime(self.uptime_at_start.0.saturating_add(since));
        let wall = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        Now { wall: Wall(u64::try_from(wall.as_millis()).unwrap_or(u64::MAX)), uptime }
    }
}

fn monotonic() -> Uptime {
    let now = rustix::time::clock_gettime(rustix::time::ClockId::Monotonic);
    let secs = u64::try_from(now.tv_sec).unwrap_or_default();
    let millis = u64::try_from(now.tv_nsec / 1_000_000).unwrap_or_default();
    Uptime(secs.saturating_mul(1000).saturating_add(millis))
}

fn parse_uptime(text: &str) -> Option<Uptime> {
    let first = text.split_whitespace().next()?;
    let (secs, fraction) = first.split_once('.').unwrap_or((first, "0"));
    let tenths: u64 = fraction.get(..1)?.parse().ok()?;
    Some(Uptime(secs.parse::<u64>().ok()?.checked_mul(1000)?.checked_add(tenths * 100)?))
}

/// The boot: from the named file, from the kernel, or from the time the host was started.
#[must_use]
pub fn boot_id(file: Option<&Path>, clock: &Clock) -> BootId {
    let path = file.unwrap_or(Path::new(BOOT_ID_FILE));
    let told = std::fs::read_to_string(path).ok().map(|text| text.trim().to_owned());
    match told.filter(|text| !text.is_empty()) {
        Some(text) => BootId(text),
        None => {
            let now = clock.now();
            let booted = now.wall.0.saturating_sub(now.uptime.0);
            BootId(format!("booted-{}", booted / BOOT_TIME_BUCKET_MS))
        }
    }
}

/// Where the boot is told from, in words.
#[must_use]
pub fn boot_id_source(file: Option<&Path>) -> String {
    let path = file.unwrap_or(Path::new(BOOT_ID_FILE));
    let told = std::fs::read_to_string(path).is_ok_and(|text| !text.trim().is_empty());
    if told { path.display().to_string() } else { "the time of the start, rounded".to_owned() }
}

#[cfg(test)]
mod tests;
