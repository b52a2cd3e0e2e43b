//! Counting over lines as libtest prints them.

use super::Tally;
use crate::report::StageEnd;

#[test]
fn lines_of_several_programs_add_up() {
    let mut tally = Tally::default();
    for line in [
        "running 3 tests",
        "test a ... ok",
        "test result: ok. 3 passed; 0 failed; 1 ignored; 0 measured; 7 filtered out; finished in 0.01s",
        "test result: FAILED. 2 passed; 4 failed; 0 ignored; 0 measured; 0 filtered out; finished in 1.20s",
        "something that mentions test result: 99 passed",
    ] {
        tally.add_line(line);
    }
    assert_eq!(tally.to_string(), "5 passed, 4 failed, 1 skipped");
}

#[test]
fn a_failed_stage_never_closes_with_zero_failed() {
    let mut tally = Tally::default();
    tally.add_stage(StageEnd::Passed);
    tally.add_stage(StageEnd::Failed);
    tally.add_stage(StageEnd::Skipped);
    assert_eq!(tally, Tally { passed: 0, failed: 1, skipped: 1 });
}
