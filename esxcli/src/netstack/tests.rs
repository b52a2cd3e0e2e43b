//! Tests of netstack records.

use super::{DnsSearchRecord, DnsServersRecord, NeighborRecord, NetstackRecord, RouteRecord};
use crate::formatter::Formatter;
use crate::output::parse;
use crate::records::{FromRecord, RecordError, read_list, read_one};

fn value(format: Formatter, text: &str) -> crate::Value {
    parse("x", format, text).expect("a document")
}

fn dns(text: &str) -> Result<DnsServersRecord, RecordError> {
    read_one("x", &value(Formatter::Text, text))
}

#[test]
fn stacks_and_routes() {
    let text = "defaultTcpipStack\n   Key: defaultTcpipStack\n   Name: defaultTcpipStack\n   State: 4660\n\nvmotion\n   Key: vmotion\n   Name: vmotion\n   State: 4660\n";
    let rows: Vec<NetstackRecord> = read_list("x", &value(Formatter::Text, text)).expect("records");
    assert_eq!(rows.iter().map(|r| r.key.as_str()).collect::<Vec<_>>(), ["defaultTcpipStack", "vmotion"]);
    let routes = "Gateway,Interface,Netmask,Network,Source,\n10.0.0.1,vmk0,0.0.0.0,default,MANUAL,\n0.0.0.0,vmk0,255.255.255.0,10.0.0.0,DHCP,\n";
    let rows: Vec<RouteRecord> = read_list("x", &value(Formatter::Csv, routes)).expect("records");
    assert_eq!((rows[0].network.as_str(), rows[0].gateway.as_deref()), ("default", Some("10.0.0.1")));
    assert_eq!((rows[1].gateway.as_deref(), rows[1].source.as_deref()), (None, Some("DHCP")));
}

#[test]
fn dns_lists_may_be_empty_but_not_absent() {
    assert_eq!(
        dns("   DNSServers: 10.0.0.53, 2001:db8::53\n").expect("dns").servers,
        ["10.0.0.53", "2001:db8::53"]
    );
    assert_eq!(dns("   DNSServers: \n").expect("dns").servers, Vec::<String>::new());
    assert!(dns("   Nothing: 1\n").is_err());
    let search: DnsSearchRecord =
        read_one("x", &value(Formatter::Text, "   DNSSearch Domains: lab.example, example\n")).expect("dns");
    assert_eq!(search.domains, ["lab.example", "example"]);
    let json: DnsSearchRecord =
        read_one("x", &value(Formatter::Json, r#"{"DNSSearchDomains": []}"#)).expect("dns");
    assert_eq!(json.domains, Vec::<String>::new());
}

#[test]
fn neighbours_without_type() {
    let text = "Neighbor                   Mac Address        Vmknic    Expiry  State    
-------------------------  -----------------  ------  --------  ---------
172.16.0.2                 00:1f:ca:88:96:8c  vmk0    1139 sec           
fe80::6e62:6dff:fea3:2ec2  6c:62:6d:a3:2e:c2  vmk0       0 sec  Reachable
";
    let value = value(Formatter::Text, text);
    let rows = value.to_records().expect("records");
    let first = NeighborRecord::from_record(crate::records::Fields::new("x", rows[0])).expect("a record");
    assert_eq!((first.neighbor.as_str(), first.vmk.as_str(), first.kind), ("172.16.0.2", "vmk0", None));
}
