//! A throw-away PostgreSQL for tests: made, started, and gone when its value is dropped or this process dies.
//!
//! Owns the cluster's life. A small shell stands between us and the server, holding the read end of a pipe: when we end, in
//! whatever way (drop, Ctrl-C, kill), the pipe closes, the shell stops the server and removes its directory. Nothing here is fit
//! for data that matters: trust authentication, no fsync. Called by `test` and `with-pg`.

mod account;
mod locate;
pub mod with;

use std::fs;
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, bail};

use account::Account;
pub use locate::{Found, find_or_install};

/// The variable in which tests find the server.
pub const URL_VARIABLE: &str = "POINTSMAN_TEST_PG_URL";

/// How long the server may take to accept connections.
const START_LIMIT: Duration = Duration::from_secs(60);
/// How often readiness is looked at.
const START_POLL: Duration = Duration::from_millis(25);
/// A free port can be taken between finding and using it: so often another one is tried.
const PORT_ATTEMPTS_MAX: u32 = 3;
/// Line of `postmaster.pid` (from 0) that says "ready" once connections are accepted.
const READY_LINE: usize = 7;

/// Runs the server, waits until our end of the pipe closes, then stops the server and cleans up.
const KEEPER: &str = r#"
trap '' INT TERM HUP
( "$@" >"$PM_HOME/log" 2>&1 </dev/null; echo "$?" >"$PM_HOME/ended" ) &
cat >/dev/null
until [ -e "$PM_HOME/ended" ]; do
    pid=$(head -n 1 "$PM_HOME/data/postmaster.pid" 2>/dev/null) && kill -INT "$pid" 2>/dev/null
    sleep 0.1
done
wait
rm -rf "$PM_HOME"
"#;

/// A running server with an empty database `postgres`.
pub struct ThrowAway {
    keeper: Child,
    url: String,
}

impl ThrowAway {
    /// Makes and starts a cluster with the programs in `bin`.
    pub fn start(bin: &Path) -> anyhow::Result<Self> {
        let account = Account::for_server()?;
        let mut last = None;
        for _ in 0..PORT_ATTEMPTS_MAX {
            match start_once(bin, &account) {
                Ok(started) => return Ok(started),
                Err(error) => last = Some(error),
            }
        }
        Err(last.unwrap_or_else(|| anyhow::anyhow!("no attempt was made to start PostgreSQL")))
    }

    /// Where the server listens, for `POINTSMAN_TEST_PG_URL`.
    pub fn url(&self) -> &str {
        &self.url
    }
}

impl Drop for ThrowAway {
    fn drop(&mut self) {
        drop(self.keeper.stdin.take());
        // The keeper cleans up by itself; a failure to wait for it leaves nothing more to do.
        let _ = self.keeper.wait();
    }
}

fn start_once(bin: &Path, account: &Account) -> anyhow::Result<ThrowAway> {
    let home = tempfile::Builder::new()
        .prefix("pointsman-pg-")
        .tempdir()
        .context("cannot make a temporary directory for PostgreSQL")?;
    account.give(home.path())?;
    let data = home.path().join("data");
    let mut initdb = account.command(&bin.join("initdb"), home.path());
    initdb.args(["--username=postgres", "--auth=trust", "--no-sync", "--encoding=UTF8", "--locale=C"]);
    initdb.arg("--pgdata").arg(&data);
    crate::process::output_of(&mut initdb).context("cannot make a PostgreSQL cluster")?;

    let port = free_port()?;
    let server = server_command(bin, account, &data, port, home.path());
    let keeper = Command::new("sh")
        .args(["-c", KEEPER, "postgres-keeper"])
        .arg(server.get_program())
        .args(server.get_args())
        .current_dir(home.path())
        .env("PM_HOME", home.path())
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .context("cannot run sh to keep PostgreSQL")?;
    // From here on the keeper removes the directory.
    let home = home.keep();
    let started = ThrowAway { keeper, url: format!("postgres://postgres@127.0.0.1:{port}/postgres") };
    wait_until_ready(&home)?;
    Ok(started)
}

fn server_command(bin: &Path, account: &Account, data: &Path, port: u16, home: &Path) -> Command {
    let mut server = account.command(&bin.join("postgres"), home);
    server.arg("-D").arg(data).args(["-p", &port.to_string()]);
    for setting in [
        "listen_addresses=127.0.0.1",
        "unix_socket_directories=",
        "fsync=off",
        "synchronous_commit=off",
        "full_page_writes=off",
        "max_connections=200",
    ] {
        server.args(["-c", setting]);
    }
    server
}

fn wait_until_ready(home: &Path) -> anyhow::Result<()> {
    let begun = Instant::now();
    let state: PathBuf = home.join("data").join("postmaster.pid");
    while begun.elapsed() < START_LIMIT {
        if home.join("ended").exists() {
            let log = fs::read_to_string(home.join("log")).unwrap_or_default();
            bail!("PostgreSQL ended while starting: {}", log.trim());
        }
        if fs::read_to_string(&state).is_ok_and(|text| says_ready(&text)) {
            return Ok(());
        }
        thread::sleep(START_POLL);
    }
    bail!("PostgreSQL was not ready after {} s", START_LIMIT.as_secs())
}

fn says_ready(postmaster_pid: &str) -> bool {
    postmaster_pid.lines().nth(READY_LINE).is_some_and(|line| line.trim() == "ready")
}

fn free_port() -> anyhow::Result<u16> {
    let probe = TcpListener::bind(("127.0.0.1", 0)).context("cannot find a free port on 127.0.0.1")?;
    Ok(probe.local_addr().context("cannot read the port found on 127.0.0.1")?.port())
}

#[cfg(test)]
mod tests;
