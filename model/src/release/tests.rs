//! Documents of the proof: canonical bytes, unknown fields, words.

use super::*;

fn manifest() -> ReleaseManifest {
    ReleaseManifest {
        format: RELEASE_FORMAT,
        repository: "git.example.com/net/config".to_owned(),
        change: ChangeId::new("c1").unwrap(),
        rfc: Some(RfcId(12)),
        commit: "c0ffee".to_owned(),
        number: 1,
        root: Sha256Hash([7; 32]),
        hosts: 3,
        wave_delays_secs: vec![0, 60],
        not_before: Wall(1),
        not_after: Wall(2),
    }
}

#[test]
fn a_manifest_has_one_form_and_no_other_fields() {
    let text = serde_json::to_string(&manifest()).unwrap();
    let root = "07".repeat(32);
    assert_eq!(
        text,
        format!(
            r#"{{"format":1,"repository":"git.example.com/net/config","change":"c1","rfc":12,"commit":"c0ffee","number":1,"root":"{root}","hosts":3,"wave_delays_secs":[0,60],"not_before":1,"not_after":2}}"#
        )
    );
    assert_eq!(serde_json::from_str::<ReleaseManifest>(&text).unwrap(), manifest());
    let surplus = text.replacen("{", "{\"force\":true,", 1);
    assert!(serde_json::from_str::<ReleaseManifest>(&surplus).unwrap_err().to_string().contains("force"));
}

#[test]
fn a_set_without_emergency_keys_does_not_name_them() {
    let text = r#"{"format":1,"version":3,"name":"default","threshold":1,"approvers":[{"name":"eve","key":"ssh-ed25519 AAAA"}]}"#;
    let set: ApproverSet = serde_json::from_str(text).unwrap();
    assert_eq!((set.break_glass_threshold, set.not_after), (0, None));
    assert_eq!(serde_json::to_string(&set).unwrap(), text);
    assert!(serde_json::from_str::<ApproverSet>(&text.replace("threshold", "treshold")).is_err());
}

#[test]
fn words_are_those_of_the_json() {
    for mode in ApprovalMode::ALL {
        assert_eq!(serde_json::to_value(mode).unwrap(), mode.as_str());
        assert_eq!(ApprovalMode::from_word(mode.as_str()), Some(mode));
    }
    assert_eq!(ApprovalMode::from_word("Enforce"), None);
    assert_eq!(ApprovalMode::default(), ApprovalMode::Enforce, "nothing said is the safe mode");
    let mut words: Vec<&str> = UnprovenKind::ALL.into_iter().map(UnprovenKind::as_str).collect();
    for kind in UnprovenKind::ALL {
        assert_eq!(serde_json::to_value(kind).unwrap(), kind.as_str());
    }
    words.sort_unstable();
    words.dedup();
    assert_eq!(words.len(), UnprovenKind::ALL.len());
}
