//! One entry per kind, subject and time; a flood costs no more.

use super::*;
use crate::fleet::RefusalKind;
use model::HostId;

fn refusal(kind: RefusalKind, host: Option<&str>) -> Refusal {
    let host = host.map(|name| HostId::new(name).unwrap());
    Refusal::new(kind, host, "192.0.2.1:4000".parse().unwrap(), "a\nreason")
}

#[test]
fn a_flood_is_one_entry_with_a_count() {
    let mut log = RefusalLog::default();
    let flood = refusal(RefusalKind::Receipt, Some("esx01"));
    let first = log.entry(&flood, Wall(1)).unwrap();
    assert_eq!((first.action.as_str(), first.subject.as_str()), ("refused.receipt", "host/esx01"));
    assert_eq!(first.detail["detail"], "a reason");
    assert!((0..500).all(|_| log.entry(&flood, Wall(2)).is_none()));
    let other = refusal(RefusalKind::Message, Some("esx01"));
    assert!(log.entry(&other, Wall(2)).is_some(), "another kind is told at once");
    let later = log.entry(&flood, Wall(1 + ENTRY_EVERY.0)).unwrap();
    assert_eq!(later.detail["not_told_before"], 500);
}

#[test]
fn many_subjects_end_in_one() {
    let mut log = RefusalLog::default();
    let entries: Vec<_> = (0..2 * SUBJECTS_MAX)
        .filter_map(|n| log.entry(&refusal(RefusalKind::Token, Some(&format!("h{n}"))), Wall(1)))
        .collect();
    assert_eq!(entries.len(), SUBJECTS_MAX + 1);
    assert_eq!(entries.last().unwrap().subject, OTHERS);
    assert!(log.told.len() <= SUBJECTS_MAX + 20, "the memory is bounded");
    assert!(log.entry(&refusal(RefusalKind::Token, Some("new")), Wall(1 + ENTRY_EVERY.0)).is_some());
}
