//! What a comment holds, and how long it may be.

use super::*;
use crate::review::render::{COMMENT_CHARS_MAX, comment, terminal};
use model::{Component, Finding, Span};

/// Facts with everything in them, of this size.
pub fn facts(size: usize) -> ReviewFacts {
    let hosts = |from: usize, count: usize| -> Vec<HostId> {
        (from..from + count).map(|at| HostId::new(format!("esx{at:04}")).unwrap()).collect()
    };
    let finding = |at: usize| FoldedFinding {
        finding: Finding::error(
            "VLAN-003",
            Component::PortGroup,
            format!("port group `@team {at}` </details> is wrong"),
        )
        .at(Span { file: "groups/g/network.yaml".to_owned(), line: 3, column: 7 })
        .hint("write a number"),
        hosts: hosts(0, 12),
    };
    let step = StepLine {
        esxcli: "esxcli network vswitch standard portgroup set --portgroup-name 'a```b\n/close' --vlan-id 5"
            .to_owned(),
        disruption: Disruption::TrafficLoss,
    };
    let class = |at: usize| PlanClass {
        hosts: hosts(at * 10, 10),
        disruption: Disruption::TrafficLoss,
        digest: model::PlanDigest(format!("{at:064x}")),
        steps: vec![step.clone(); 12],
    };
    ReviewFacts {
        rfc: Some("RFC-7: <b>Move</b>".to_owned()),
        disruption: Disruption::TrafficLoss,
        hosts_named: size * 10,
        hosts_changed: size * 10,
        findings: (0..size).map(finding).collect(),
        classes: (0..size).map(class).collect(),
        schedule: Some(Schedule {
            waves: (0..size).map(|at| hosts(at * 10, 10)).collect(),
            max_parallel: 8,
            soak_secs: 60,
            failure_budget: 0,
            confirm_secs: 60,
        }),
        touched: (0..size)
            .map(|at| Touched {
                kind: "port_group".to_owned(),
                name: format!("web|{at}"),
                hosts: 10,
                disruption: Disruption::TrafficLoss,
                vms: 31,
                vmks: vec!["vmk1 (vmotion)".to_owned()],
            })
            .collect(),
        unknown: vec!["1 host (c) not enrolled".to_owned()],
        ..ReviewFacts::bare(
            Subject { name: "topic".to_owned(), head: Some("1".repeat(40)), main: Some("2".repeat(40)) },
            Verdict::Refused,
        )
    }
}

#[test]
fn a_small_review_is_whole() {
    let text = comment(&facts(1));
    let first = text.lines().next().unwrap();
    assert_eq!(first, "## Pointsman: refused \u{2014} 10 hosts, worst disruption `traffic_loss`");
    for part in [
        "Brings RFC\\-7: &lt;b&gt;Move&lt;/b&gt;.",
        "| **error** | VLAN\\-003 | groups/g/network\\.yaml:3:7 |",
        "<br>write a number",
        "12: esx0000, esx0001",
        "and 4 more",
        "<details open><summary>10 hosts: the same 12 steps, worst disruption traffic_loss</summary>",
        "--vlan-id 5  # traffic_loss",
        "1. 10 hosts: esx0000",
        "| port\\_group ` web\\|0 ` | 10 | traffic_loss | 31 | vmk1 \\(vmotion\\) |",
        "- 1 host \\(c\\) not enrolled",
    ] {
        assert!(text.contains(part), "{part}\n{text}");
    }
}

#[test]
fn strangers_words_do_not_get_out() {
    let text = comment(&facts(3));
    assert_eq!(text.matches("</details>").count(), 3, "only our own");
    assert!(!text.contains("@team") && !text.contains("<b>"));
    assert!(!text.lines().any(|line| line.starts_with('/')), "no command to the forge");
    // The fence is longer than any run inside of it.
    assert!(text.contains("\n````text\n"));
}

#[test]
fn a_huge_review_stays_below_the_limit_and_says_what_is_left_out() {
    for size in [10, 100, 1_000] {
        let text = comment(&facts(size));
        let length = text.chars().count();
        assert!(length <= COMMENT_CHARS_MAX, "{size}: {length}");
        assert!(text.contains("### Blast radius") && text.contains("### Not known"), "{size}");
        assert!(text.starts_with("## Pointsman: refused"), "{size}");
        if size > 10 {
            assert!(text.contains("findings more:") && text.contains("more plans on"), "{size}\n{text}");
            assert!(length > COMMENT_CHARS_MAX * 3 / 4, "{size}: {length}, room is not wasted");
        }
    }
}

#[test]
fn the_terminal_gets_everything_without_control_characters() {
    let text = terminal(&facts(100));
    assert!(text.starts_with("topic: refused: 100 errors; 1000 hosts would change"));
    assert_eq!(text.matches("worst disruption traffic_loss").count(), 101);
    assert!(!text.contains("\n/close"));
}

#[test]
fn facts_survive_json() {
    let facts = facts(2);
    let text = serde_json::to_string(&facts).unwrap();
    assert_eq!(serde_json::from_str::<ReviewFacts>(&text).unwrap(), facts);
}
