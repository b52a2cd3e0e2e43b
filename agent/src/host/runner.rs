//! The only place that starts a program: no shell, fixed environment, bounded time and output.
//!
//! Owns: the child process from start to end. Must not: know what the program says. Two plain
//! threads read its output, so that nothing depends on non-blocking pipes. Called by `observe`,
//! `apply` and `worker`, never on the event loop's thread.

use std::collections::BTreeMap;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::time::{Duration, Instant};

/// Most output of one call, per stream.
pub const OUTPUT_BYTES_MAX: u64 = 4 * 1024 * 1024;
/// Stack of a thread that reads output.
const READER_STACK_BYTES: usize = 256 * 1024;
/// How long output may go on after the program was killed.
const GRACE: Duration = Duration::from_millis(200);
/// First and longest pause while waiting for the exit status.
const EXIT_PAUSE: Duration = Duration::from_micros(200);
const EXIT_PAUSE_MAX: Duration = Duration::from_millis(20);
/// What every program gets; `PATH` as a host's shell has it.
const ENVIRONMENT: [(&str, &str); 3] =
    [("LANG", "en_US.UTF-8"), ("LC_ALL", "en_US.UTF-8"), ("PATH", "/bin:/sbin:/usr/bin:/usr/sbin")];

/// Why there is no result of a program.
#[derive(Debug, thiserror::Error)]
pub enum RunError {
    /// It could not be started.
    #[error("{program} could not be started: check the path in the settings")]
    NotStarted {
        /// The program.
        program: PathBuf,
        /// What the system says.
        source: std::io::Error,
    },
    /// It took too long and was killed.
    #[error("{program} did not end within {} s and was killed", after.as_secs_f32())]
    TimedOut {
        /// The program.
        program: PathBuf,
        /// The limit.
        after: Duration,
    },
    /// It printed too much and was killed.
    #[error("{program} printed more than {limit} bytes and was killed")]
    TooMuchOutput {
        /// The program.
        program: PathBuf,
        /// The limit.
        limit: u64,
    },
    /// Its output or exit status could not be read.
    #[error("{program}: its result could not be read")]
    Unreadable {
        /// The program.
        program: PathBuf,
        /// What the system says.
        source: std::io::Error,
    },
}

impl RunError {
    /// The error and its causes in one line.
    #[must_use]
    pub fn chain(&self) -> String {
        match std::error::Error::source(self) {
            Some(source) => format!("{self}: {source}"),
            None => self.to_string(),
        }
    }
}

/// What a program left behind.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finished {
    /// Exit status; `None` when a signal ended it.
    pub exit_code: Option<i32>,
    /// Standard output; bytes that are no text are replaced.
    pub stdout: String,
    /// Standard error; bytes that are no text are replaced.
    pub stderr: String,
}

/// One program with its environment.
#[derive(Debug, Clone)]
pub struct Runner {
    program: PathBuf,
    extra_env: BTreeMap<String, String>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Stream {
    Out,
    Err,
}

type ReadResult = (Stream, std::io::Result<Vec<u8>>);

impl Runner {
    /// A runner of `program`.
    #[must_use]
    pub fn new(program: &Path, extra_env: &BTreeMap<String, String>) -> Self {
        Self { program: program.to_owned(), extra_env: extra_env.clone() }
    }

    /// Runs it with these arguments; blocks for at most `timeout`.
    pub fn run(&self, argv: &[String], timeout: Duration) -> Result<Finished, RunError> {
        let mut child = self.start(argv)?;
        let (sender, receiver) = channel();
        let started = self
            .read_in_thread(Stream::Out, child.stdout.take(), sender.clone())
            .and_then(|()| self.read_in_thread(Stream::Err, child.stderr.take(), sender));
        let result = started.and_then(|()| self.wait(&mut child, &receiver, timeout));
        if result.is_err() {
            // It may have ended in between; both calls are best effort.
            let _ = child.kill();
            let _ = child.wait();
            while receiver.recv_timeout(GRACE).is_ok() {}
        }
        result
    }

    fn start(&self, argv: &[String]) -> Result<Child, RunError> {
        Command::new(&self.program)
            .args(argv)
            .env_clear()
            .envs(ENVIRONMENT)
            .envs(&self.extra_env)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .map_err(|source| RunError::NotStarted { program: self.program.clone(), source })
    }

    fn unreadable(&self, source: std::io::Error) -> RunError {
        RunError::Unreadable { program: self.program.clone(), source }
    }

    fn read_in_thread(
        &self,
        stream: Stream,
        pipe: Option<impl Read + Send + 'static>,
        sender: Sender<ReadResult>,
    ) -> Result<(), RunError> {
        let read = move || {
            let mut bytes = Vec::new();
            let result = match pipe {
                Some(pipe) => pipe.take(OUTPUT_BYTES_MAX + 1).read_to_end(&mut bytes).map(|_| bytes),
                None => Ok(bytes),
            };
            // Nobody listens any more when the call was given up.
            let _ = sender.send((stream, result));
        };
        std::thread::Builder::new()
            .name("output".to_owned())
            .stack_size(READER_STACK_BYTES)
            .spawn(read)
            .map(|_| ())
            .map_err(|source| self.unreadable(source))
    }

    fn wait(
        &self,
        child: &mut Child,
        receiver: &Receiver<ReadResult>,
        timeout: Duration,
    ) -> Result<Finished, RunError> {
        let deadline = Instant::now() + timeout;
        let left = || deadline.saturating_duration_since(Instant::now());
        let timed_out = || RunError::TimedOut { program: self.program.clone(), after: timeout };
        let (mut stdout, mut stderr) = (None, None);
        while stdout.is_none() || stderr.is_none() {
            let (stream, bytes) = match receiver.recv_timeout(left()) {
                Ok((stream, bytes)) => (stream, bytes.map_err(|source| self.unreadable(source))?),
                Err(RecvTimeoutError::Timeout) => return Err(timed_out()),
                Err(RecvTimeoutError::Disconnected) => {
                    return Err(self.unreadable(std::io::ErrorKind::BrokenPipe.into()));
                }
            };
            if u64::try_from(bytes.len()).unwrap_or(u64::MAX) > OUTPUT_BYTES_MAX {
                let program = self.program.clone();
                return Err(RunError::TooMuchOutput { program, limit: OUTPUT_BYTES_MAX });
            }
            let text = String::from_utf8(bytes)
                .unwrap_or_else(|error| String::from_utf8_lossy(error.as_bytes()).into_owned());
            match stream {
                Stream::Out => stdout = Some(text),
                Stream::Err => stderr = Some(text),
            }
        }
        let mut pause = EXIT_PAUSE;
        loop {
            match child.try_wait().map_err(|source| self.unreadable(source))? {
                Some(status) => {
                    return Ok(Finished {
                        exit_code: status.code(),
                        stdout: stdout.unwrap_or_default(),
                        stderr: stderr.unwrap_or_default(),
                    });
                }
                None if left().is_zero() => return Err(timed_out()),
                None => std::thread::sleep(pause),
            }
            pause = (pause * 2).min(EXIT_PAUSE_MAX);
        }
    }
}

#[cfg(test)]
mod tests;
