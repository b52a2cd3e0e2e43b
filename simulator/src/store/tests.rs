//! Host directories: files, locks, faults and the call log.

use super::*;
use crate::faults::FaultRule;
use crate::fleet::{FleetRequest, make_host};
use std::sync::Arc;

fn host_dir() -> (tempfile::TempDir, HostDir) {
    let root = tempfile::tempdir().unwrap();
    let dir = HostDir::new(root.path().join("h1"));
    dir.create(&make_host(&FleetRequest { count: 1, group: "lab".into(), version: "8.0".into() }, 1))
        .unwrap();
    (root, dir)
}

fn words(line: &str) -> Vec<String> {
    line.split(' ').map(str::to_owned).collect()
}

fn set_vlan(vlan: u16) -> Vec<String> {
    words(&format!("network vswitch standard portgroup set --portgroup-name app-web --vlan-id {vlan}"))
}

fn vlan(dir: &HostDir) -> u16 {
    dir.load().unwrap().running.port_group("app-web").unwrap().vlan
}

#[test]
fn calls_change_the_file_and_are_logged() {
    let (_root, dir) = host_dir();
    assert_eq!(dir.run_program(&set_vlan(150)).unwrap(), Output::default());
    assert_eq!(vlan(&dir), 150);
    dir.exec(&set_vlan(151)).unwrap();
    assert_eq!(dir.calls().unwrap(), [set_vlan(150)], "a person's call is not in the log");
    dir.run_auto_backup().unwrap();
    assert_eq!(dir.load().unwrap().saved.port_group("app-web").unwrap().vlan, 151);
    assert_eq!(dir.calls().unwrap().len(), 2);
}

#[test]
fn a_boot_changes_the_boot_id_file() {
    let (_root, dir) = host_dir();
    let before = fs::read_to_string(dir.file("boot_id")).unwrap();
    dir.update(Host::reboot).unwrap();
    let after = fs::read_to_string(dir.file("boot_id")).unwrap();
    assert_ne!(before, after);
    assert_eq!(after.trim(), dir.load().unwrap().boot.id);
}

#[test]
fn a_refused_change_leaves_the_file_alone() {
    let (_root, dir) = host_dir();
    let before = fs::read(dir.file("state.json")).unwrap();
    assert_eq!(dir.run_program(&words("network vswitch standard add -v vSwitch0")).unwrap().exit_code, 1);
    assert_eq!(fs::read(dir.file("state.json")).unwrap(), before);
}

#[test]
fn writers_do_not_lose_each_others_changes() {
    let (_root, dir) = host_dir();
    let dir = Arc::new(dir);
    let threads: Vec<_> = (0..8)
        .map(|number| {
            let dir = Arc::clone(&dir);
            let line = format!("network vswitch standard portgroup add -p pg{number} -v vSwitch1");
            std::thread::spawn(move || dir.run_program(&words(&line)).unwrap().exit_code)
        })
        .collect();
    assert!(threads.into_iter().all(|thread| thread.join().unwrap() == 0));
    let groups = dir.load().unwrap().running.port_groups;
    assert_eq!(groups.iter().filter(|group| group.name.starts_with("pg")).count(), 8);
}

#[test]
fn faults_hit_the_nth_call_and_no_other() {
    let (_root, dir) = host_dir();
    let rule =
        |nth, action| FaultRule { nth, ..FaultRule::first("network vswitch standard portgroup set", action) };
    let message = || "Connection failure".to_owned();
    let faults = vec![
        rule(2, FaultAction::FailBefore { message: message() }),
        rule(3, FaultAction::FailAfterChange { message: message() }),
        rule(4, FaultAction::Garbage),
    ];
    dir.set_faults(&FaultPlan { faults }).unwrap();
    let mut seen = Vec::new();
    for number in 101..106 {
        dir.run_program(&words("network nic list")).unwrap();
        let output = dir.run_program(&set_vlan(number)).unwrap();
        seen.push((output.exit_code, vlan(&dir)));
    }
    assert_eq!(seen, [(0, 101), (1, 101), (1, 103), (0, 103), (0, 105)]);
}

#[test]
fn answers_can_be_cut_short_and_rules_can_last() {
    let (_root, dir) = host_dir();
    let rule = FaultRule {
        times: 0,
        containing: "vSwitch1".into(),
        ..FaultRule::first("network vswitch", FaultAction::Truncated { bytes: 10 })
    };
    dir.set_faults(&FaultPlan { faults: vec![rule] }).unwrap();
    for _ in 0..3 {
        assert_eq!(
            dir.run_program(&words("network vswitch standard list -v vSwitch1")).unwrap().stdout.len(),
            10
        );
    }
    let whole = dir.run_program(&words("--formatter=xml network vswitch standard list -v vSwitch0")).unwrap();
    assert!(whole.stdout.ends_with("</output>\n"));
}

#[test]
fn latency_comes_from_the_file_before_the_state() {
    let (_root, dir) = host_dir();
    let mut host = dir.load().unwrap();
    host.latency_ms = 7;
    assert_eq!(dir.latency(&host), Duration::from_millis(7));
    fs::write(dir.file("latency_ms"), "3\n").unwrap();
    assert_eq!(dir.latency(&host), Duration::from_millis(3));
}

#[test]
fn broken_files_are_named() {
    let (_root, dir) = host_dir();
    fs::write(dir.file("state.json"), "{\"facts\": 1}").unwrap();
    let text = dir.load().unwrap_err().to_string();
    assert!(text.contains("state.json") && text.contains("correct or remove"), "{text}");
    fs::remove_file(dir.file("state.json")).unwrap();
    assert!(matches!(dir.load(), Err(StoreError::File { .. })));
}
