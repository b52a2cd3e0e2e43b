//! Surplus: drift when a kind is listed in full, no concern of an apply that does not prune.

use super::{compare_images, verify, verify_applied};
use crate::plan::plan;
use model::{DesiredNetwork, DifferenceKind, ObservedNetwork};

fn host() -> ObservedNetwork {
    let text = r#"{"taken_at": 0, "facts": {}, "management_vmk": {"read": null},
        "vswitches": {"read": {"vSwitch0": {"mtu": {"read": 1500}, "cdp": {"read": "listen"}, "uplinks": {"read": []},
            "teaming": {"unreadable": {"reason": "not asked"}}, "security": {"unreadable": {"reason": "not asked"}},
            "shaping": {"unreadable": {"reason": "not asked"}}}}},
        "port_groups": {"read": {}}, "vmkernels": {"read": {}}, "nics": {"read": {}}, "netstacks": {"read": {}},
        "vms": {"read": []}, "dvs": {"read": []}}"#;
    serde_json::from_str(text).unwrap()
}

#[test]
fn surplus_is_drift_but_fails_no_apply_that_does_not_prune() {
    let observed = host();
    let desired: DesiredNetwork = serde_json::from_str(r#"{"managed": {"vswitches": "full"}}"#).unwrap();
    assert!(plan(&desired, &observed).plan.is_empty());
    assert_eq!(verify_applied(&desired, &observed, &observed), Vec::new());
    let drift = verify(&desired, &observed);
    assert_eq!(drift.len(), 1);
    assert_eq!((drift[0].object.as_str(), drift[0].kind), ("vSwitch0", DifferenceKind::Surplus));
}

#[test]
fn what_could_not_be_read_is_told_and_is_not_surplus() {
    let mut observed = host();
    observed.vswitches = model::Known::unreadable("hostd is down");
    let desired: DesiredNetwork = serde_json::from_str(r#"{"managed": {"vswitches": "full"}}"#).unwrap();
    let told = verify(&desired, &observed);
    assert_eq!(told.iter().map(|d| d.kind).collect::<Vec<_>>(), [DifferenceKind::Unreadable]);
}

#[test]
fn a_field_that_cannot_be_read_is_no_change_of_it() {
    let mut before = host();
    let vswitch = |host: &mut ObservedNetwork, mtu: model::Known<model::Mtu>| {
        host.vswitches.read_mut().unwrap().values_mut().for_each(|vswitch| vswitch.mtu = mtu.clone());
    };
    let mut after = before.clone();
    vswitch(&mut after, model::Known::unreadable("hostd is down"));
    let kinds = |told: Vec<model::Difference>| told.iter().map(|found| found.kind).collect::<Vec<_>>();
    assert_eq!(kinds(compare_images(&before, &after)), [DifferenceKind::Unreadable]);
    assert_eq!(kinds(compare_images(&after, &before)), [], "it was not known before");
    vswitch(&mut before, model::Known::Read(model::Mtu::new(9000).unwrap()));
    assert_eq!(kinds(compare_images(&before, &host())), [DifferenceKind::Changed]);
}
