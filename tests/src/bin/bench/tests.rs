//! What is asked, and that the scenarios measure what they say.

use super::{DEMO_HOSTS, figure::Figure, network, request};
use engine::plan::plan;

fn asked(line: &str) -> Option<super::Request> {
    request(line.split_whitespace().map(str::to_owned))
}

#[test]
fn options_come_in_pairs_and_unknown_ones_are_refused() {
    let demo = asked("demo --programs here --hosts 12").unwrap();
    assert_eq!((demo.bench.as_str(), demo.hosts), ("demo", 12));
    assert_eq!(asked("plan").unwrap().hosts, DEMO_HOSTS);
    assert_eq!(asked(""), None);
    assert_eq!(asked("demo --hosts"), None);
    assert_eq!(asked("demo --hosts many"), None);
    assert_eq!(asked("demo --speed 1"), None);
}

#[test]
fn a_figure_without_a_promise_is_met() {
    assert!(Figure::new("a", 9.0, "s").is_met());
    assert!(Figure::new("a", 9.0, "s").at_most(9.0).is_met());
    assert!(!Figure::new("a", 9.1, "s").at_most(9.0).is_met());
}

#[test]
fn the_measured_change_touches_several_objects_and_ends_where_it_should() {
    let shape = network::Shape { switches: 3, port_groups: 17, vmks: 4 };
    let document = |stage| {
        let text = network::document(shape, stage, |vmk| network::address(7, vmk));
        network::read(&text).unwrap()
    };
    let (before, after) = (document(network::Stage::Before), document(network::Stage::After));
    let host = network::realised(&before, &network::blank(6).unwrap()).unwrap();
    assert!(plan(&before, &host).plan.is_empty());
    assert!(plan(&after, &host).plan.steps.len() >= 10);
    let changed = network::realised(&after, &host).unwrap();
    assert!(plan(&after, &changed).plan.is_empty());
}
