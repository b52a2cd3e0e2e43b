//! Waiting times between attempts to connect.

use super::*;

#[test]
fn waits_grow_stay_capped_and_start_again() {
    let longest = Duration::from_secs(120);
    let mut backoff = Backoff::new(7, longest);
    let waits: Vec<Duration> = (0..200).map(|_| backoff.next_wait()).collect();
    assert!(waits[0] <= FIRST);
    assert!(waits.iter().all(|wait| *wait <= longest));
    assert!(waits.iter().any(|wait| *wait > Duration::from_secs(60)));
    backoff.reset();
    assert!(backoff.next_wait() <= FIRST);
}

#[test]
fn a_seed_gives_one_row_and_hosts_differ() {
    let row = |seed| {
        let mut backoff = Backoff::new(seed, Duration::from_secs(120));
        (0..8).map(|_| backoff.next_wait()).collect::<Vec<_>>()
    };
    assert_eq!(row(1), row(1));
    assert_ne!(row(seed("esx1", 1)), row(seed("esx2", 1)));
}
