//! The console's end of the socket. Must not act on the host.

use super::wire::{ANSWER_BYTES_MAX, ANSWER_LIMIT, Answer, LINE_LIMIT, Request};
use std::io::{BufRead, BufReader, ErrorKind, Read, Write};
use std::os::unix::net::UnixStream;
use std::path::Path;

/// Why there is no answer.
#[derive(Debug, thiserror::Error)]
pub enum AskError {
    /// Nobody listens.
    #[error("no agent runs")]
    NoAgent,
    /// Somebody listens and does not answer.
    #[error(
        "the agent is there but does not answer ({detail}); its guard ends it within 30 s, then ask again"
    )]
    Silent {
        /// What happened.
        detail: String,
    },
}

/// Asks a running agent.
pub fn ask(path: &Path, request: &Request) -> Result<Answer, AskError> {
    let mut stream = UnixStream::connect(path).map_err(|error| match error.kind() {
        ErrorKind::NotFound | ErrorKind::ConnectionRefused => AskError::NoAgent,
        _ => AskError::Silent { detail: error.to_string() },
    })?;
    converse(&mut stream, request).map_err(|error| AskError::Silent { detail: error.to_string() })
}

fn converse(stream: &mut UnixStream, request: &Request) -> std::io::Result<Answer> {
    stream.set_write_timeout(Some(LINE_LIMIT))?;
    stream.set_read_timeout(Some(ANSWER_LIMIT + LINE_LIMIT))?;
    let mut text = serde_json::to_vec(request)?;
    text.push(b'\n');
    stream.write_all(&text)?;
    let mut line = String::new();
    BufReader::new(stream.take(ANSWER_BYTES_MAX)).read_line(&mut line)?;
    Ok(serde_json::from_str(&line)?)
}

#[cfg(test)]
mod tests;
