//! Git over ssh for libgit2: a child process whose pipes are the connection. Keys, agents, jump hosts and known hosts
//! are the ssh program's business, with its checks turned on and its questions turned off.
//!
//! Must not: pass anything unchecked to a command line, or wait without a limit. Called by: libgit2, through the
//! registration.

use std::ffi::OsString;
use std::io::{self, Read, Write};
use std::path::Path;
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::Arc;
use std::sync::mpsc::{self, Receiver, RecvTimeoutError, SyncSender};
use std::thread;
use std::time::Duration;

use git2::transport::{Service, SmartSubtransport};

use super::super::error::printable;
use super::super::settings::Auth;
use super::endpoint::SshTarget;
use super::{Endpoint, Failure, Session, Stream, refuse_push};

/// The program when none is configured; found through `PATH`.
const SSH: &str = "ssh";
/// Bytes handed from the reading thread at once.
const CHUNK_BYTES: usize = 64 * 1024;
/// Chunks waiting for libgit2: with the chunk size, the memory a fast remote can take.
const CHUNKS_WAITING: usize = 4;
/// What is kept of the program's own words.
const COMPLAINT_BYTES: u64 = 4096;
/// How long the program's last words are waited for once its output ended.
const COMPLAINT_TIME: Duration = Duration::from_secs(2);
/// Phrases of OpenSSH and of forges that mean the key or the host key was not accepted.
const REFUSALS: [&str; 4] =
    ["Permission denied", "Host key verification failed", "Authentication failed", "authentication failures"];

/// One conversation with one repository.
pub(super) struct SshTransport {
    session: Arc<Session>,
}

impl SshTransport {
    pub(super) fn new(session: Arc<Session>) -> Self {
        Self { session }
    }

    fn start(&self) -> Result<Stream, git2::Error> {
        let session = &self.session;
        let Endpoint::Ssh(target) = &session.endpoint else { return refuse_push(session) };
        let (program, arguments) = command_line(target, &session.auth);
        let spawned = Command::new(&program)
            .args(arguments)
            // Our side of the protocol is version 0, whatever the account prefers.
            .env_remove("GIT_PROTOCOL")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn();
        let child = spawned.map_err(|error| {
            let reason = format!("cannot run {}: {error}", Path::new(&program).display());
            session.fail(Failure::Unreachable(reason))
        })?;
        Ok(Box::new(SshStream::new(Arc::clone(session), child)))
    }
}

impl SmartSubtransport for SshTransport {
    fn action(&self, _inner_url: &str, service: Service) -> Result<Stream, git2::Error> {
        match service {
            // libgit2 keeps the stream of the first action for the second.
            Service::UploadPackLs => self.start(),
            Service::UploadPack | Service::ReceivePackLs | Service::ReceivePack => refuse_push(&self.session),
        }
    }

    fn close(&self) -> Result<(), git2::Error> {
        Ok(())
    }
}

/// The program and its arguments. Options are fixed, then `--`, then the target; the target was checked when parsed.
fn command_line(target: &SshTarget, auth: &Auth) -> (OsString, Vec<OsString>) {
    let mut program = OsString::from(SSH);
    let mut arguments: Vec<OsString> = Vec::new();
    let mut known_hosts_file = None;
    let mut key = None;
    match auth {
        Auth::SshCommand { program: other, args } => {
            program = other.as_os_str().to_owned();
            arguments.extend(args.iter().map(OsString::from));
        }
        Auth::SshKey { private_key, known_hosts } => {
            key = Some(private_key);
            known_hosts_file = known_hosts.as_ref();
        }
        Auth::None | Auth::Token(_) | Auth::Bearer(_) | Auth::Basic { .. } => {}
    }
    let mut option = |text: &str, path: Option<&Path>| {
        let mut argument = OsString::from(text);
        argument.push(path.map_or_else(OsString::new, |path| path.as_os_str().to_owned()));
        arguments.extend([OsString::from("-o"), argument]);
    };
    option("BatchMode=yes", None);
    option("StrictHostKeyChecking=yes", None);
    option("ClearAllForwardings=yes", None);
    if let Some(file) = known_hosts_file {
        option("UserKnownHostsFile=", Some(file));
    }
    if let Some(key) = key {
        option("IdentitiesOnly=yes", None);
        option("IdentityFile=", Some(key));
    }
    if let Some(port) = target.port {
        arguments.extend([OsString::from("-p"), OsString::from(port.to_string())]);
    }
    let place = match &target.user {
        Some(user) => format!("{user}@{}", target.host),
        None => target.host.clone(),
    };
    let remote_command = format!("git-upload-pack {}", quoted(&target.path));
    arguments.extend([OsString::from("--"), OsString::from(place), OsString::from(remote_command)]);
    (program, arguments)
}

