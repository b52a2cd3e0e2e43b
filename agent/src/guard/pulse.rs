//! The agent's side of the guard: what it says on its standard output, and how it learns that the
//! guard is gone. Must not block the event loop: a guard that does not read only loses lines.
//!
//! Owns: standard input and output of a guarded agent. Called by `main` and the event loop.

use super::line::Said;
use std::io::{Read, Write};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::time::Duration;

/// Time between two signs of life.
pub const BEAT: Duration = Duration::from_secs(5);
/// Lines that may wait for a guard that does not read.
const LINES_MAX: usize = 16;
/// Stack of the two threads.
const STACK_BYTES: usize = 64 * 1024;

/// What is said to the guard.
#[derive(Debug)]
pub struct Pulse {
    /// None: there is no guard.
    lines: Option<SyncSender<Said>>,
    standing: Said,
    /// A line got lost: the standing is to be said again.
    lost: bool,
}

impl Pulse {
    /// For an agent without a guard.
    #[must_use]
    pub fn without_guard() -> Self {
        Self { lines: None, standing: Said::Closed, lost: false }
    }

    /// For an agent whose standard output a guard reads.
    pub fn to_guard() -> std::io::Result<Self> {
        let (lines, queue) = sync_channel(LINES_MAX);
        std::thread::Builder::new()
            .name("pulse".to_owned())
            .stack_size(STACK_BYTES)
            .spawn(move || write_lines(&queue, &mut std::io::stdout()))?;
        Ok(Self::of(lines))
    }

    fn of(lines: SyncSender<Said>) -> Self {
        Self { lines: Some(lines), standing: Said::Closed, lost: false }
    }

    /// A sign of life.
    pub fn beat(&mut self) {
        let said = if self.lost { self.standing } else { Said::Alive };
        self.lost = false;
        self.say(said);
    }

    /// How the open change stands; said when it is new, or when a rollback got on.
    pub fn stand(&mut self, standing: Said) {
        if standing != self.standing || standing == Said::Rolling {
            self.standing = standing;
            self.say(standing);
        }
    }

    fn say(&mut self, said: Said) {
        if let Some(lines) = &self.lines
            && lines.try_send(said).is_err()
        {
            self.lost = true;
        }
    }
}

/// Ends when the event loop is gone, or the guard.
fn write_lines(queue: &Receiver<Said>, out: &mut impl Write) {
    while let Ok(said) = queue.recv() {
        if out.write_all(said.line().as_bytes()).and_then(|()| out.flush()).is_err() {
            return;
        }
    }
}

/// Calls `gone` once the guard has closed its end of standard input.
pub fn when_guard_is_gone(gone: impl FnOnce() + Send + 'static) -> std::io::Result<()> {
    let wait = move || {
        let mut byte = [0u8; 16];
        let mut input = std::io::stdin();
        loop {
            match input.read(&mut byte) {
                Ok(0) => break,
                Ok(_) => {}
                Err(error) if error.kind() == std::io::ErrorKind::Interrupted => {}
                Err(_) => break,
            }
        }
        gone();
    };
    std::thread::Builder::new().name("guard".to_owned()).stack_size(STACK_BYTES).spawn(wait).map(|_| ())
}

#[cfg(test)]
mod tests;
