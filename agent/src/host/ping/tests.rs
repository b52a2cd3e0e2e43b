//! Pings through programs that answer, hang, lack xml, or are busy.

use super::*;
use model::{NetstackName, VmkName};
use std::collections::BTreeMap;
use std::os::unix::fs::PermissionsExt;

/// A program that pings as these shell lines do. Linked from a file that is closed, so that it can be started at once.
fn program(lines: &str) -> (tempfile::TempDir, Runner) {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("esxcli");
    std::fs::write(&path, format!("#!/bin/sh\n{lines}\n")).unwrap();
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o755)).unwrap();
    // Another test's child may hold the file open for writing for a moment.
    while let Err(error) = std::process::Command::new(&path).arg("--try").output() {
        assert_eq!(error.kind(), std::io::ErrorKind::ExecutableFileBusy);
    }
    let runner = Runner::new(&path, &BTreeMap::new());
    (dir, runner)
}

const TEXT: &str = "printf '   Summary:\\n         Transmitted: 2\\n         Recieved: %s\\n' ";

fn probe(name: &str, last: u8) -> Probe {
    Probe {
        name: name.to_owned(),
        vmk: VmkName::new("vmk1").unwrap(),
        netstack: NetstackName::default_stack(),
        target: std::net::Ipv4Addr::new(10, 20, 0, last),
        size: None,
    }
}

#[test]
fn every_probe_has_its_own_verdict_in_order() {
    // Without xml; addresses that end in .1 answer.
    let lines = format!(
        "case \"$*\" in *formatter*) echo 'Error: Unable to find requested formatter: xml'; exit 1;; \
         *host=10.20.0.1\\ *) {TEXT} 1;; *host=10.20.0.9*) exit 7;; *) {TEXT} 0; exit 1;; esac"
    );
    let (_dir, runner) = program(&lines);
    let probes: Vec<Probe> = (0..9_u8).map(|index| probe(&format!("p{index}"), 1 + index)).collect();
    let results = run_probes(&runner, probes.clone());
    assert_eq!(results.iter().map(|result| result.probe.clone()).collect::<Vec<_>>(), probes);
    let words: Vec<&str> = results.iter().map(|result| result.verdict.as_str()).collect();
    assert_eq!(words, ["pass", "fail", "fail", "fail", "fail", "fail", "fail", "fail", "unknown"]);
    assert!(run_probes(&runner, Vec::new()).is_empty());
}

fn question(request: u64) -> PingQuestion {
    let Probe { vmk, netstack, target, .. } = probe("", 1);
    PingQuestion { request, vmk, netstack, target, size: Some(8972), count: 2 }
}

#[tokio::test]
async fn only_so_many_pings_run_for_others() {
    // Each waits until the file is there.
    let (dir, _) = program("exit 0");
    let gate = dir.path().join("gate");
    let (_other, runner) = program(&format!(
        "[ \"$1\" = --try ] && exit 0; while [ ! -e {} ]; do sleep 0.01; done; {}",
        gate.display(),
        "printf '<output><root><structure><field name=\"Summary\"><structure><field name=\"Transmitted\">\
         <integer>2</integer></field><field name=\"Recieved\"><integer>2</integer></field></structure></field>\
         </structure></root></output>'"
    ));
    let (sender, mut reports) = mpsc::channel(16);
    let pinger = PeerPinger::new(runner, sender);
    for request in 0..PEER_PINGS_MAX as u64 {
        assert_eq!(pinger.begin(question(request)), None);
    }
    let refused = pinger.begin(question(99)).unwrap();
    assert_eq!(refused.request, 99);
    assert!(matches!(refused.verdict, ProbeVerdict::Unknown { .. }));
    std::fs::write(&gate, "").unwrap();
    let mut answered = Vec::new();
    for _ in 0..PEER_PINGS_MAX {
        let report = tokio::time::timeout(Duration::from_secs(30), reports.recv()).await.unwrap().unwrap();
        assert_eq!(report.verdict, ProbeVerdict::Pass);
        answered.push(report.request);
    }
    answered.sort_unstable();
    assert_eq!(answered, (0..PEER_PINGS_MAX as u64).collect::<Vec<_>>());
    assert_eq!(pinger.begin(question(5)), None, "there is room again");
}
