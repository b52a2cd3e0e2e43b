//! Tests of the message table.

use super::{FailureKind, classify};
use FailureKind as K;
use proptest::prelude::*;

#[test]
fn messages_have_their_kind() {
    let sysinfo =
        "Unable to complete Sysinfo operation.  Please see the VMkernel log file for more details.: ";
    let cases: Vec<(String, FailureKind)> = [
        ("A portset with this name already exists", K::AlreadySo),
        ("Uplink already exists: vmnic0", K::AlreadySo),
        ("A portgroup with the name VM Network already exists", K::AlreadySo),
        ("A vmkernel nic for the connection point already exists", K::AlreadySo),
        ("Vmknic is already tagged with VMotion", K::AlreadySo),
        ("Netstack instance 'vmotion' is already found in kernel", K::AlreadySo),
        ("Already exists", K::AlreadySo),
        ("Already allowed all ip", K::AlreadySo),
        ("Vmknic is not tagged with Management", K::NotFound),
        ("No such uplink: vmnic2", K::NotFound),
        ("Not a valid pnic: vmnic9", K::NotFound),
        ("Not found", K::NotFound),
        ("There is no SRIOV Nic with name vmnic6", K::NotFound),
        ("Unable to find a ruleset named X", K::NotFound),
        ("Unable to find option", K::NotFound),
        (" [NoMatchError]\n No VIB matching\n id=X", K::NotFound),
        ("The resource 'vSwitch1' is in use.", K::InUse),
        ("Netstack instance is in use by vmk1", K::InUse),
        ("Out of resources", K::Refused),
        ("Invalid data constraint for parameter 'type'.", K::Refused),
        ("Couldn't update allowed ip list when allowed-all flag is true.", K::Refused),
        ("[DependencyError]\n VIB x requires y", K::Refused),
        ("No permission to execute network.vswitch.standard.add", K::Denied),
        ("Connect to localhost failed: Connection failure.", K::HostdDown),
        ("Error: Unknown command or namespace network vm list", K::UnknownCommand),
        ("Error: Unable to find requested formatter: json", K::UnknownFormat),
        ("Error: Missing required parameter -p|--portgroup-name\n\nUsage: esxcli x", K::Usage),
        ("Error: Invalid option --not found", K::Usage),
        ("Error: Duplicated option --mtu", K::Usage),
        ("Error: --vlan-id must have value", K::Usage),
        ("Error: While processing '--vlan-id'. '9999' > 4095", K::Usage),
        ("Error: '-u' is a flag and cannot accept any values.", K::Usage),
        ("Something nobody has seen", K::Unknown),
        ("", K::Unknown),
    ]
    .into_iter()
    .map(|(text, kind)| (text.to_owned(), kind))
    .chain([
        (format!("{sysinfo}Sysinfo error: Not found"), K::NotFound),
        (format!("{sysinfo}Sysinfo error: Bad parameterSee VMkernel log for details."), K::Refused),
        (format!("{sysinfo}Sysinfo error: BusySee VMkernel log for details."), K::InUse),
        (format!("{sysinfo}Not supported: VSI node (234:VSI_NODE_x)"), K::Unsupported),
    ])
    .collect();
    for (text, kind) in cases {
        let failure = classify(Some(1), &text, "").expect("a failure");
        assert_eq!(failure.kind, kind, "{text}");
        assert_eq!(failure.stdout, text, "nothing is lost");
        assert!(!failure.message().is_empty());
    }
}

#[test]
fn the_words_of_the_help_do_not_decide() {
    let text = "Error: Invalid option --x\n\nUsage: esxcli network x [cmd options]\n\nDescription:\n  add  Unknown command or namespace; already in use";
    let failure = classify(Some(1), text, "").expect("a failure");
    assert_eq!(failure.kind, K::Usage);
    assert_eq!(failure.message(), "Invalid option --x");
}

#[test]
fn exit_status_and_streams() {
    assert_eq!(classify(Some(0), "", ""), None);
    assert_eq!(classify(Some(0), "Name: vSwitch0", "warning"), None);
    let zero = classify(Some(0), "Error: Unknown command or namespace network x", "").expect("prefix counts");
    assert_eq!(zero.kind, K::UnknownCommand);
    let on_stderr = classify(Some(1), "", "Sysinfo error: Not found").expect("a failure");
    assert_eq!((on_stderr.kind, on_stderr.message().as_str()), (K::NotFound, "Sysinfo error: Not found"));
    assert_eq!(classify(None, "", "").map(|f| f.kind), Some(K::Killed));
    assert_eq!(
        classify(Some(137), "", "").map(|f| f.message()),
        Some("exit status 137 without a message".to_owned())
    );
    let two = "Error: Missing required parameter -t|--trusted\n       Missing required parameter -v|--vfid\n\nUsage: esxcli x";
    let failure = classify(Some(1), two, "").expect("a failure");
    assert_eq!(
        failure.message(),
        "Missing required parameter -t|--trusted; Missing required parameter -v|--vfid"
    );
    assert!(failure.to_string().starts_with("esxcli: usage error: Missing"));
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 500, failure_persistence: None, ..ProptestConfig::default() })]
    #[test]
    fn any_text_is_classified_without_loss(code in proptest::option::of(1_i32..255), out in "\\PC{0,80}", err in "\\PC{0,80}") {
        let failure = classify(code, &out, &err).expect("a failure");
        prop_assert_eq!((&failure.stdout, &failure.stderr, failure.exit_code), (&out, &err, code));
        prop_assert!(!failure.message().is_empty());
    }
}
