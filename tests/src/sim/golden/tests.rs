//! Every change reads as a desired network and asks for something.

use super::*;
use engine::plan::plan;
use model::Wall;

#[test]
fn every_named_change_can_be_planned_and_has_steps() {
    let host = host(3);
    let observed = host.describe(Wall(0)).unwrap();
    for (name, wanted) in named(&host) {
        let change = golden(name, wanted).unwrap_or_else(|| panic!("{name} is no desired network"));
        let planned = plan(&change.desired, &observed);
        let errors: Vec<String> =
            planned.findings.iter().filter(|f| f.is_error()).map(ToString::to_string).collect();
        assert!(errors.is_empty(), "{name}: {errors:?}");
        assert!(!planned.plan.is_empty(), "{name} asks for nothing");
    }
    assert!(all(&host).len() >= 50);
}
