//! The checks that can be held to a known answer.

use super::*;
use crate::console::words::time;
use crate::link::certificate;
use model::Wall;
use rcgen::{CertificateParams, KeyPair, date_time_ymd};

#[test]
fn the_validity_of_a_certificate_is_read() {
    let key = KeyPair::generate().unwrap();
    for (until, text) in [((2031, 3, 1), "2031-03-01T00:00:00Z"), ((2096, 2, 29), "2096-02-29T00:00:00Z")] {
        let mut params = CertificateParams::new(vec!["esx1".to_owned()]).unwrap();
        params.not_before = date_time_ymd(1999, 12, 31);
        params.not_after = date_time_ymd(until.0, until.1, until.2);
        let made = params.self_signed(&key).unwrap();
        let (from, end) = certificate::validity(made.der()).unwrap();
        assert_eq!(time(Wall(from * 1000)), "1999-12-31T00:00:00Z");
        assert_eq!(time(Wall(end * 1000)), text);
        for cut in [0, 1, 10, 60] {
            assert_eq!(certificate::validity(&made.der()[..cut]), None);
        }
    }
}

#[test]
fn a_sound_directory_passes_and_a_file_in_its_place_fails() {
    let dir = tempfile::tempdir().unwrap();
    let failed = |checks: Vec<Check>| -> Vec<&'static str> {
        let failed = checks.into_iter().filter(|check| check.verdict == Verdict::Fail);
        failed.filter(|check| check.weight == Weight::Essential).map(|check| check.id).collect()
    };
    assert_eq!(failed(store::checks(&dir.path().join("state"))), [""; 0]);
    assert_eq!(std::fs::read_dir(dir.path().join("state")).unwrap().count(), 0, "nothing is left behind");
    let file = dir.path().join("file");
    std::fs::write(&file, "").unwrap();
    assert_eq!(failed(store::checks(&file)), ["state_dir", "state_write_fsync", "state_rename"]);
}

#[test]
fn only_what_is_essential_makes_it_fail() {
    let check = |weight, verdict| Check { id: "x", verdict, weight, detail: "d".to_owned(), meaning: "m" };
    let report = |check| Report { version: "1", checks: vec![check] };
    assert!(report(check(Weight::Essential, Verdict::Fail)).essential_failed());
    assert!(!report(check(Weight::Essential, Verdict::Unknown)).essential_failed());
    let useful = report(check(Weight::Useful, Verdict::Fail));
    assert!(!useful.essential_failed());
    assert!(useful.text().contains("0 passed, 1 failed, 0 unknown"), "{}", useful.text());
}

#[test]
fn answers_to_a_ping_are_counted() {
    let printed =
        "   Summary: \n         Host Addr: 10.0.0.1\n         Transmitted: 2\n         Recieved: 1\n";
    assert_eq!(host::received(printed), Some(1));
    assert_eq!(host::received("Received: 2"), Some(2));
    assert_eq!(host::received("Unknown command"), None);
}
