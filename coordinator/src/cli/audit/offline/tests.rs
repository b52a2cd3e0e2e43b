//! Every way to forge an export, and the first line that shows it.

use super::*;
use crate::store::audit::FIRST_PREVIOUS_HASH;
use crate::trust::{Authority, memory};
use model::{ChangeId, Generation, OutcomeKind};
use rcgen::KeyPair;
use serde_json::json;
use std::sync::LazyLock;

fn authority() -> Authority {
    Authority::create(tempfile::tempdir().unwrap().path(), "pointsman.test", memory::NOW).unwrap()
}

/// Entries, chained.
fn chain(entries: Vec<(&str, &str, serde_json::Value)>) -> Vec<AuditRecord> {
    let mut previous_hash = FIRST_PREVIOUS_HASH.to_owned();
    let chained = (1..).zip(entries).map(|(sequence, (action, subject, detail))| {
        let mut record = AuditRecord {
            sequence,
            at: i64::try_from(memory::NOW.0).unwrap(),
            actor: "operator".to_owned(),
            action: action.to_owned(),
            subject: subject.to_owned(),
            detail: detail.to_string(),
            previous_hash: previous_hash.clone(),
            hash: String::new(),
        };
        record.hash = record.expected_hash();
        previous_hash.clone_from(&record.hash);
        record
    });
    chained.collect()
}

fn lines(records: &[AuditRecord]) -> Vec<String> {
    let mut lines: Vec<String> =
        records.iter().map(|record| serde_json::to_string(record).unwrap()).collect();
    let last = records.last().unwrap();
    let head = Head { sequence: last.sequence, hash: last.hash.clone() };
    lines.push(serde_json::to_string(&EndLine { head }).unwrap());
    lines
}

fn outcome(kind: OutcomeKind) -> ApplyOutcome {
    ApplyOutcome {
        change: ChangeId::new("c1").unwrap(),
        generation: Generation(3),
        kind,
        steps_run: 2,
        esxcli_calls: 40,
        approval: None,
    }
}

/// The key of every host here.
static KEY: LazyLock<KeyPair> = LazyLock::new(|| KeyPair::generate().unwrap());

fn let_in() -> serde_json::Value {
    let receipt = memory::receipt(&authority(), &HostId::new("esx01").unwrap(), &KEY, b"{}");
    json!({ "key": receipt.key().unwrap(), "how": "in time for lunch" })
}

/// The detail of an entry about an outcome, with the receipt of `signer` over `signed`.
fn detail(
    authority: &Authority,
    signer: &str,
    signed: &ApplyOutcome,
    said: &ApplyOutcome,
) -> serde_json::Value {
    let host = HostId::new(signer).unwrap();
    let receipt = memory::receipt(authority, &host, &KEY, &serde_json::to_vec(signed).unwrap());
    json!({
        "change": said.change, "generation": said.generation, "steps_run": said.steps_run,
        "esxcli_calls": said.esxcli_calls, "outcome": said.kind, "evidence": Evidence::from(&receipt),
    })
}

fn story(authority: &Authority) -> Vec<AuditRecord> {
    let committed = outcome(OutcomeKind::Committed);
    chain(vec![
        ("host.enrolled", "host/esx01", let_in()),
        ("host.committed", "host/esx01", detail(authority, "esx01", &committed, &committed)),
        ("rollout.resumed", "rollout/r1", json!({ "reason": "back" })),
    ])
}

fn check(lines: &[String], trusted: &Trusted) -> FileVerdict {
    let mut text = lines.join("\n");
    text.push('\n');
    verify(text.as_bytes(), trusted).unwrap()
}

fn broken_at(lines: &[String]) -> (u64, String) {
    match check(lines, &Trusted::default()) {
        FileVerdict::Broken { line, detail } => (line, detail),
        whole @ FileVerdict::Intact { .. } => panic!("{whole:?}"),
    }
}

#[test]
fn a_whole_export_is_whole_and_knows_a_kept_head() {
    let authority = authority();
    let records = story(&authority);
    let good = lines(&records);
    let trusted = Trusted {
        head: Some(records[1].hash.clone()),
        authorities: Some(TrustedAuthorities::new(std::slice::from_ref(authority.root_der())).unwrap()),
    };
    let head = Head { sequence: 3, hash: records[2].hash.clone() };
    let whole = FileVerdict::Intact { entries: 3, receipts: 1, head, kept: Some(2) };
    assert_eq!(check(&good, &trusted), whole);
}

#[test]
fn a_chain_written_anew_is_whole_but_not_the_one_whose_head_was_kept() {
    let authority = authority();
    let kept = story(&authority)[2].hash.clone();
    let anew = chain(vec![("rollout.paused", "rollout/r1", json!({ "reason": "nothing happened" }))]);
    let FileVerdict::Broken { line: 3, detail } =
        check(&lines(&anew), &Trusted { head: Some(kept), authorities: None })
    else {
        panic!()
    };
    assert!(detail.contains("kept elsewhere"), "{detail}");
}

