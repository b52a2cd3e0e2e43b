//! Tests of adapter records, from 5.1 to 9.0.

use super::{AddressType, InterfaceRecord, Ipv4Record, Ipv6AddressRecord, Ipv6Record};
use crate::formatter::Formatter;
use crate::output::parse;
use crate::records::{FromRecord, read_list};
use crate::typed::read_tags;

fn list<T: FromRecord>(format: Formatter, text: &str) -> Vec<T> {
    read_list("x", &parse("x", format, text).expect("a document")).expect("records")
}

#[test]
fn standard_and_distributed_adapters() {
    let text = "vmk0
   Name: vmk0
   MAC Address: 00:50:56:6c:01:11
   Enabled: true
   Portset: vSwitch0
   Portgroup: Management Network
   VDS Name: N/A
   VDS Connection: -1
   MTU: 1500
   TSO MSS: 65535
   Port ID: 33554436

vmk1
   Name: vmk1
   MAC Address: 00:50:56:6c:01:12
   Enabled: false
   Portset: DvsPortset-0
   Portgroup: N/A
   Netstack Instance: vmotion
   VDS Name: DSwitch
   VDS UUID: 50 33
   VDS Port: 10
   VDS Connection: 1201
   Opaque Network ID: N/A
   MTU: 9000
   TSO MSS: 65535
   RXDispQueue Size: 4
   URPF: none
   Port ID: 67108866
";
    let rows: Vec<InterfaceRecord> = list(Formatter::Text, text);
    assert_eq!(rows[0].port_group.as_deref(), Some("Management Network"));
    assert_eq!((rows[0].vds_name.as_deref(), rows[0].netstack.as_deref()), (None, None));
    assert_eq!((rows[1].port_group.as_deref(), rows[1].vds_name.as_deref()), (None, Some("DSwitch")));
    assert_eq!((rows[1].netstack.as_deref(), rows[1].mtu, rows[1].enabled), (Some("vmotion"), 9000, false));
}

#[test]
fn ipv4_of_old_and_new_releases() {
    let old = "Name  IPv4 Address  IPv4 Netmask   IPv4 Broadcast  Address Type  DHCP DNS
----  ------------  -------------  --------------  ------------  --------
vmk0  172.16.0.10   255.255.255.0  172.16.0.255    STATIC           false
vmk1  0.0.0.0       0.0.0.0        0.0.0.0         NONE             false
";
    let rows: Vec<Ipv4Record> = list(Formatter::Text, old);
    assert_eq!(
        (rows[0].address_type, rows[0].address.as_deref()),
        (AddressType::Static, Some("172.16.0.10"))
    );
    assert_eq!((rows[1].address_type, rows[1].address.as_deref()), (AddressType::None, None));
    let new = r#"[{"AddressType": "DHCP", "DHCPDNS": true, "Gateway": "10.0.0.1", "IPv4Address": "10.0.0.7",
        "IPv4Broadcast": "10.0.0.255", "IPv4Netmask": "255.255.255.0", "Name": "vmk2"}]"#;
    let rows: Vec<Ipv4Record> = list(Formatter::Json, new);
    assert_eq!((rows[0].address_type, rows[0].dhcp_dns), (AddressType::Dhcp, true));
    assert_eq!(rows[0].gateway.as_deref(), Some("10.0.0.1"));
}

#[test]
fn ipv6_switches_and_addresses() {
    let get = "Name  DHCPv6 Enabled  Router Adv Enabled  DHCP DNS
----  --------------  ------------------  --------
vmk0           false                true     false
";
    let rows: Vec<Ipv6Record> = list(Formatter::Text, get);
    assert!(!rows[0].dhcp && rows[0].router_advertisements);
    let addresses = "Interface  Address                    Netmask  Type    Status
---------  -------------------------  -------  ------  ---------
vmk0       fe80::250:56ff:fe6c:111         64  STATIC  PREFERRED
vmk0       2001:db8::11                    64  STATIC  PREFERRED
vmk0       2001:db8::12/48                     RA
";
    let rows: Vec<Ipv6AddressRecord> = list(Formatter::Text, addresses);
    let configured: Vec<bool> = rows.iter().map(Ipv6AddressRecord::is_configured).collect();
    assert_eq!(configured, [false, true, false]);
    assert_eq!((rows[2].address.as_str(), rows[2].prefix.as_str()), ("2001:db8::12", "48"));
}

#[test]
fn tags_in_every_form() {
    let tags = |format, text: &str| read_tags(&parse("x", format, text).expect("a document")).expect("tags");
    assert_eq!(tags(Formatter::Text, "   Tags: Management, VMotion\n"), ["Management", "VMotion"]);
    assert_eq!(tags(Formatter::Json, r#"{"Tags": ["Management", "VMotion"]}"#), ["Management", "VMotion"]);
    assert_eq!(tags(Formatter::Json, r#"["Management"]"#), ["Management"]);
    assert_eq!(tags(Formatter::Csv, "Tags,\n\"Management,VMotion,\",\n"), ["Management", "VMotion"]);
    assert_eq!(tags(Formatter::Text, "   Tags: \n"), Vec::<String>::new());
    assert!(read_tags(&parse("x", Formatter::Text, "   Other: 1\n").expect("text")).is_err());
}
