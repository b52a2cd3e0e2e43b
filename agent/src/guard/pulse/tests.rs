//! What is said to a guard that reads, and to one that does not.

use super::*;
use model::Uptime;

fn heard(queue: &Receiver<Said>) -> Vec<Said> {
    queue.try_iter().collect()
}

#[test]
fn a_standing_is_said_once_and_progress_each_time() {
    let (lines, queue) = sync_channel(LINES_MAX);
    let mut pulse = Pulse::of(lines);
    pulse.stand(Said::Closed);
    assert_eq!(heard(&queue), [], "nothing was open before");
    let open = Said::Open(Uptime(60_000));
    pulse.stand(open);
    pulse.stand(open);
    pulse.beat();
    assert_eq!(heard(&queue), [open, Said::Alive]);
    pulse.stand(Said::Open(Uptime(90_000)));
    pulse.stand(Said::Rolling);
    pulse.stand(Said::Rolling);
    pulse.stand(Said::Closed);
    assert_eq!(heard(&queue), [Said::Open(Uptime(90_000)), Said::Rolling, Said::Rolling, Said::Closed]);
}

#[test]
fn what_a_sleeping_guard_missed_is_said_again() {
    let (lines, queue) = sync_channel(1);
    let mut pulse = Pulse::of(lines);
    pulse.beat();
    let open = Said::Open(Uptime(1));
    pulse.stand(open);
    assert_eq!(heard(&queue), [Said::Alive], "the queue was full");
    pulse.beat();
    pulse.beat();
    assert_eq!(heard(&queue), [open]);
    pulse.beat();
    assert_eq!(heard(&queue), [open], "the second beat was lost too");
    pulse.beat();
    assert_eq!(heard(&queue), [Said::Alive]);
}

#[test]
fn lines_are_written_until_the_agent_ends() {
    let (lines, queue) = sync_channel(LINES_MAX);
    lines.send(Said::Rolling).unwrap();
    lines.send(Said::Alive).unwrap();
    drop(lines);
    let mut out = Vec::new();
    write_lines(&queue, &mut out);
    assert_eq!(out, b"rolling\nalive\n");
}
