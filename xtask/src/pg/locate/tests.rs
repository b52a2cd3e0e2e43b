//! The choice among several installed versions.

use super::newest_of;
use std::fs;

#[test]
fn the_highest_complete_version_wins() {
    let dir = tempfile::tempdir().unwrap();
    for (version, programs) in
        [("9", ["initdb", "postgres"]), ("15", ["initdb", "postgres"]), ("17", ["psql", "initdb"])]
    {
        let bin = dir.path().join(version).join("bin");
        fs::create_dir_all(&bin).unwrap();
        for program in programs {
            fs::write(bin.join(program), "").unwrap();
        }
    }
    assert_eq!(newest_of(dir.path()).unwrap(), Some(dir.path().join("15").join("bin")));
}
