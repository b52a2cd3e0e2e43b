//! The guard's decisions as tables on virtual time.

use super::*;

const DEADLINE: u64 = 60_000;

fn at(ms: u64) -> Uptime {
    Uptime(ms)
}

/// A story: events at times; gives every action with its time. Ticks come every second, as in the real loop.
fn play(events: &[(u64, Event)], end: u64) -> Vec<(u64, Action)> {
    let mut state = State::new(at(0));
    let mut told = Vec::new();
    let mut take = |event, now: u64| {
        let (next, actions) = step(state, event, at(now));
        state = next;
        told.extend(actions.into_iter().map(|action| (now, action)));
    };
    for second in 0..=end / 1_000 {
        let now = second * 1_000;
        for (_, event) in events.iter().filter(|(when, _)| when / 1_000 == second) {
            take(*event, now);
        }
        take(Event::Tick, now);
    }
    told
}

/// The agent is started at 0 and says these things.
fn life(said: &[(u64, Said)], end: u64) -> Vec<(u64, Action)> {
    let mut events = vec![(1_000, Event::Begun)];
    events.extend(said.iter().map(|(when, said)| (*when, Event::Said(*said))));
    let mut told = play(&events, end);
    assert_eq!(told.remove(0), (0, Action::Begin));
    told
}

fn alive(from: u64, to: u64) -> Vec<(u64, Said)> {
    (from / 5_000..=to / 5_000).map(|n| (n * 5_000, Said::Alive)).collect()
}

fn with(mut said: Vec<(u64, Said)>, more: &[(u64, Said)]) -> Vec<(u64, Said)> {
    said.extend_from_slice(more);
    said.sort_by_key(|(when, _)| *when);
    said
}

#[test]
fn an_agent_that_gives_signs_of_life_is_left_alone() {
    assert_eq!(life(&alive(5_000, 900_000), 900_000), []);
}

#[test]
fn silence_is_borne_for_the_limit_and_no_longer() {
    assert_eq!(life(&[], 30_000), []);
    assert_eq!(life(&[], 31_000), [(31_000, Action::Kill(Why::Silent))]);
    assert_eq!(life(&[(20_000, Said::Alive)], 50_000), [(50_000, Action::Kill(Why::Silent))]);
}

#[test]
fn the_deadline_is_kept_whatever_else_the_agent_says() {
    let open = with(alive(5_000, 200_000), &[(3_000, Said::Open(at(DEADLINE)))]);
    assert_eq!(life(&open, DEADLINE + 9_000), []);
    let kill = (DEADLINE + 10_000, Action::Kill(Why::DeadlinePassed));
    assert_eq!(life(&open, DEADLINE + 10_000), [kill]);
    // Stopped right after it opened the change: silence comes first.
    assert_eq!(life(&[(3_000, Said::Open(at(DEADLINE)))], 33_000), [(33_000, Action::Kill(Why::Silent))]);
}

#[test]
fn a_deadline_that_was_met_is_forgotten() {
    for end in [Said::Rolling, Said::Closed] {
        let said = with(alive(5_000, 300_000), &[(3_000, Said::Open(at(DEADLINE))), (65_000, end)]);
        assert_eq!(life(&said, 300_000), [], "{end:?}");
    }
    let longer = [(3_000, Said::Open(at(DEADLINE))), (50_000, Said::Open(at(DEADLINE + 60_000)))];
    let said = with(alive(5_000, 300_000), &longer);
    assert_eq!(life(&said, 130_000), [(130_000, Action::Kill(Why::DeadlinePassed))]);
}

#[test]
fn a_rollback_must_get_on() {
    let said = with(alive(5_000, 900_000), &[(10_000, Said::Rolling), (300_000, Said::Rolling)]);
    assert_eq!(life(&said, 899_000), []);
    assert_eq!(life(&said, 900_000), [(900_000, Action::Kill(Why::Stuck))]);
}

