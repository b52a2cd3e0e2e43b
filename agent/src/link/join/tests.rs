//! A recovery has one name until it is over, and the count survives.

use super::*;

#[test]
fn a_recovery_keeps_its_name_until_it_is_over() {
    let dir = tempfile::tempdir().unwrap();
    let first = begin(dir.path()).unwrap();
    assert_eq!((first.count, first.id.len()), (0, 2 * ID_BYTES));
    assert_eq!(begin(dir.path()).unwrap(), first, "the answer was lost: the same again");
    done(dir.path(), 1).unwrap();
    let second = begin(dir.path()).unwrap();
    assert_eq!(second.count, 1);
    assert_ne!(second.id, first.id);
    forget(dir.path()).unwrap();
    forget(dir.path()).unwrap();
    assert_eq!(begin(dir.path()).unwrap().count, 0);
}

#[test]
fn a_damaged_count_is_not_taken_for_a_new_one() {
    let dir = tempfile::tempdir().unwrap();
    std::fs::write(dir.path().join(FILE), "{").unwrap();
    assert!(begin(dir.path()).is_err());
}
