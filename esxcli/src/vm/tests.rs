//! Tests of virtual machine records.

use super::{VmPortRecord, VmRecord};
use crate::formatter::Formatter;
use crate::output::parse;
use crate::records::read_list;

#[test]
fn machines_and_ports() {
    let text = "World ID  Name          Num Ports  Networks
--------  ------------  ---------  --------
 2270220  web server 1          2  VM Network, Lab (1)
10000001  none                  0  
";
    let rows: Vec<VmRecord> =
        read_list("x", &parse("x", Formatter::Text, text).expect("text")).expect("records");
    assert_eq!((rows[0].name.as_str(), rows[0].num_ports), ("web server 1", Some(2)));
    assert_eq!(rows[0].networks, ["VM Network", "Lab (1)"]);
    assert_eq!((rows[1].world_id, rows[1].networks.len()), (10_000_001, 0));
    let csv = "ActiveFilters,DVPortID,IPAddress,MACAddress,PortID,Portgroup,TeamUplink,UplinkPortID,vSwitch,\n,,0.0.0.0,00:0c:29:73:c1:05,50331688,FOUR,void,0,vSwitch1,\n";
    let rows: Vec<VmPortRecord> =
        read_list("x", &parse("x", Formatter::Csv, csv).expect("csv")).expect("records");
    assert_eq!((rows[0].vswitch.as_str(), rows[0].uplink.as_deref()), ("vSwitch1", None));
}
