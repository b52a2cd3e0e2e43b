//! Releases of every small size, whatever the order of their parts.

use super::*;
use crate::proof::is_included;
use model::{ChangeId, Disruption, Millis, PlanDigest, ProbePlan};

fn part(number: u32) -> Part {
    let order = Order {
        host: HostId::new(format!("h{number:03}")).unwrap(),
        change: ChangeId::new("c1").unwrap(),
        generation: Generation(u64::from(number) + 1),
        commit: "c0ffee".to_owned(),
        desired: model::DesiredNetwork::default(),
        plan_digest: PlanDigest("d".repeat(64)),
        disruption_allowed: Disruption::None,
        confirm_timeout: Millis::from_secs(60),
        probes: ProbePlan::default(),
    };
    let order = serde_json::to_vec(&order).unwrap();
    Part { order, parent: Generation(u64::from(number)), wave: number % 3 }
}

#[test]
fn every_host_finds_itself_below_the_root_and_nobody_else() {
    for count in 1..=33 {
        let mut parts: Vec<Part> = (0..count).map(part).collect();
        let sealed = seal(&parts).unwrap();
        assert_eq!(sealed.leaves.len(), parts.len());
        for leaf in &sealed.leaves {
            let part = &parts[leaf.part];
            let order: Order = serde_json::from_slice(&part.order).unwrap();
            assert_eq!(order.host, leaf.host);
            let hash = |parent, wave| release_leaf_hash(&leaf_of(&order, &part.order, parent, wave));
            let found = |hash| is_included(hash, leaf.index, count, &leaf.path, sealed.root);
            assert!(found(hash(part.parent, part.wave)), "{} of {count}", leaf.host);
            assert!(!found(hash(Generation(99), part.wave)) && !found(hash(part.parent, 9)));
        }
        parts.reverse();
        assert_eq!(seal(&parts).unwrap().root, sealed.root, "the order of the parts does not matter");
    }
}

#[test]
fn what_makes_no_release_is_said() {
    assert_eq!(seal(&[]), Err(SealError::Empty));
    assert_eq!(seal(&[part(1), part(1)]), Err(SealError::Twice(HostId::new("h001").unwrap())));
    let broken = Part { order: b"{}".to_vec(), parent: Generation(0), wave: 0 };
    assert!(matches!(seal(&[part(1), broken]), Err(SealError::Order(_))));
}
