//! Tests of the calendar.

use super::*;

#[test]
fn days_are_right_around_leap_days_and_years() {
    let day = |days: u64| day_of(Wall(days * 86_400_000 + 86_399_999));
    assert_eq!(day(0), "1970-01-01");
    assert_eq!(day(11_016), "2000-02-29");
    assert_eq!(day(11_017), "2000-03-01");
    assert_eq!(day(19_722), "2023-12-31");
    assert_eq!(day(19_723), "2024-01-01");
    assert_eq!(day(20_512), "2026-02-28");
    assert_eq!(day(20_513), "2026-03-01");
}