/// One word for the remote shell.
fn quoted(path: &str) -> String {
    format!("'{}'", path.replace('\'', "'\\''"))
}

/// The child's pipes. Reading goes through a thread so that it can be given up when the time is over. Writing needs
/// none: libgit2 never has more unanswered bytes than a pipe holds.
struct SshStream {
    session: Arc<Session>,
    child: Child,
    input: Option<ChildStdin>,
    chunks: Receiver<Vec<u8>>,
    complaint: Receiver<String>,
    pending: Vec<u8>,
    taken: usize,
}

impl SshStream {
    fn new(session: Arc<Session>, mut child: Child) -> Self {
        let (chunk_sender, chunks) = mpsc::sync_channel(CHUNKS_WAITING);
        if let Some(output) = child.stdout.take() {
            thread::spawn(move || forward(output, &chunk_sender));
        }
        let (complaint_sender, complaint) = mpsc::sync_channel(1);
        if let Some(errors) = child.stderr.take() {
            thread::spawn(move || collect(errors, &complaint_sender));
        }
        let input = child.stdin.take();
        Self { session, child, input, chunks, complaint, pending: Vec::new(), taken: 0 }
    }

    /// The output ended. If libgit2 wanted more, it fails next, and this is why.
    fn ended(&mut self) -> io::Result<usize> {
        let wait = COMPLAINT_TIME.min(self.session.remaining());
        let complaint = self.complaint.recv_timeout(wait).unwrap_or_default();
        let failure = if complaint.is_empty() {
            Failure::Unreachable("the ssh connection was closed".to_owned())
        } else if REFUSALS.iter().any(|phrase| complaint.contains(phrase)) {
            Failure::AuthRefused(printable(&complaint))
        } else {
            Failure::Unreachable(printable(&complaint))
        };
        self.session.fail(failure);
        Ok(0)
    }
}

/// Reads until the end, or until nobody listens.
fn forward(mut output: impl Read, chunks: &SyncSender<Vec<u8>>) {
    let mut buffer = vec![0; CHUNK_BYTES];
    loop {
        match output.read(&mut buffer) {
            Ok(0) => return,
            Ok(bytes) => {
                if chunks.send(buffer[..bytes].to_vec()).is_err() {
                    return;
                }
            }
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(_) => return,
        }
    }
}

/// Keeps the beginning of the program's words and reads the rest away, so that it never waits for us.
fn collect(mut errors: impl Read, complaint: &SyncSender<String>) {
    let mut kept = Vec::new();
    let read = errors.by_ref().take(COMPLAINT_BYTES).read_to_end(&mut kept);
    if read.is_ok() {
        // The rest is of no interest, and neither is a failure to read it.
        let _ = io::copy(&mut errors, &mut io::sink());
    }
    // Nobody listens any more when the fetch was given up.
    let _ = complaint.send(String::from_utf8_lossy(&kept).into_owned());
}

impl Read for SshStream {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if self.taken == self.pending.len() {
            match self.chunks.recv_timeout(self.session.remaining()) {
                Ok(chunk) => (self.pending, self.taken) = (chunk, 0),
                Err(RecvTimeoutError::Timeout) => return Err(self.session.fail_io(Failure::TimedOut)),
                Err(RecvTimeoutError::Disconnected) => return self.ended(),
            }
        }
        let rest = &self.pending[self.taken..];
        let bytes = rest.len().min(buffer.len());
        buffer[..bytes].copy_from_slice(&rest[..bytes]);
        self.taken += bytes;
        self.session.received(bytes)
    }
}

impl Write for SshStream {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let Some(input) = &mut self.input else { return Err(io::ErrorKind::BrokenPipe.into()) };
        // A closed pipe is explained by what the reading side finds.
        input.write(bytes).map_err(|_| io::Error::other("the ssh connection was closed"))
    }

    fn flush(&mut self) -> io::Result<()> {
        self.input.as_mut().map_or(Ok(()), Write::flush)
    }
}

impl Drop for SshStream {
    fn drop(&mut self) {
        // Closing the input lets the remote side end by itself; the kill covers the one that does not. Both fail
        // only when the child has already ended.
        drop(self.input.take());
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
