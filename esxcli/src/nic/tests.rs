//! Tests of NIC records.

use super::{NicDetailRecord, NicRecord};
use crate::formatter::Formatter;
use crate::output::parse;
use crate::records::{read_list, read_one};

#[test]
fn lists_with_and_without_admin_status() {
    let old = "Name    PCI Device     Driver  Link  Speed  Duplex  MAC Address         MTU  Description
------  -------------  ------  ----  -----  ------  -----------------  ----  -----------
vmnic0  0000:002:00.0  igb     Up     1000  Full    00:1b:21:aa:bb:cc  1500  Intel, Inc. (R) I350
vusb0   Pseudo         ax88    Down      0  Half    XX:XX:XX:XX:XX:XX  1500  Unknown Unknown
";
    let rows: Vec<NicRecord> =
        read_list("x", &parse("x", Formatter::Text, old).expect("text")).expect("records");
    assert_eq!((rows[0].admin_up, rows[0].link_up, rows[0].speed_mbps), (None, true, 1000));
    assert_eq!((rows[1].link_up, rows[1].full_duplex, rows[1].pci.as_str()), (false, false, "Pseudo"));
    let json = r#"[{"AdminStatus": "Down", "DPUId": "N/A", "Description": "E810", "Driver": "icen", "Duplex": "Full",
        "Link": "Up", "LinkStatus": "Up ", "MACAddress": "b4:96:91:00:00:01", "MTU": 9000, "Name": "vmnic3",
        "PCIDevice": "0000:5e:00.1", "Speed": 100000}]"#;
    let rows: Vec<NicRecord> =
        read_list("x", &parse("x", Formatter::Json, json).expect("json")).expect("records");
    assert_eq!((rows[0].admin_up, rows[0].link_up, rows[0].speed_mbps), (Some(false), true, 100_000));
}

#[test]
fn details_with_nested_driver() {
    let text = "   Advertised Auto Negotiation: true
   Advertised Link Modes: Auto, 1000BaseT/Full
   Auto Negotiation: false
   Backing DPUId: N/A
   Driver Info: 
         Bus Info: 0000:04:00:0
         Driver: igbn
         Firmware Version: 1.48.0:0x800006e7
         Version: 1.9.1.0
   Link Detected: true
   Link Status: Up 
   Name: vmnic0
   Wakeon: MagicPacket(tm)
";
    let record: NicDetailRecord =
        read_one("x", &parse("x", Formatter::Text, text).expect("text")).expect("a record");
    assert_eq!((record.auto_negotiation, record.link_up), (Some(false), Some(true)));
    assert_eq!(record.link_modes, ["Auto", "1000BaseT/Full"]);
    let driver = record.driver.expect("a driver");
    assert_eq!((driver.driver.as_str(), driver.firmware.as_deref()), ("igbn", Some("1.48.0:0x800006e7")));
}
