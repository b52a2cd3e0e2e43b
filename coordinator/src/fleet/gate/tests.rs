//! The table of calls: complete, and closed for everything else.

use super::*;

/// The calls as the .proto file has them.
fn declared() -> Vec<String> {
    let proto = include_str!("../../../../proto/pointsman/v1/agent.proto");
    let names = proto.lines().filter_map(|line| line.trim().strip_prefix("rpc "));
    names.filter_map(|rest| rest.split('(').next()).map(str::to_owned).collect()
}

#[test]
fn every_declared_call_is_in_the_table_and_no_other() {
    let mut declared = declared();
    let mut listed: Vec<String> = CALLS.iter().map(|(name, _)| (*name).to_owned()).collect();
    declared.sort();
    listed.sort();
    assert_eq!(listed, declared);
}

#[test]
fn what_is_not_in_the_table_needs_a_refusal() {
    assert_eq!(needs("/pointsman.v1.Agent/Session"), Some(Needs::EnrolledHost));
    assert_eq!(needs("/pointsman.v1.Agent/Enrol"), Some(Needs::Nobody));
    for path in [
        "",
        "/",
        "/pointsman.v1.Agent/",
        "/pointsman.v1.Agent/session",
        "/pointsman.v1.Agent/Session/",
        "/other.Agent/Session",
        "pointsman.v1.Agent/Session",
    ] {
        assert_eq!(needs(path), None, "{path}");
    }
}
