//! `work`: the agent itself, from its seat to the end of its event loop.
//!
//! Owns: taking the seat, the threads towards guard and console. Must not: know what the agent does.
//! Called by `main`.

use crate::agent::shell::Surroundings;
use crate::console::client::{AskError, ask};
use crate::console::seat::{self, Occupied, Seat};
use crate::console::server::{Local, ask_loop, serve};
use crate::console::wire::Request;
use crate::guard::pulse::{BEAT, Pulse, when_guard_is_gone};
use crate::host::boot::{Clock, boot_id};
use crate::settings::Settings;
use std::os::unix::net::UnixListener;
use std::time::{Duration, Instant};
use tokio::sync::mpsc;

/// Longest wait of a guarded agent for the one before it, which may still end its open change.
const SEAT_LIMIT: Duration = Duration::from_secs(60);
/// One that has the seat and does not answer for this long hangs without a guard, and is killed.
const HUNG_LIMIT: Duration = Duration::from_secs(30);
/// Time between two tries.
const TRY_EVERY: Duration = Duration::from_millis(250);
/// Requests of the console that may wait.
const REQUESTS_MAX: usize = 4;

/// Works until it is killed, or until its guard is gone and nothing is open.
pub fn work(settings: Settings, guarded: bool) -> anyhow::Result<()> {
    let mut pulse = if guarded { Pulse::to_guard()? } else { Pulse::without_guard() };
    let listener = take_seat(&settings, guarded, &mut pulse)?;
    let (keep, local) = mpsc::channel(REQUESTS_MAX);
    if guarded {
        let gone = keep.clone();
        when_guard_is_gone(move || {
            // When nobody listens any more the agent is ending anyway.
            let _ = gone.blocking_send(Local::GuardGone);
        })?;
    }
    if let Some(listener) = listener {
        serve(listener, ask_loop(keep.clone()))?;
    }
    let clock = Clock::new();
    let boot = boot_id(settings.boot_id_file.as_deref(), &clock);
    let surroundings = Surroundings { pulse, guarded, local, keep };
    crate::runtime()?.block_on(crate::agent::run(settings, clock, boot, surroundings))
}

/// The seat, or none where sockets cannot be made.
fn take_seat(
    settings: &Settings,
    guarded: bool,
    pulse: &mut Pulse,
) -> Result<Option<UnixListener>, Occupied> {
    let began = Instant::now();
    let (mut heard, mut beaten) = (began, began);
    loop {
        match seat::take(&settings.socket) {
            Ok(Seat::Taken(listener)) => return Ok(Some(listener)),
            Ok(Seat::Unknown { detail }) => {
                tracing::warn!(
                    detail,
                    "no socket: the console works on the journal only, a second agent is not noticed"
                );
                return Ok(None);
            }
            Err(occupied) if !guarded || began.elapsed() >= SEAT_LIMIT => return Err(occupied),
            Err(_) => {}
        }
        match ask(&settings.socket, &Request::Ping) {
            Ok(_) | Err(AskError::NoAgent) => heard = Instant::now(),
            Err(AskError::Silent { .. }) if heard.elapsed() >= HUNG_LIMIT => {
                let killed = seat::evict(&settings.socket).map_err(|error| error.to_string());
                tracing::error!(?killed, "an agent without a guard does not answer: killed");
                heard = Instant::now();
            }
            Err(AskError::Silent { .. }) => {}
        }
        if beaten.elapsed() >= BEAT {
            beaten = Instant::now();
            pulse.beat();
        }
        std::thread::sleep(TRY_EVERY);
    }
}
