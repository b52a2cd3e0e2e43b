//! Who gets the seat, and what is left behind.

use super::*;

#[test]
fn one_has_the_seat_and_a_dead_ones_is_taken_over() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("state").join("agent.sock");
    let Ok(Seat::Taken(first)) = take(&path) else { panic!("the first gets it") };
    assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, MODE);
    assert!(take(&path).unwrap_err().to_string().contains("an agent runs already"));
    drop(first);
    assert!(path.exists(), "a dead agent leaves its socket");
    assert!(matches!(take(&path), Ok(Seat::Taken(_))));
    std::fs::remove_file(&path).unwrap();
    std::fs::write(&path, "no socket").unwrap();
    assert!(matches!(take(&path), Ok(Seat::Taken(_))));
    assert_eq!(std::fs::read_dir(path.parent().unwrap()).unwrap().count(), 1, "nothing is left aside");
}

#[test]
fn without_sockets_it_is_not_known_who_runs() {
    let dir = tempfile::tempdir().unwrap();
    let long = dir.path().join("x".repeat(120));
    assert!(matches!(take(&long), Ok(Seat::Unknown { .. })));
}
