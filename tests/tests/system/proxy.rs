//! A proxy between an agent and its host's network that delays, drops, half-opens and closes.

use anyhow::{Context, Result};
use std::io::{Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};
use std::time::Duration;
use tests::lab::Lab;

/// What every piece of data waits for in slow weather.
const DELAY: Duration = Duration::from_millis(100);

/// How a connection fares.
#[derive(Clone, Copy, PartialEq)]
#[repr(u8)]
pub enum Weather {
    /// Everything comes through.
    Clear = 0,
    /// Everything comes late.
    Slow = 1,
    /// Connections stand and nothing comes through: half open.
    Silent = 2,
    /// Connections are closed, and new ones as soon as they are made.
    Closed = 3,
}

/// Stands between an agent and its host's simulated network.
pub struct Proxy {
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

    /// From now on the weather is this.
    pub fn set(&self, weather: Weather) {
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
pub fn behind_proxy(lab: &mut Lab, name: &str) -> Result<Proxy> {
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
