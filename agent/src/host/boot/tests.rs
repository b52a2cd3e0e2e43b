//! Boot id and uptime as the system prints them.

use super::*;

#[test]
fn uptime_is_read_as_printed() {
    assert_eq!(parse_uptime("12345.67 99.00\n"), Some(Uptime(12_345_600)));
    assert_eq!(parse_uptime("7\n"), Some(Uptime(7_000)));
    assert_eq!(parse_uptime("soon"), None);
}

#[test]
fn the_named_file_counts_and_a_missing_one_is_computed() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("boot_id");
    std::fs::write(&file, "abc\n").unwrap();
    let clock = Clock::new();
    assert_eq!(boot_id(Some(&file), &clock), BootId("abc".to_owned()));
    let missing = boot_id(Some(&dir.path().join("none")), &clock);
    assert!(missing.0.starts_with("booted-"));
}
