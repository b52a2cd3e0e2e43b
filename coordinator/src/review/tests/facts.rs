//! From findings and plans to facts.

use super::*;
use crate::review::gather::fold;
use model::{Component, Finding};

#[test]
fn equal_findings_of_many_hosts_are_one_and_errors_come_first() {
    let host = |name: &str| HostId::new(name).unwrap();
    let warning = Finding::warning("W-1", Component::Vmk, "is slow");
    let error = Finding::error("E-1", Component::Plan, "is wrong").hint("mend it");
    let findings = [
        warning.clone().on_host(&host("a")),
        error.clone(),
        warning.clone().on_host(&host("b")),
        Finding::warning("W-1", Component::Vmk, "is slower").on_host(&host("c")),
    ];
    let folded = fold(&findings);
    let shown: Vec<(&str, usize)> =
        folded.iter().map(|found| (found.finding.message.as_str(), found.hosts.len())).collect();
    assert_eq!(shown, [("is wrong", 0), ("is slow", 2), ("is slower", 1)]);
}

#[test]
fn the_headline_says_the_verdict_first() {
    let subject = Subject { name: "topic".to_owned(), head: None, main: None };
    let facts = |verdict| ReviewFacts { hosts_changed: 1, ..ReviewFacts::bare(subject.clone(), verdict) };
    assert_eq!(facts(Verdict::Ready).headline(), "can be merged: 1 host would change, worst disruption none");
    let conflict = ReviewFacts { conflict_count: 2, ..facts(Verdict::Conflict) };
    assert_eq!(conflict.headline(), "does not merge: 2 files changed on both sides");
    assert!(Verdict::NoSteps.is_good() && Verdict::Contained.is_good() && Verdict::Ready.is_good());
    assert!(!Verdict::Refused.is_good() && !Verdict::Conflict.is_good() && !Verdict::Unreadable.is_good());
}
