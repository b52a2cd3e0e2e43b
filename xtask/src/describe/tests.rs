//! The folder's part of the verb; what the outputs mean is tested where they are read.

use std::fs;

use super::{read_recordings, run};
use crate::report::{Report, Style};

#[test]
fn files_are_read_by_name_and_hidden_ones_left_alone() {
    let dir = tempfile::tempdir().unwrap();
    for (name, text) in [("b.txt", "two"), ("a.txt", "one"), (".hidden", "no")] {
        fs::write(dir.path().join(name), text).unwrap();
    }
    fs::create_dir(dir.path().join("folder.txt")).unwrap();
    let files = read_recordings(dir.path(), &Report::new(Style::Json)).unwrap();
    assert_eq!(files, [("a.txt".to_owned(), "one".to_owned()), ("b.txt".to_owned(), "two".to_owned())]);
}

#[test]
fn a_recording_becomes_a_description() {
    let dir = tempfile::tempdir().unwrap();
    let out = dir.path().join("host.out");
    let recording = "   Product: VMware ESXi\n   Version: 8.0.2\n   Build: Releasebuild-22380479\n   Update: 2\n   Patch: 0\n";
    fs::write(dir.path().join("system-version-get.txt"), recording).unwrap();
    run(dir.path(), Some(&out), &Report::new(Style::Json)).unwrap();
    let network: model::ObservedNetwork = serde_json::from_str(&fs::read_to_string(&out).unwrap()).unwrap();
    assert!(fs::read_to_string(&out).unwrap().contains("8.0.2"), "{network:?}");
}

#[test]
fn a_folder_without_recordings_is_an_error() {
    let dir = tempfile::tempdir().unwrap();
    fs::write(dir.path().join("notes.md"), "hello").unwrap();
    let error = run(dir.path(), None, &Report::new(Style::Json)).unwrap_err().to_string();
    assert!(error.contains("usable recording"), "{error}");
}
