//! Tests of the verb `rules`: when it fails.

use super::{is_kept, report_in};
use serde_json::json;

#[test]
fn missed_mutants_false_alarms_and_no_mutants_at_all_fail_it() {
    let proof = |mutants: u64, missed: u64, alarms: u64| json!({"mutants": mutants, "missed": missed, "false_alarms": alarms});
    assert!(is_kept(&proof(9, 0, 0)));
    assert!(!is_kept(&proof(9, 1, 0)));
    assert!(!is_kept(&proof(9, 0, 1)));
    assert!(!is_kept(&proof(0, 0, 0)));
}

#[test]
fn the_report_is_found_among_other_lines() {
    assert_eq!(report_in("\nrunning 1 test\n\n{\"missed\":0}\n.\n").unwrap()["missed"], 0);
    assert!(report_in("running 0 tests\n").is_err());
}
