//! Bad weather between a host and the coordinator: delay, lost bytes, closed connections, while a change is open.

use crate::support::*;
use anyhow::{Context, Result};
use simulator::faults::{FaultAction, FaultRule};
use std::io::{Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};
use std::time::Duration;
use tests::lab::Lab;
use tests::lab::story::Story;

/// A step of the story that takes long enough for the weather to change.
const SLOW: &str = "network vswitch standard portgroup set";
const SLOW_MS: u64 = 4_000;
/// What every piece of data waits for in slow weather.
const DELAY: Duration = Duration::from_millis(100);

#[derive(Clone, Copy, PartialEq)]
#[repr(u8)]
enum Weather {
    Clear = 0,
    /// Everything comes late.
    Slow = 1,
    /// Connections stand and nothing comes through: half open.
    Silent = 2,
    /// Connections are closed, and new ones as soon as they are made.
    Closed = 3,
}

/// Stands between an agent and its host's simulated network.
struct Proxy {
    port: u16,
    weather: Arc<AtomicU8>,
}

impl Proxy {
    fn start(to: u16) -> Result<Self> {
        let listener = TcpListener::bind(("127.0.0.1", 0))?;
        let (port, weather) = (listener.local_addr()?.port(), Arc::new(AtomicU8::new(0)));
        let seen = Arc::clone(&weather);
        std::thread::spawn(move || {
            for inner in listener.incoming().filter_map(std::io::Result::ok) {
                let closed = seen.load(Ordering::SeqCst) == Weather::Closed as u8;
                let outer = TcpStream::connect(("127.0.0.1", to));
                if let (false, Ok(outer), Ok(inner_too)) = (closed, outer, inner.try_clone())
                    && let Ok(outer_too) = outer.try_clone()
                {
                    let (one, other) = (Arc::clone(&seen), Arc::clone(&seen));
                    std::thread::spawn(move || pump(inner, outer, &one));
                    std::thread::spawn(move || pump(outer_too, inner_too, &other));
                }
            }
        });
        Ok(Self { port, weather })
    }

    fn set(&self, weather: Weather) {
        self.weather.store(weather as u8, Ordering::SeqCst);
    }
}

/// Passes data on as the weather allows; ends with either side, or when the weather closes it.
fn pump(mut from: TcpStream, mut to: TcpStream, weather: &AtomicU8) {
    let _ = from.set_read_timeout(Some(DELAY));
    let mut data = [0_u8; 16 * 1024];
    loop {
        let got = from.read(&mut data);
        let now = weather.load(Ordering::SeqCst);
        let sent = match got {
            _ if now == Weather::Closed as u8 => Ok(false),
            Ok(0) => Ok(false),
            Ok(_) if now == Weather::Silent as u8 => Ok(true),
            Ok(length) => {
                if now == Weather::Slow as u8 {
                    std::thread::sleep(DELAY);
                }
                to.write_all(&data[..length]).map(|()| true)
            }
            Err(error) => Ok(matches!(
                error.kind(),
                std::io::ErrorKind::WouldBlock
                    | std::io::ErrorKind::TimedOut
                    | std::io::ErrorKind::Interrupted
            )),
        };
        if !matches!(sent, Ok(true)) {
            let _ = (from.shutdown(Shutdown::Both), to.shutdown(Shutdown::Both));
            return;
        }
    }
}

/// The agent of the host reaches the network through a proxy from now on.
fn behind_proxy(lab: &mut Lab, name: &str) -> Result<Proxy> {
    let file = lab.agents.settings_file(name);
    let settings = std::fs::read_to_string(&file)?;
    let port = settings.split_once("coordinators = [\"127.0.0.1:").context("no coordinators")?.1;
    let port = port.split_once('"').context("no port")?.0.to_owned();
    let proxy = Proxy::start(port.parse()?)?;
    let from = format!("coordinators = [\"127.0.0.1:{port}\"]");
    let to = format!("coordinators = [\"127.0.0.1:{}\"]", proxy.port);
    std::fs::write(&file, settings.replace(&from, &to))?;
    lab.agents.kill(name)?;
    lab.agents.start(name)?;
    Ok(proxy)
}

fn attempt(rfc: u32, vlan: &'static str) -> Story {
    let mut story = Story::backup_network();
    story.rfc = rfc;
    story.edits.push((vec!["port_groups", "Backup 114", "vlan"], vlan));
    story
}

#[test]
fn a_change_in_bad_weather_is_kept_or_undone_and_the_truth_is_told() {
    in_lab(2, |lab| {
        let names = bring_up(lab)?;
        let canary = names[0].as_str();
        let proxy = behind_proxy(lab, canary)?;
        wait_connected(lab, names.len())?;

        // Late is not lost.
        proxy.set(Weather::Slow);
        let change = merge(lab, &attempt(1, "211"), &[])?;
        assert_eq!(wait_ended(lab, &change)?.phase, "completed");
        proxy.set(Weather::Clear);

        // Half open from the middle of the change on: old connections stand, and prove nothing.
        let before = image(lab, canary)?;
        set_faults(lab, canary, vec![FaultRule::first(SLOW, FaultAction::Slow { ms: SLOW_MS })])?;
        let known = writes(lab, canary)?.len();
        let change = merge(lab, &attempt(2, "212"), &[])?;
        wait_write(lab, canary, SLOW, known)?;
        proxy.set(Weather::Silent);
        // The way back sets the VLAN again.
        wait_write(lab, canary, SLOW, writes(lab, canary)?.len())?;
        proxy.set(Weather::Clear);
        let rollout = wait_ended(lab, &change)?;
        assert_eq!((rollout.phase.as_str(), rollout.word(canary)), ("halted", "rolled_back"), "{rollout:#?}");
        assert!(rollout.told(canary).contains("not confirmed within"), "{rollout:#?}");
        assert_eq!(image(lab, canary)?, before, "the canary is as before");
        set_faults(lab, canary, Vec::new())?;

        // Closed for a while, open again within the window: the question is asked again, and the change stays.
        set_faults(lab, canary, vec![FaultRule::first(SLOW, FaultAction::Slow { ms: SLOW_MS })])?;
        let known = writes(lab, canary)?.len();
        let saved = saves(lab, canary)?;
        let change = merge(lab, &attempt(3, "213"), &[])?;
        wait_write(lab, canary, SLOW, known)?;
        proxy.set(Weather::Closed);
        tests::lab::wait_for(LIMIT, "the canary to wait for its confirmation", || {
            let phase = lab.agents.status(canary)?["phase"].clone();
            Ok((phase == "awaiting_confirm").then_some(()))
        })?;
        assert_eq!(saves(lab, canary)?, saved, "nothing is saved before it is confirmed");
        proxy.set(Weather::Clear);
        assert_eq!(wait_ended(lab, &change)?.phase, "completed");
        Ok(())
    });
}
