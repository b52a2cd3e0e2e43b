//! Tests of read calls and their names in recorded sets.

use super::{Query, QueryError, ReadCommand, Subject};
use crate::argv::ArgvError;
use crate::error::FailureKind;
use crate::formatter::Formatter;
use proptest::prelude::*;
use std::collections::BTreeSet;

#[test]
fn argv_puts_the_format_first_and_uses_long_options() {
    let line = |query: Query, formatter| query.argv(formatter).expect("argv").join(" ");
    assert_eq!(line(Query::all(ReadCommand::VswitchList), Formatter::Text), "network vswitch standard list");
    assert_eq!(
        line(Query::about(ReadCommand::VswitchFailoverGet, "vSwitch0"), Formatter::Json),
        "--debug --formatter=json network vswitch standard policy failover get --vswitch-name=vSwitch0"
    );
    assert_eq!(
        line(Query::about(ReadCommand::PortGroupSecurityGet, "VM Network"), Formatter::Xml),
        "--formatter=xml network vswitch standard portgroup policy security get --portgroup-name=VM Network"
    );
    assert_eq!(
        line(Query::about(ReadCommand::RouteIpv4List, "vmotion"), Formatter::KeyValue),
        "--formatter=keyvalue network ip route ipv4 list --netstack=vmotion"
    );
}

#[test]
fn impossible_questions_are_refused() {
    let argv = |query: Query| query.argv(Formatter::Xml);
    assert!(matches!(argv(Query::all(ReadCommand::NicGet)), Err(ArgvError::Missing { .. })));
    assert!(matches!(argv(Query::about(ReadCommand::NicList, "vmnic0")), Err(ArgvError::Unexpected { .. })));
    assert!(matches!(argv(Query::about(ReadCommand::TagGet, "-x")), Err(ArgvError::LeadingDash { .. })));
}

#[test]
fn every_command_has_a_name_of_its_own_that_leads_back() {
    let keys: BTreeSet<String> = ReadCommand::ALL.iter().map(|c| c.key()).collect();
    assert_eq!(keys.len(), ReadCommand::ALL.len());
    for command in ReadCommand::ALL {
        assert_eq!(Query::from_key(&command.key()), Some(Query::all(*command)));
        assert!(command.subject() == Subject::None || !command.path().is_empty());
    }
    let query = Query::about(ReadCommand::PortGroupFailoverGet, "VM Network (1).x/ü@%");
    assert_eq!(
        query.key(),
        "network-vswitch-standard-portgroup-policy-failover-get@VM%20Network%20%281%29%2Ex%2F%C3%BC%40%25"
    );
    assert_eq!(Query::from_key(&query.key()), Some(query));
    assert_eq!(Query::from_key("network-nic-get@vmnic%2"), None);
    assert_eq!(Query::from_key("esxcfg-nics-l"), None);
}

#[test]
fn failures_and_garbage_are_told_apart() {
    let query = Query::all(ReadCommand::NicList);
    let failed = query.read(Formatter::Json, Some(1), "Error: Unknown command or namespace x", "");
    assert!(matches!(failed, Err(QueryError::Failed(f)) if f.kind == FailureKind::UnknownCommand));
    assert!(matches!(query.read(Formatter::Json, Some(0), "oops", ""), Err(QueryError::Output(_))));
    assert!(query.read(Formatter::Json, Some(0), "[]", "").is_ok());
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 500, failure_persistence: None, ..ProptestConfig::default() })]
    #[test]
    fn any_subject_survives_its_file_name(subject in "\\PC{1,40}") {
        let query = Query::about(ReadCommand::TagGet, subject);
        prop_assert!(!query.key().contains(['/', '\\', ' ', '.']));
        prop_assert_eq!(Query::from_key(&query.key()), Some(query));
    }

    #[test]
    fn arbitrary_keys_never_panic(key in "\\PC{0,40}") {
        let _ = Query::from_key(&key);
    }
}
