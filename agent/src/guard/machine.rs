//! What the guard decides: when the agent is started, when it is killed, how long it rests.
//!
//! Owns: the limits and the transitions, as a pure function of state, event and time. Must not:
//! start, kill or read anything; the shell beside it does. Called by the guard's loop only.

use super::line::Said;
use model::{Millis, Uptime};

/// An agent that says nothing for this long is taken for hung.
pub const ALIVE_LIMIT: Millis = Millis(30_000);
/// An open change whose deadline has passed must be on its way back within this time.
pub const GRACE: Millis = Millis(10_000);
/// A way back that does not get on for this long is begun anew.
pub const ROLLING_LIMIT: Millis = Millis(600_000);
/// An agent that does not die of being killed is killed again after this time.
pub const KILL_AGAIN: Millis = Millis(5_000);
/// First and longest rest before the next start.
pub const REST_FIRST: Millis = Millis(1_000);
/// Longest rest.
pub const REST_MAX: Millis = Millis(30_000);
/// An agent that lived this long begins with short rests again.
pub const LONG_LIFE: Millis = Millis(60_000);
/// When the guard itself was away for this long (stopped, or the whole host was), what the agent
/// said in the meantime is still to be read: nothing is judged for `GRACE`.
pub const AWAY_LIMIT: Millis = Millis(5_000);

/// What can happen to the guard.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Event {
    /// The agent was started.
    Begun,
    /// The agent could not be started.
    NotBegun,
    /// The agent said something.
    Said(Said),
    /// The agent's end of the pipe is closed: it is gone, or as good as gone.
    Ended,
    /// Time went by.
    Tick,
}

/// Why an agent is killed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Why {
    /// It says nothing any more.
    Silent,
    /// The deadline of the open change has passed, and it does not roll back.
    DeadlinePassed,
    /// It rolls back without getting on.
    Stuck,
    /// It was killed already and is still there.
    StillThere,
}

impl Why {
    /// The reason in words.
    #[must_use]
    pub fn words(self) -> &'static str {
        match self {
            Self::Silent => "it gives no sign of life",
            Self::DeadlinePassed => "the deadline of its open change has passed and it does not roll back",
            Self::Stuck => "its rollback does not get on",
            Self::StillThere => "it was killed and is still there",
        }
    }
}

/// What is to be done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Action {
    /// Start the agent; answer with `Begun` or `NotBegun`.
    Begin,
    /// Kill the agent with all programs it started.
    Kill(Why),
    /// Kill what the dead agent left of its group, then reap it.
    Bury,
}

/// How the open change stands, as the agent said it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Standing {
    /// Nothing is open.
    Closed,
    /// Open until this time.
    Open(Uptime),
    /// On its way back; it got on last at this time.
    Rolling(Uptime),
}

/// A running agent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Life {
    began: Uptime,
    heard: Uptime,
    standing: Standing,
    spared_until: Uptime,
}

/// Where the agent is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stage {
    /// It is started at this time.
    Resting(Uptime),
    /// It is being started.
    Beginning,
    /// It runs.
    Running(Life),
    /// It was killed; it is not gone yet.
    Killed {
        /// When it was started.
        began: Uptime,
        /// When it was killed last.
        at: Uptime,
    },
}

/// The guard's state.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct State {
    stage: Stage,
    /// Ends in a row without a long life between them.
    short_lives: u32,
    /// When anything happened last.
    seen: Uptime,
}

impl State {
    /// A guard whose agent is started with the first tick.
    #[must_use]
    pub fn new(now: Uptime) -> Self {
        Self { stage: Stage::Resting(now), short_lives: 0, seen: now }
    }
}

/// One event: the state after it, and what is to be done.
#[must_use]
pub fn step(state: State, event: Event, now: Uptime) -> (State, Vec<Action>) {
    let away = since(state.seen, now) >= AWAY_LIMIT;
    let state = State { seen: now, ..state };
    match state.stage {
        Stage::Resting(until) => match event {
            Event::Tick if now >= until => (State { stage: Stage::Beginning, ..state }, vec![Action::Begin]),
            Event::Tick | Event::Begun | Event::NotBegun | Event::Said(_) | Event::Ended => {
                (state, Vec::new())
            }
        },
        Stage::Beginning => match event {
            Event::Begun => {
                let life = Life { began: now, heard: now, standing: Standing::Closed, spared_until: now };
                (State { stage: Stage::Running(life), ..state }, Vec::new())
            }
            Event::NotBegun => (rest(state, Millis(0), now), Vec::new()),
            Event::Tick | Event::Said(_) | Event::Ended => (state, Vec::new()),
        },
        Stage::Running(mut life) => {
            if away {
                life.spared_until = now.plus(GRACE);
            }
            running(state, life, event, now)
        }
        Stage::Killed { began, at } => match event {
            Event::Ended => (rest(state, since(began, now), now), vec![Action::Bury]),
            Event::Tick if since(at, now) >= KILL_AGAIN => (
                State { stage: Stage::Killed { began, at: now }, ..state },
                vec![Action::Kill(Why::StillThere)],
            ),
            Event::Tick | Event::Begun | Event::NotBegun | Event::Said(_) => (state, Vec::new()),
        },
    }
}

fn running(state: State, mut life: Life, event: Event, now: Uptime) -> (State, Vec<Action>) {
    match event {
        Event::Ended => return (rest(state, since(life.began, now), now), vec![Action::Bury]),
        Event::Said(said) => {
            life.heard = now;
            match said {
                Said::Alive => {}
                Said::Open(deadline) => life.standing = Standing::Open(deadline),
                Said::Rolling => life.standing = Standing::Rolling(now),
                Said::Closed => life.standing = Standing::Closed,
            }
        }
        Event::Tick => {
            if let Some(why) = judge(&life, now) {
                let stage = Stage::Killed { began: life.began, at: now };
                return (State { stage, ..state }, vec![Action::Kill(why)]);
            }
        }
        Event::Begun | Event::NotBegun => {}
    }
    (State { stage: Stage::Running(life), ..state }, Vec::new())
}

fn judge(life: &Life, now: Uptime) -> Option<Why> {
    if now < life.spared_until {
        return None;
    }
    match life.standing {
        Standing::Open(deadline) if now >= deadline.plus(GRACE) => Some(Why::DeadlinePassed),
        Standing::Rolling(moved) if since(moved, now) >= ROLLING_LIMIT => Some(Why::Stuck),
        Standing::Open(_) | Standing::Rolling(_) | Standing::Closed => {
            (since(life.heard, now) >= ALIVE_LIMIT).then_some(Why::Silent)
        }
    }
}

/// The rest before the next start: longer with every short life.
fn rest(state: State, lived: Millis, now: Uptime) -> State {
    let before = if lived >= LONG_LIFE { 0 } else { state.short_lives };
    let span = REST_FIRST.0.saturating_mul(1u64 << before.min(16)).min(REST_MAX.0);
    State { stage: Stage::Resting(now.plus(Millis(span))), short_lives: before.saturating_add(1), ..state }
}

fn since(then: Uptime, now: Uptime) -> Millis {
    Millis(now.0.saturating_sub(then.0))
}

#[cfg(test)]
mod tests;
