//! A few entries per kind, subject and time; a flood costs no more.

use super::*;
use crate::fleet::RefusalKind;
use model::HostId;

fn refusal(kind: RefusalKind, host: Option<&str>) -> Refusal {
    let host = host.map(|name| HostId::new(name).unwrap());
    Refusal::new(kind, host, "192.0.2.1:4000".parse().unwrap(), "a\nreason")
}

#[test]
fn a_flood_is_a_few_entries_and_a_count() {
    let mut log = RefusalLog::default();
    let flood = refusal(RefusalKind::Receipt, Some("esx01"));
    let first = log.entry(&flood, Wall(1)).unwrap();
    assert_eq!((first.action.as_str(), first.subject.as_str()), ("refused.receipt", "host/esx01"));
    assert_eq!(first.detail["detail"], "a reason");
    let told = (0..500).filter(|_| log.entry(&flood, Wall(2)).is_some()).count();
    assert_eq!(told + 1, ENTRIES_MAX as usize);
    let other = refusal(RefusalKind::Message, Some("esx01"));
    assert!(log.entry(&other, Wall(2)).is_some(), "another kind is told at once");
    let later = log.entry(&flood, Wall(1 + SPAN.0)).unwrap();
    assert_eq!(later.detail["left_out_before"], 501 - u64::from(ENTRIES_MAX));
    let next = log.entry(&flood, Wall(1 + SPAN.0)).unwrap();
    assert_eq!(next.detail["left_out_before"], 0);
}

#[test]
fn what_goes_on_for_days_is_told_ever_less_and_anew_after_a_quiet_time() {
    let mut log = RefusalLog::default();
    let revoked = refusal(RefusalKind::Revoked, Some("esx01"));
    let day = 24 * 60 * 60;
    let mut told_on = |from: u64| {
        (from..from + day).filter(|second| log.entry(&revoked, Wall(second * 1000)).is_some()).count()
    };
    let (first, second) = (told_on(0), told_on(day));
    let per_day = 24 * ENTRIES_MAX as usize;
    assert!(second <= per_day && first <= per_day + 7 * ENTRIES_MAX as usize, "{first} {second}");
    // One that comes after a quiet time ends the row; the next ones are told by the minute again.
    let quiet = Wall(3 * day * 1000);
    assert!(log.entry(&revoked, quiet).is_some_and(|entry| entry.detail["left_out_before"] != 0));
    let (later, anew) = (quiet.plus(SPAN_MAX), quiet.plus(SPAN_MAX).plus(SPAN));
    assert!(log.entry(&revoked, later).is_some());
    assert!((0..50).filter(|_| log.entry(&revoked, later).is_some()).count() < 50);
    assert!(log.entry(&revoked, anew).is_some(), "the time is short again");
}

#[test]
fn many_subjects_end_in_one() {
    let mut log = RefusalLog::default();
    let refused = |n: usize| refusal(RefusalKind::Token, Some(&format!("h{n}")));
    let entries: Vec<_> = (0..2 * SUBJECTS_MAX).filter_map(|n| log.entry(&refused(n), Wall(1))).collect();
    assert_eq!(entries.len(), SUBJECTS_MAX + ENTRIES_MAX as usize);
    assert_eq!(entries.last().unwrap().subject, OTHERS);
    assert!(log.told.len() <= SUBJECTS_MAX + 1, "the memory is bounded");
    assert_eq!(log.entry(&refused(9999), Wall(1 + SPAN.0)).unwrap().subject, "host/h9999");
}
