//! The wire between simulated hosts and the real coordinator: one loopback port per host, forwarded while the
//! host's management path works.
//!
//! Owns: sockets and threads of the forwarder. Must not: decide reachability (see `fabric`). While a host is cut
//! off, bytes stop in both directions and nothing is closed; they flow again when the path is back. The path is
//! looked at before every piece of data, so no byte slips through after a change. Called by `pointsman-sim fabric`.

use crate::fabric::{CutMode, Reach, management_reachable};
use crate::store::HostDir;
use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::fs;
use std::io::{self, Read, Write};
use std::net::{Ipv4Addr, Shutdown, SocketAddr, TcpListener, TcpStream};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{self, sleep};
use std::time::{Duration, Instant};

/// How often a stalled connection looks whether the path is back.
const STALL_POLL: Duration = Duration::from_millis(10);
/// How often new host directories are looked for.
const SCAN_EVERY: Duration = Duration::from_millis(100);
/// How long a connection waits for a coordinator that does not listen.
const CONNECT_LIMIT: Duration = Duration::from_secs(10);
/// Stack of one copying thread, bytes.
const STACK: usize = 256 * 1024;
/// Bytes copied at once.
const CHUNK: usize = 16 * 1024;

/// Identity of a file's content: inode, size, modification time in nanoseconds.
type Stamp = Option<(u64, u64, i64, i64)>;

fn stamp(path: &Path) -> Stamp {
    let meta = fs::metadata(path).ok()?;
    Some((meta.ino(), meta.len(), meta.mtime(), meta.mtime_nsec()))
}

/// What the path of a host is now.
#[derive(Debug, Clone, PartialEq, Eq)]
enum PathState {
    Open,
    Cut(CutMode),
    /// The directory is gone.
    Gone,
}

struct Seen {
    stamps: (Stamp, Stamp),
    state: PathState,
}

/// The management path of one host, read again only when one of its files changed.
pub struct Link {
    host: HostDir,
    seen: Mutex<Option<Seen>>,
}

impl Link {
    /// The link of the host in this directory.
    #[must_use]
    pub fn new(host: HostDir) -> Self {
        Self { host, seen: Mutex::new(None) }
    }

    fn state(&self) -> PathState {
        let stamps = (stamp(&self.host.file("state.json")), stamp(&self.host.file("fabric.json")));
        let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(seen) = seen.as_ref().filter(|seen| seen.stamps == stamps) {
            return seen.state.clone();
        }
        let state = match self.host.load() {
            Ok(host) => match management_reachable(&host, &host.fabric) {
                Reach::Ok => PathState::Open,
                Reach::Cut { .. } => PathState::Cut(host.fabric.when_cut),
            },
            Err(_) if stamps.0.is_none() => PathState::Gone,
            Err(_) => PathState::Cut(CutMode::BlackHole),
        };
        *seen = Some(Seen { stamps, state: state.clone() });
        state
    }

    /// Whether bytes pass now.
    #[must_use]
    pub fn is_open(&self) -> bool {
        self.state() == PathState::Open
    }

    /// Waits until bytes pass; false when the host is gone.
    fn wait_open(&self) -> bool {
        loop {
            match self.state() {
                PathState::Open => return true,
                PathState::Gone => return false,
                PathState::Cut(_) => sleep(STALL_POLL),
            }
        }
    }
}

fn copy(link: &Link, mut from: TcpStream, mut to: TcpStream) {
    let mut buffer = vec![0; CHUNK];
    loop {
        let length = match from.read(&mut buffer) {
            Ok(length) => length,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            Err(_) => 0,
        };
        // Also the end of a connection does not cross a path that is cut.
        if !link.wait_open() {
            let _ = from.shutdown(Shutdown::Both);
            let _ = to.shutdown(Shutdown::Both);
            return;
        }
        if length == 0 || to.write_all(&buffer[..length]).is_err() {
            let _ = to.shutdown(Shutdown::Write);
            let _ = from.shutdown(Shutdown::Read);
            return;
        }
    }
}

fn connect(coordinator: SocketAddr) -> io::Result<TcpStream> {
    let began = Instant::now();
    loop {
        match TcpStream::connect(coordinator) {
            Err(error)
                if error.kind() == io::ErrorKind::ConnectionRefused && began.elapsed() < CONNECT_LIMIT =>
            {
                sleep(STALL_POLL);
            }
            result => return result,
        }
    }
}

fn serve(link: &Arc<Link>, client: TcpStream, coordinator: SocketAddr) -> io::Result<()> {
    if link.state() == PathState::Cut(CutMode::Refuse) {
        return client.shutdown(Shutdown::Both);
    }
    if !link.wait_open() {
        return Ok(());
    }
    let server = connect(coordinator)?;
    client.set_nodelay(true)?;
    server.set_nodelay(true)?;
    let back = (server.try_clone()?, client.try_clone()?);
    let other = Arc::clone(link);
    thread::Builder::new().stack_size(STACK).spawn(move || copy(&other, back.0, back.1))?;
    copy(link, client, server);
    Ok(())
}

fn accept(link: &Arc<Link>, listener: &TcpListener, coordinator: SocketAddr) {
    for client in listener.incoming() {
        let Ok(client) = client else {
            sleep(STALL_POLL);
            continue;
        };
        let link = Arc::clone(link);
        // A connection that fails is closed by dropping it; the client notices.
        let _ = thread::Builder::new().stack_size(STACK).spawn(move || serve(&link, client, coordinator));
    }
}

fn write_atomically(path: &Path, text: &str) -> io::Result<()> {
    let temporary = path.with_extension("tmp");
    fs::write(&temporary, text)?;
    fs::rename(&temporary, path)
}

/// Opens the port of one host, writes `link.port`, and forwards from then on.
pub fn open(dir: &Path, coordinator: SocketAddr) -> io::Result<u16> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
    let port = listener.local_addr()?.port();
    let link = Arc::new(Link::new(HostDir::new(dir)));
    thread::Builder::new().stack_size(STACK).spawn(move || accept(&link, &listener, coordinator))?;
    write_atomically(&dir.join("link.port"), &format!("{port}\n"))?;
    Ok(port)
}

fn host_dirs(root: &Path) -> io::Result<Vec<PathBuf>> {
    let mut dirs: Vec<PathBuf> =
        fs::read_dir(root)?.filter_map(Result::ok).map(|entry| entry.path()).collect();
    dirs.retain(|dir| dir.join("state.json").exists());
    dirs.sort();
    Ok(dirs)
}

/// Forwards for every host directory below `root`, also those that appear later; ends only with an error.
/// `ports_file` gets a JSON object from host directory name to port, replaced when a host is added.
pub fn run(root: &Path, coordinator: SocketAddr, ports_file: &Path) -> io::Result<()> {
    let mut ports: BTreeMap<String, u16> = BTreeMap::new();
    let mut written = false;
    loop {
        for dir in host_dirs(root)? {
            let name = dir.file_name().unwrap_or_default().to_string_lossy().into_owned();
            if let Entry::Vacant(entry) = ports.entry(name) {
                entry.insert(open(&dir, coordinator)?);
                written = false;
            }
        }
        if !written {
            write_atomically(ports_file, &serde_json::to_string(&ports)?)?;
            written = true;
        }
        sleep(SCAN_EVERY);
    }
}

#[cfg(test)]
mod tests;
