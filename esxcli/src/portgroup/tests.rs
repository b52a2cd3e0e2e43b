//! Tests of port group records; the policy outputs are made by the reference's rules.

use super::{PortGroupFailoverRecord, PortGroupRecord, PortGroupSecurityRecord, PortGroupShapingRecord};
use crate::formatter::Formatter;
use crate::output::parse;
use crate::records::{FromRecord, RecordError, read_list, read_one};

fn one<T: FromRecord>(format: Formatter, text: &str) -> Result<T, RecordError> {
    read_one("x", &parse("x", format, text).expect("a document"))
}

#[test]
fn failover_tells_own_from_inherited() {
    let text = "   Load Balancing: explicit
   Network Failure Detection: link
   Notify Switches: true
   Failback: false
   Active Adapters: vmnic1
   Standby Adapters: vmnic0
   Unused Adapters: 
   Override Vswitch Load Balancing: true
   Override Vswitch Network Failure Detection: false
   Override Vswitch Notify Switches: false
   Override Vswitch Failback: true
   Override Vswitch Uplinks: true
";
    let record: PortGroupFailoverRecord = one(Formatter::Text, text).expect("a record");
    assert!(record.own_load_balancing && record.own_failback && record.own_uplinks);
    assert!(!record.own_failure_detection && !record.own_notify_switches);
    assert_eq!(record.values.standby, ["vmnic0"]);
    let without = text.replace("   Override Vswitch Uplinks: true\n", "");
    assert!(one::<PortGroupFailoverRecord>(Formatter::Text, &without).is_err(), "never guessed");
}

#[test]
fn security_and_shaping_tell_own_from_inherited() {
    let json = r#"{"AllowForgedTransmits": false, "AllowMACAddressChange": false, "AllowPromiscuous": true,
        "OverrideVswitchAllowForgedTransmits": false, "OverrideVswitchAllowMACAddressChange": false,
        "OverrideVswitchAllowPromiscuous": true}"#;
    let record: PortGroupSecurityRecord = one(Formatter::Json, json).expect("a record");
    assert!(record.own_promiscuous && record.values.allow_promiscuous && !record.own_mac_change);
    let xml = |own: bool| {
        format!(
            "<output><root><structure typeName=\"PortGroupTrafficShapingPolicy\">\
             <field name=\"AverageBandwidth\"><integer>-1</integer></field><field name=\"BurstSize\"><integer>-1</integer></field>\
             <field name=\"Enabled\"><boolean>false</boolean></field>\
             <field name=\"OverrideVswitchAverageBandwidth\"><boolean>false</boolean></field>\
             <field name=\"OverrideVswitchBurstSize\"><boolean>{own}</boolean></field>\
             <field name=\"OverrideVswitchEnabled\"><boolean>false</boolean></field>\
             <field name=\"OverrideVswitchPeakBandwidth\"><boolean>false</boolean></field>\
             <field name=\"PeakBandwidth\"><integer>-1</integer></field></structure></root></output>"
        )
    };
    for own in [false, true] {
        let record: PortGroupShapingRecord = one(Formatter::Xml, &xml(own)).expect("a record");
        assert_eq!((record.own, record.values.enabled), (own, false));
    }
}

#[test]
fn lists_take_odd_names() {
    let csv = "ActiveClients,Name,VLANID,VirtualSwitch,\n1,\"a, b\",4095,vSwitch0,\n0,Management Network (1),28,v S,\n";
    let rows: Vec<PortGroupRecord> =
        read_list("x", &parse("x", Formatter::Csv, csv).expect("csv")).expect("records");
    assert_eq!((rows[0].name.as_str(), rows[0].vlan), ("a, b", 4095));
    assert_eq!((rows[1].vswitch.as_str(), rows[1].active_clients), ("v S", 0));
    let bad = "Name  Virtual Switch  Active Clients  VLAN ID\n----  --------------  --------------  -------\nx     v                            0       -1\n";
    let error = read_list::<PortGroupRecord>("x", &parse("x", Formatter::Text, bad).expect("text"))
        .expect_err("range");
    assert!(error.to_string().contains("VLANID"), "{error}");
}
