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

/// Two hosts of one fleet with large frames on vMotion, and the address of the second one there.
fn neighbours() -> (tempfile::TempDir, HostDir, HostDir, Ipv4Addr) {
    let root = tempfile::tempdir().unwrap();
    let request = FleetRequest { count: 2, group: "lab".into(), version: "8.0".into() };
    let dirs: Vec<HostDir> = crate::fleet::make_hosts(root.path(), &request)
        .unwrap()
        .iter()
        .map(|name| HostDir::new(root.path().join(name)))
        .collect();
    for dir in &dirs {
        for line in
            ["network vswitch standard set -v vSwitch1 -m 9000", "network ip interface set -i vmk1 -m 9000"]
        {
            assert_eq!(dir.exec(&words(line)).unwrap().exit_code, 0);
        }
    }
    let target = dirs[1].load().unwrap().running.vmks["vmk1"].ipv4.address.unwrap();
    (root, dirs[0].clone(), dirs[1].clone(), target)
}

fn received(dir: &HostDir, target: Ipv4Addr, more: &str) -> i64 {
    let line = format!("--debug --formatter=json network diag ping --host={target} --interface=vmk1{more}");
    let output = dir.run_program(&words(&line)).unwrap();
    assert_eq!(output.exit_code, 0, "{}", output.stdout);
    serde_json::from_str::<serde_json::Value>(&output.stdout).unwrap()["Summary"]["Recieved"]
        .as_i64()
        .unwrap()
}

#[test]
fn neighbours_answer_when_the_whole_path_fits() {
    const LARGE: &str = " --size=8972 --df";
    // What is broken and mended on either side, and how many small packets pass meanwhile.
    let faults: [(&str, &str, &str, i64); 4] = [
        ("network vswitch standard portgroup set -p vMotion -v", "110", "20", 0),
        ("network vswitch standard set -v vSwitch1 -m", "1500", "9000", 3),
        ("network ip interface set -i vmk1 -m", "1500", "9000", 3),
        ("network ip interface set -i vmk1 -e", "false", "true", 0),
    ];
    let (_root, first, second, target) = neighbours();
    for (command, broken, mended, small) in faults {
        for side in [&first, &second] {
            let set =
                |value| assert_eq!(side.exec(&words(&format!("{command} {value}"))).unwrap().exit_code, 0);
            assert_eq!((received(&first, target, ""), received(&first, target, LARGE)), (3, 3));
            set(broken);
            let found = (received(&first, target, ""), received(&first, target, LARGE));
            assert_eq!(found, (small, 0), "{command} {broken}");
            set(mended);
        }
    }
    for nic in ["vmnic2", "vmnic3"] {
        second.exec(&words(&format!("network nic down -n {nic}"))).unwrap();
    }
    assert_eq!(received(&first, target, ""), 0, "no uplink of the neighbour has link");
}

#[test]
fn an_address_of_no_neighbour_is_part_of_the_network() {
    let (_root, first, second, target) = neighbours();
    assert_eq!(received(&first, Ipv4Addr::new(10, 20, 200, 200), ""), 3);
    fs::remove_dir_all(second.path()).unwrap();
    assert_eq!(received(&first, target, ""), 3, "a host on its own");
    assert!(first.load().unwrap().neighbours.is_empty(), "only a ping looks beside");
}
