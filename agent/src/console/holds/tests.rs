//! Freeze and pin as files, whole and broken.

use super::*;

#[test]
fn a_hold_is_kept_until_it_is_released() {
    let dir = tempfile::tempdir().unwrap();
    assert_eq!(Holds::read(dir.path()), Holds::default());
    let why = Hold { reason: "cabling".to_owned(), by: "root".to_owned(), at: Wall(7) };
    hold(dir.path(), Kind::Freeze, &why).unwrap();
    assert_eq!(Holds::read(dir.path()), Holds { frozen: Some(why.clone()), pinned: None });
    hold(dir.path(), Kind::Pin, &why).unwrap();
    assert_eq!(Holds::read(dir.path()).pinned, Some(why));
    release(dir.path()).unwrap();
    release(dir.path()).unwrap();
    assert_eq!(Holds::read(dir.path()), Holds::default());
}

#[test]
fn a_file_that_cannot_be_read_holds_too() {
    let dir = tempfile::tempdir().unwrap();
    for text in ["", "{", "[]", "{\"reason\":1}"] {
        std::fs::write(dir.path().join("freeze.json"), text).unwrap();
        let frozen = Holds::read(dir.path()).frozen.unwrap();
        assert!(frozen.reason.starts_with("no reason given: freeze.json"), "{frozen:?}");
    }
}

#[test]
fn reasons_are_one_bounded_line() {
    assert_eq!(tidy_reason(" a\nb\u{7} "), "a b");
    let long = "ü".repeat(REASON_BYTES_MAX);
    assert_eq!(tidy_reason(&long).len(), REASON_BYTES_MAX);
}
