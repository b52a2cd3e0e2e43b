//! The readiness rule; the server itself is exercised by every `cargo xtask test`.

use super::says_ready;

#[test]
fn ready_only_when_the_eighth_line_says_so() {
    let upto = "4711\n/data\n1700000000\n5433\n\n127.0.0.1\n  12345  7\n";
    assert!(!says_ready(upto));
    assert!(!says_ready(&format!("{upto}starting\n")));
    assert!(says_ready(&format!("{upto}ready   \n")));
}
