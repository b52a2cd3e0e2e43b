//! Tests of switch records; the policy outputs are made by the reference's rules.

use super::{DvsRecord, FailoverRecord, SecurityRecord, ShapingRecord, VswitchRecord};
use crate::formatter::Formatter;
use crate::output::parse;
use crate::records::{RecordError, read_list, read_one};
use model::{FailureDetection, LoadBalancing};

const FAILOVER: &str = "   Load Balancing: srcport
   Network Failure Detection: link
   Notify Switches: true
   Failback: true
   Active Adapters: vmnic1, vmnic0
   Standby Adapters: 
   Unused Adapters: vmnic2
";

fn failover(format: Formatter, text: &str) -> Result<FailoverRecord, RecordError> {
    read_one("network vswitch standard policy failover get", &parse("x", format, text).expect("a document"))
}

#[test]
fn failover_in_four_formats() {
    let json = r#"{"ActiveAdapters": ["vmnic1", "vmnic0"], "Failback": true, "LoadBalancing": "srcport",
        "NetworkFailureDetection": "link", "NotifySwitches": true, "StandbyAdapters": [], "UnusedAdapters": ["vmnic2"]}"#;
    let keyvalue = "VirtualSwitchFailoverPolicy.ActiveAdapters.string[0].string=vmnic1
VirtualSwitchFailoverPolicy.ActiveAdapters.string[1].string=vmnic0
VirtualSwitchFailoverPolicy.Failback.boolean=true
VirtualSwitchFailoverPolicy.LoadBalancing.string=srcport
VirtualSwitchFailoverPolicy.NetworkFailureDetection.string=link
VirtualSwitchFailoverPolicy.NotifySwitches.boolean=true
VirtualSwitchFailoverPolicy.StandbyAdapters.string[] = 
VirtualSwitchFailoverPolicy.UnusedAdapters.string[0].string=vmnic2
";
    let csv = "ActiveAdapters,Failback,LoadBalancing,NetworkFailureDetection,NotifySwitches,StandbyAdapters,UnusedAdapters,
\"vmnic1,vmnic0,\",true,srcport,link,true,,\"vmnic2,\",
";
    let expected = FailoverRecord {
        load_balancing: LoadBalancing::PortId,
        failure_detection: FailureDetection::Link,
        notify_switches: true,
        failback: true,
        active: vec!["vmnic1".to_owned(), "vmnic0".to_owned()],
        standby: vec![],
        unused: vec!["vmnic2".to_owned()],
    };
    for (format, text) in [
        (Formatter::Text, FAILOVER),
        (Formatter::Json, json),
        (Formatter::KeyValue, keyvalue),
        (Formatter::Csv, csv),
    ] {
        assert_eq!(failover(format, text).as_ref(), Ok(&expected), "{format}");
    }
}

#[test]
fn both_spellings_are_read_and_others_refused() {
    for (word, meaning) in [
        ("srcport", LoadBalancing::PortId),
        ("portid", LoadBalancing::PortId),
        ("srcmac", LoadBalancing::SourceMac),
        ("mac", LoadBalancing::SourceMac),
        ("iphash", LoadBalancing::IpHash),
        ("explicit", LoadBalancing::Explicit),
    ] {
        let text = FAILOVER.replace("srcport", word).replace(": link", ": beacon");
        let record = failover(Formatter::Text, &text).expect("a record");
        assert_eq!((record.load_balancing, record.failure_detection), (meaning, FailureDetection::Beacon));
    }
    let error =
        failover(Formatter::Text, &FAILOVER.replace("srcport", "lottery")).expect_err("unknown").to_string();
    assert!(
        error.contains("LoadBalancing") && error.contains("`lottery`") && error.contains("failover get"),
        "{error}"
    );
    let missing = FAILOVER.replace("   Failback: true\n", "");
    assert!(
        matches!(failover(Formatter::Text, &missing), Err(RecordError::MissingField { field, .. }) if field == "Failback")
    );
}

#[test]
fn security_and_shaping() {
    let text =
        "   Allow Promiscuous: false\n   Allow MAC Address Change: true\n   Allow Forged Transmits: true\n";
    let record: SecurityRecord =
        read_one("x", &parse("x", Formatter::Text, text).expect("text")).expect("security");
    assert!(!record.allow_promiscuous && record.allow_mac_change && record.allow_forged_transmits);
    let shaping = |format, text: &str| -> Result<ShapingRecord, RecordError> {
        read_one("x", &parse("x", format, text).expect("a document"))
    };
    let off = "   Enabled: false\n   Average Bandwidth: -1 Kbps\n   Peak Bandwidth: -1 Kbps\n   Burst Size: -1 Kib\n";
    let expected = ShapingRecord { enabled: false, average_kbps: -1, peak_kbps: -1, burst_kib: -1 };
    assert_eq!(shaping(Formatter::Text, off), Ok(expected));
    let on = r#"{"AverageBandwidth": 1000, "BurstSize": 512, "Enabled": true, "PeakBandwidth": 2000}"#;
    let expected = ShapingRecord { enabled: true, average_kbps: 1000, peak_kbps: 2000, burst_kib: 512 };
    assert_eq!(shaping(Formatter::Json, on), Ok(expected));
    assert!(shaping(Formatter::Json, r#"{"Enabled": true}"#).is_err(), "shaping without numbers");
}

#[test]
fn switch_lists() {
    let text = "lab switch
   Name: lab switch
   Class: cswitch
   Num Ports: 10496
   Used Ports: 1
   Configured Ports: 128
   MTU: 9000
   CDP Status: both
   Beacon Enabled: false
   Beacon Required By:
   Uplinks: vmnic10, vmnic2
   Portgroups: VM Network, Lab (1)
   A Field Of The Future: yes
";
    let list: Vec<VswitchRecord> =
        read_list("x", &parse("x", Formatter::Text, text).expect("text")).expect("records");
    assert_eq!(
        (list[0].name.as_str(), list[0].mtu, list[0].cdp_status.as_str()),
        ("lab switch", 9000, "both")
    );
    assert_eq!(list[0].uplinks, ["vmnic10", "vmnic2"]);
    assert_eq!(list[0].port_groups, ["VM Network", "Lab (1)"]);
    let none: Vec<VswitchRecord> =
        read_list("x", &parse("x", Formatter::Text, "").expect("text")).expect("records");
    assert_eq!(none, []);
}

#[test]
fn distributed_switches_keep_their_ports() {
    let json = r#"[{"Name": "DSwitch", "MTU": 1500, "Uplinks": ["vmnic2"], "VDSID": "50 33",
        "DVPort": [{"Client": "vmk1", "DVPortgroupID": "dvportgroup-1", "InUse": true, "PortID": "10"}]}]"#;
    let list: Vec<DvsRecord> =
        read_list("x", &parse("x", Formatter::Json, json).expect("json")).expect("records");
    assert_eq!(list[0].uplinks, ["vmnic2"]);
    assert_eq!(list[0].ports[0].client.as_deref(), Some("vmk1"));
}
