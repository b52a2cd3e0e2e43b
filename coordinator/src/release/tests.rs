//! Who counts, and what a host is sent.

use super::standing::{Case, judge};
use super::testkit::{Person, set};
use super::{Authors, Standing};
use crate::store::approvals::{ApprovalKind, ApprovalRecord};
use crate::store::approvers::ApproverSetRecord;
use crate::store::releases::ReleaseRecord;
use engine::proof::NAMESPACE_BREAK_GLASS;
use model::{ApproverSet, ChangeId, HostGroupId, Wall};

const MANIFEST: &str = r#"{"what":"is signed"}"#;
const NOW: Wall = Wall(1_000);

struct World {
    sets: Vec<ApproverSetRecord>,
    groups: Vec<(Option<HostGroupId>, u64)>,
    authors: Authors,
    not_after: Wall,
    approvals: Vec<ApprovalRecord>,
}

impl World {
    fn new(sets: Vec<ApproverSet>, groups: &[(&str, u64)]) -> Self {
        let record = |set: ApproverSet| ApproverSetRecord {
            document: String::new(),
            rotation: None,
            imported_by: "test".to_owned(),
            created: Wall(1),
            set,
        };
        let group = |(name, hosts): &(&str, u64)| (Some(HostGroupId::new(*name).unwrap()), *hosts);
        Self {
            sets: sets.into_iter().map(record).collect(),
            groups: groups.iter().map(group).collect(),
            authors: Authors::new("Ana <ana@example.com>", &["ops team".to_owned()]),
            not_after: Wall(9_000),
            approvals: Vec::new(),
        }
    }

    fn signed(mut self, signatures: &[String]) -> Self {
        self.approvals = signatures
            .iter()
            .map(|signature| ApprovalRecord {
                key: String::new(),
                kind: ApprovalKind::Approval,
                approver: String::new(),
                signature: signature.clone(),
                created: Wall(5),
            })
            .collect();
        self
    }

    fn standing(&self) -> Standing {
        let record = ReleaseRecord {
            change: ChangeId::new("c1").unwrap(),
            manifest: MANIFEST.to_owned(),
            not_after: self.not_after,
            created: Wall(1),
        };
        let case = Case {
            record: &record,
            sets: &self.sets,
            groups: &self.groups,
            authors: &self.authors,
            now: NOW,
        };
        judge(&case, &self.approvals)
    }

    fn waits_for(&self) -> Option<String> {
        self.standing().waits_for()
    }
}

fn people() -> (Person, Person, Person) {
    (Person::new("Ben", 1), Person::new("Chloe", 2), Person::new("Ana", 3))
}

#[test]
fn every_set_that_speaks_for_a_host_has_to_be_satisfied() {
    let (ben, chloe, _) = people();
    let sets = || vec![set("default", 1, 1, &[&chloe]), set("prod", 1, 1, &[&ben])];
    let groups = [("lab", 2), ("prod", 3), ("test", 4)];
    let nobody = World::new(sets(), &groups);
    let words = "waits for approval: 0 of 1 (set default); 0 of 1 (set prod)";
    assert_eq!(nobody.waits_for().as_deref(), Some(words));
    let one = World::new(sets(), &groups).signed(&[ben.sign(MANIFEST)]);
    assert_eq!(one.waits_for().as_deref(), Some("waits for approval: 0 of 1 (set default)"));
    let both = World::new(sets(), &groups).signed(&[ben.sign(MANIFEST), chloe.sign(MANIFEST)]);
    assert_eq!(both.waits_for(), None);
    let hosts: Vec<u64> = both.standing().sets.iter().map(|set| set.hosts).collect();
    assert_eq!(hosts, [6, 3], "the default set speaks for lab and test");
    let elsewhere = World::new(vec![set("prod", 1, 1, &[&ben])], &[("lab", 1)]);
    assert_eq!(elsewhere.waits_for(), None, "no set speaks for lab");
}

#[test]
fn keys_names_authors_and_other_texts_do_not_count_twice_or_at_all() {
    let (ben, chloe, ana) = people();
    let two = || vec![set("prod", 1, 2, &[&ben, &chloe, &ana])];
    let waits = |signatures: &[String]| World::new(two(), &[("prod", 1)]).signed(signatures).waits_for();
    let words = |count: &str| Some(format!("waits for approval: {count} (set prod)"));
    let once = ben.sign(MANIFEST);
    assert_eq!(waits(&[once.clone(), once.clone()]), words("1 of 2 by Ben"));
    assert_eq!(waits(&[once.clone(), ana.sign(MANIFEST)]), words("1 of 2 by Ben"), "an author");
    assert_eq!(waits(&[once.clone(), chloe.sign("other")]), words("1 of 2 by Ben"), "another text");
    let stranger = Person::new("Mallory", 9);
    assert_eq!(waits(&[once.clone(), stranger.sign(MANIFEST)]), words("1 of 2 by Ben"));
    let namespace = chloe.sign_as("file", MANIFEST);
    assert_eq!(waits(&[once.clone(), namespace]), words("1 of 2 by Ben"), "signed for something else");
    assert_eq!(waits(&[once.clone(), "no signature".to_owned()]), words("1 of 2 by Ben"));
    assert_eq!(waits(&[once, chloe.sign(MANIFEST)]), None);
}

#[test]
fn keys_for_emergencies_count_apart() {
    let (ben, chloe, _) = people();
    let mut guarded = set("prod", 1, 2, &[&ben]);
    guarded.approvers.push(Person::new("Dev", 4).approver);
    guarded.break_glass = vec![chloe.approver.clone()];
    guarded.break_glass_threshold = 1;
    let emergency = chloe.sign_as(NAMESPACE_BREAK_GLASS, MANIFEST);
    let plain = World::new(vec![guarded.clone()], &[("prod", 1)]).signed(&[chloe.sign(MANIFEST)]);
    assert!(plain.waits_for().is_some(), "a key for emergencies is no approver's");
    let opened = World::new(vec![guarded], &[("prod", 1)]).signed(&[emergency]);
    let standing = opened.standing();
    assert_eq!(standing.waits_for(), None);
    assert!(standing.sets[0].is_break_glass());
    assert_eq!((standing.sets[0].break_glass_by.len(), standing.sets[0].signatures.len()), (1, 1));
}

#[test]
fn time_ends_sets_and_releases() {
    let (ben, ..) = people();
    let mut old = set("prod", 1, 1, &[&ben]);
    old.not_after = Some(Wall(NOW.0 - 1));
    let old = World::new(vec![old], &[("prod", 1)]).signed(&[ben.sign(MANIFEST)]);
    let words = "waits for approval: 1 of 1 by Ben (set prod, approver set has expired)";
    assert_eq!(old.waits_for().as_deref(), Some(words));
    let mut late = World::new(vec![set("prod", 1, 1, &[&ben])], &[("prod", 1)]);
    late.not_after = Wall(NOW.0 - 1);
    assert_eq!(late.waits_for().as_deref(), Some("was not approved in time: merge a new commit"));
}

#[test]
fn authors_are_known_by_name_and_address() {
    let authors = Authors::new("Ana Engineer <Ana@Example.com>", &["ben".to_owned()]);
    let approver = |name: &str, email: Option<&str>| model::Approver {
        name: name.to_owned(),
        email: email.map(str::to_owned),
        key: String::new(),
    };
    assert!(authors.include(&approver("A. E.", Some("ana@example.com"))));
    assert!(authors.include(&approver("Ben", None)), "the RFC names him");
    assert!(!authors.include(&approver("Chloe", Some("chloe@example.com"))));
}