#[test]
fn a_killed_agent_is_killed_until_it_is_gone_and_then_started_again() {
    let events = [(1_000, Event::Begun), (41_000, Event::Said(Said::Alive)), (42_000, Event::Ended)];
    let expected = [
        (0, Action::Begin),
        (31_000, Action::Kill(Why::Silent)),
        (36_000, Action::Kill(Why::StillThere)),
        (41_000, Action::Kill(Why::StillThere)),
        (42_000, Action::Bury),
        (43_000, Action::Begin),
    ];
    assert_eq!(play(&events, 50_000), expected);
}

#[test]
fn rests_grow_with_short_lives_up_to_the_longest_and_a_long_life_resets_them() {
    let mut state = State::new(at(0));
    let mut now = 0;
    let mut rests = Vec::new();
    for lived in [0, 100, 5_000, 59_999, 0, 0, 0, 60_000, 0] {
        let ended = now;
        let began = loop {
            let (next, actions) = step(state, Event::Tick, at(now));
            state = next;
            if actions == [Action::Begin] {
                break now;
            }
            now += 100;
        };
        rests.push(began - ended);
        state = step(state, Event::Begun, at(now)).0;
        for _ in 0..lived / 1_000 {
            now += 1_000;
            state = step(state, Event::Said(Said::Alive), at(now)).0;
        }
        now += lived % 1_000;
        let (next, actions) = step(state, Event::Ended, at(now));
        assert_eq!(actions, [Action::Bury]);
        state = next;
    }
    assert_eq!(rests, [0, 1_000, 2_000, 4_000, 8_000, 16_000, 30_000, 30_000, 1_000]);
}

#[test]
fn what_cannot_be_started_is_tried_again() {
    let told = play(&[(0, Event::NotBegun)], 10_000);
    assert_eq!(told[0], (0, Action::Begin), "{told:?}");
    let (state, _) = step(State::new(at(0)), Event::Tick, at(0));
    let (state, actions) = step(state, Event::NotBegun, at(0));
    assert_eq!(actions, []);
    assert_eq!(step(state, Event::Tick, at(999)).1, []);
    assert_eq!(step(state, Event::Tick, at(1_000)).1, [Action::Begin]);
}

#[test]
fn a_guard_that_was_away_itself_listens_before_it_judges() {
    let (state, _) = step(State::new(at(0)), Event::Tick, at(0));
    let (state, _) = step(state, Event::Begun, at(0));
    let (state, _) = step(state, Event::Said(Said::Open(at(60_000))), at(1_000));
    // Stopped for ten minutes: the lines of the agent are still in the pipe.
    let (state, actions) = step(state, Event::Tick, at(600_000));
    assert_eq!(actions, []);
    let (spoken, _) = step(state, Event::Said(Said::Closed), at(600_100));
    assert_eq!(step(spoken, Event::Tick, at(611_000)).1, [], "it had met its deadline");
    // An agent that was stopped too says nothing, and is killed.
    let mut silent = state;
    let mut killed = None;
    for second in 601..=620 {
        let (next, actions) = step(silent, Event::Tick, at(second * 1_000));
        silent = next;
        if let Some(action) = actions.first() {
            killed = Some((second, *action));
            break;
        }
    }
    assert_eq!(killed, Some((610, Action::Kill(Why::DeadlinePassed))));
}

#[test]
fn every_pair_of_stage_and_event_is_placed() {
    let life = Life { began: at(0), heard: at(0), standing: Standing::Closed, spared_until: at(0) };
    let stages = [
        Stage::Resting(at(0)),
        Stage::Resting(at(9_000)),
        Stage::Beginning,
        Stage::Running(life),
        Stage::Killed { began: at(0), at: at(900) },
    ];
    let events = [Event::Begun, Event::NotBegun, Event::Said(Said::Alive), Event::Ended, Event::Tick];
    let mut table = String::new();
    for stage in stages {
        for event in events {
            let (_, actions) = step(State { stage, short_lives: 0, seen: at(1_000) }, event, at(1_000));
            table.push(match actions.as_slice() {
                [] => '.',
                [Action::Begin] => 'B',
                [Action::Bury] => 'b',
                [Action::Kill(_)] => 'K',
                more => panic!("{stage:?} {event:?}: {more:?}"),
            });
        }
        table.push(' ');
    }
    // Begun, NotBegun, Said, Ended, Tick
    assert_eq!(table.trim(), "....B ..... ..... ...b. ...b.");
}
