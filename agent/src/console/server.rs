//! The agent's end of the console's socket: one connection at a time, one line in, one line out.
//!
//! Owns: one thread. Must not: decide about a request. Called by `main` with what answers.

use super::wire::{ANSWER_LIMIT, Answer, LINE_LIMIT, REQUEST_BYTES_MAX, Request};
use std::io::{BufRead, BufReader, Read, Write};
use std::os::unix::net::{UnixListener, UnixStream};
use std::sync::mpsc::{SyncSender, sync_channel};
use tokio::sync::mpsc;

/// Stack of the thread.
const STACK_BYTES: usize = 128 * 1024;

/// What reaches the event loop from this host itself.
#[derive(Debug)]
pub enum Local {
    /// A request, and where its answer goes.
    Asked(Request, SyncSender<Answer>),
    /// The guard is gone.
    GuardGone,
}

/// Listens until the process ends; every request goes through `respond`.
pub fn serve(
    listener: UnixListener,
    mut respond: impl FnMut(Request) -> Answer + Send + 'static,
) -> std::io::Result<()> {
    let listen = move || {
        for stream in listener.incoming().flatten() {
            if let Err(error) = converse(&stream, &mut respond) {
                tracing::debug!(%error, "console");
            }
        }
    };
    std::thread::Builder::new().name("console".to_owned()).stack_size(STACK_BYTES).spawn(listen).map(|_| ())
}

fn converse(mut stream: &UnixStream, respond: &mut impl FnMut(Request) -> Answer) -> std::io::Result<()> {
    stream.set_read_timeout(Some(LINE_LIMIT))?;
    stream.set_write_timeout(Some(LINE_LIMIT))?;
    let mut line = String::new();
    BufReader::new(stream.take(REQUEST_BYTES_MAX)).read_line(&mut line)?;
    if line.is_empty() {
        // Somebody only looked whether anybody is there.
        return Ok(());
    }
    let answer = match serde_json::from_str(&line) {
        Ok(request) => respond(request),
        Err(error) => Answer::Refused { text: format!("the request cannot be understood: {error}") },
    };
    let mut text = serde_json::to_vec(&answer)?;
    text.push(b'\n');
    stream.write_all(&text)
}

/// Hands requests to an event loop and waits for its answers, but not for ever.
pub fn ask_loop(requests: mpsc::Sender<Local>) -> impl FnMut(Request) -> Answer + Send {
    move |request| {
        let (answer, answered) = sync_channel(1);
        if requests.blocking_send(Local::Asked(request, answer)).is_err() {
            return Answer::Refused { text: "the agent is ending: ask again".to_owned() };
        }
        answered.recv_timeout(ANSWER_LIMIT).unwrap_or_else(|_| Answer::Refused {
            text: format!("the agent did not answer within {} s: ask again", ANSWER_LIMIT.as_secs()),
        })
    }
}
