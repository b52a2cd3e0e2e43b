//! What an agent says to its guard, one line each. Must not read or write pipes.

use model::Uptime;

/// Longest line; a longer one is not one of ours.
pub const LINE_BYTES_MAX: u64 = 64;

/// One line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Said {
    /// The event loop turns.
    Alive,
    /// A change is open until this time of the monotonic clock.
    Open(Uptime),
    /// The open change is on its way back, and has just got on.
    Rolling,
    /// Nothing is open.
    Closed,
}

impl Said {
    /// The line, with its end.
    #[must_use]
    pub fn line(self) -> String {
        match self {
            Self::Alive => "alive\n".to_owned(),
            Self::Open(deadline) => format!("open {}\n", deadline.0),
            Self::Rolling => "rolling\n".to_owned(),
            Self::Closed => "closed\n".to_owned(),
        }
    }

    /// Reads a line; what is none of ours is nothing.
    #[must_use]
    pub fn read(line: &[u8]) -> Option<Self> {
        let text = std::str::from_utf8(line).ok()?.strip_suffix('\n')?;
        match text.split_once(' ') {
            Some(("open", deadline)) => deadline.parse().ok().map(|ms| Self::Open(Uptime(ms))),
            Some(_) => None,
            None => match text {
                "alive" => Some(Self::Alive),
                "rolling" => Some(Self::Rolling),
                "closed" => Some(Self::Closed),
                _ => None,
            },
        }
    }
}

#[cfg(test)]
mod tests;