#[test]
fn changed_missing_swapped_and_added_lines_are_found_where_they_are() {
    let good = lines(&story(&authority()));
    let mut changed = good.clone();
    changed[0] = changed[0].replace("lunch", "brunch");
    assert_eq!(broken_at(&changed), (1, "its content does not fit its hash".to_owned()));
    let without = [&good[..1], &good[2..]].concat();
    assert_eq!(broken_at(&without), (2, "entry 3 follows entry 1".to_owned()));
    let mut swapped = good.clone();
    swapped.swap(0, 1);
    assert_eq!(broken_at(&swapped).0, 1);
    let twice = [&good[..1], &good[..]].concat();
    assert_eq!(broken_at(&twice).0, 2);
    assert_eq!(broken_at(&good[..3]), (4, "the export has no end: entries are missing".to_owned()));
    let cut = [&good[..2], &good[3..]].concat();
    assert!(broken_at(&cut).1.starts_with("the end names entry 3"));
    let after = [&good[..], &good[..1]].concat();
    assert_eq!(broken_at(&after).0, 5);
    let surplus = [&[r#"{"sequence":1,"more":true}"#.to_owned()], &good[..]].concat();
    assert_eq!(broken_at(&surplus).0, 1);
    let unfinished = verify(good.join("\n").as_bytes(), &Trusted::default()).unwrap();
    assert!(matches!(unfinished, FileVerdict::Broken { line: 4, .. }));
}

#[test]
fn receipts_must_fit_key_host_words_and_authority() {
    let authority = authority();
    let committed = outcome(OutcomeKind::Committed);
    let rolled_back = outcome(OutcomeKind::RolledBack { reason: "no answer".to_owned() });
    let told = |subject: &str, detail| {
        let entries = vec![("host.enrolled", subject, let_in()), ("host.committed", subject, detail)];
        broken_at(&lines(&chain(entries))).1
    };

    let other_host = told("host/esx02", detail(&authority, "esx01", &committed, &committed));
    assert!(other_host.contains("of host esx01, not of esx02"), "{other_host}");
    let other_end = told("host/esx01", detail(&authority, "esx01", &rolled_back, &committed));
    assert!(other_end.contains("another `outcome`"), "{other_end}");
    let other_action = told("host/esx01", detail(&authority, "esx01", &rolled_back, &rolled_back));
    assert!(other_action.contains("signed `rolled_back`"), "{other_action}");
    let mut forged = detail(&authority, "esx01", &rolled_back, &committed);
    forged["evidence"]["signed_outcome"] = serde_json::to_string(&committed).unwrap().into();
    let forged = told("host/esx01", forged);
    assert!(forged.contains("does not fit the outcome"), "{forged}");
    let mut unsigned = detail(&authority, "esx01", &committed, &committed);
    unsigned.as_object_mut().unwrap().remove("evidence");
    let unsigned = told("host/esx01", unsigned);
    assert!(unsigned.contains("without the host's receipt"), "{unsigned}");

    let stranger = self::authority();
    let entry = detail(&stranger, "esx01", &committed, &committed);
    let let_in = ("host.enrolled", "host/esx01", let_in());
    let export = lines(&chain(vec![let_in, ("host.committed", "host/esx01", entry)]));
    assert!(matches!(check(&export, &Trusted::default()), FileVerdict::Intact { .. }));
    let ours = TrustedAuthorities::new(std::slice::from_ref(authority.root_der())).unwrap();
    let verdict = check(&export, &Trusted { head: None, authorities: Some(ours) });
    assert!(matches!(verdict, FileVerdict::Broken { line: 2, .. }), "{verdict:?}");
}

/// A stolen coordinator holds the authority: it certifies a key of its own for the host and signs with it.
#[test]
fn a_receipt_of_a_key_that_the_host_was_not_let_in_with_proves_nothing() {
    let authority = authority();
    let committed = outcome(OutcomeKind::Committed);
    let forged = || ("host.committed", "host/esx01", detail(&authority, "esx01", &committed, &committed));
    let never = lines(&chain(vec![forged()]));
    assert!(broken_at(&never).1.contains("was let in with it"), "{:?}", broken_at(&never));
    let of_another = lines(&chain(vec![("host.enrolled", "host/esx02", let_in()), forged()]));
    assert_eq!(broken_at(&of_another).0, 2);
    let afterwards = lines(&chain(vec![forged(), ("host.enrolled", "host/esx01", let_in())]));
    assert_eq!(broken_at(&afterwards).0, 1);
    // Waiting is not being let in; an operator who adopts a host with a certificate lets it in.
    let asked = ("host.enrolment_requested", "host/esx01", let_in());
    assert_eq!(broken_at(&lines(&chain(vec![asked, forged()]))).0, 2);
    let mut adopted = let_in();
    adopted["source"] = "certificate".into();
    let adopted = lines(&chain(vec![("host.approved", "host/esx01", adopted), forged()]));
    assert!(matches!(check(&adopted, &Trusted::default()), FileVerdict::Intact { .. }));
}
