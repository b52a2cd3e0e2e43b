//! A short look at the simulator in every test run; `cargo xtask sim` and `cargo xtask crash` are the long ones.

use super::crash::{self, Request};
use super::disk::{Fate, SimDisk, SyncBug};
use super::mutants::Mutant;
use super::run::{invariant, named, run};
use super::settings::Settings;
use engine::journal::Disk;

#[test]
fn a_few_seeds_violate_nothing_and_repeat() {
    for seed in 0..4 {
        let settings = Settings { hosts: 3, changes: 2, ..Settings::of(seed, None) };
        let (first, again) = (run(&settings), run(&settings));
        assert_eq!(first.violation, None, "{}", settings.words());
        assert_eq!(first.hash, again.hash, "{}", settings.words());
    }
}

#[test]
fn named_seeds_violate_nothing() {
    for (name, settings) in named() {
        let settings = settings.unwrap_or_else(|error| panic!("{name}: {error}"));
        assert_eq!(run(&settings).violation, None, "{name}");
    }
}

#[test]
fn named_seeds_show_the_bug_whose_name_they_have() {
    for mutant in Mutant::ALL {
        let Some((name, settings)) = named().into_iter().find(|(name, _)| *name == mutant.name()) else {
            continue;
        };
        let settings = Settings { mutant: Some(mutant), ..settings.unwrap() };
        assert!(run(&settings).violation.is_some(), "{name} shows nothing any more");
    }
}

#[test]
fn settings_read_as_they_are_written() {
    let settings = Settings { mutant: Some(Mutant::SkipSync), ..Settings::of(77, Some(4)) };
    assert_eq!(Settings::parse(&settings.words()), Ok(settings));
    assert!(Settings::parse("seed=1 color=red").is_err());
}

#[test]
fn a_change_survives_every_crash() {
    let findings = crash::run(Request { changes: 1, ..Request::default() });
    assert_eq!(findings.violation_count(), 0, "{:#?}", findings.examples);
    assert!(findings.points() > 100, "{findings:?}");
}

#[test]
fn planted_bugs_are_caught() {
    for mutant in [Mutant::SkipSync, Mutant::DropStepStarted, Mutant::ForgetOpen, Mutant::ReplaySteps] {
        let findings = crash::run(Request { changes: 1, mutant: Some(mutant), first_only: true });
        assert!(findings.violation_count() > 0, "{} is not caught", mutant.name());
    }
}

#[test]
fn violations_name_their_invariant() {
    assert_eq!(invariant("at 3.000 s: sim-003: I7 a call"), "I7");
    assert_eq!(invariant("something"), "other");
}

#[test]
fn a_power_cut_takes_what_was_not_synced() {
    let mut disk = SimDisk::new(SyncBug::None);
    disk.write_at("a", 0, &[1; 512]).unwrap();
    disk.sync("a").unwrap();
    disk.sync_dir().unwrap();
    disk.write_at("a", 512, &[2; 1024]).unwrap();
    disk.rename("a", "b").unwrap();
    assert_eq!(disk.pending(), vec![2, 0]);
    let length = |disk: &SimDisk, name: &str| disk.copy().read(name, 9999).unwrap().map(|bytes| bytes.len());
    let after = |fates: &[Fate]| {
        let disk = disk.copy();
        disk.cut(fates);
        (length(&disk, "a"), length(&disk, "b"))
    };
    assert_eq!(after(&[Fate::Lost, Fate::Lost]), (Some(512), None));
    assert_eq!(after(&[Fate::Kept, Fate::Kept]), (None, Some(1536)));
    assert_eq!(after(&[Fate::Head(1), Fate::Lost]), (Some(1024), None));
    assert_eq!(length(&disk.durable(), "a"), Some(512));
    disk.die_at(Some(disk.ops()));
    assert!(disk.sync("b").is_err() && disk.is_dead());
}
