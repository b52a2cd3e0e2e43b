//! The call in every format, and what its output proves.

use super::*;

fn probe(size: Option<u16>) -> Probe {
    Probe {
        name: "gateway of vmk1".to_owned(),
        vmk: VmkName::new("vmk1").unwrap(),
        netstack: NetstackName::new("vmotion").unwrap(),
        target: Ipv4Addr::new(10, 20, 0, 1),
        size,
    }
}

#[test]
fn the_call_has_long_options_only() {
    let argv = |ping: &DiagPing, formatter| ping.argv(formatter).unwrap().join(" ");
    assert_eq!(
        argv(&(&probe(None)).into(), Formatter::Xml),
        "--formatter=xml network diag ping --host=10.20.0.1 --interface=vmk1 --netstack=vmotion --count=2 --wait=1"
    );
    assert_eq!(
        argv(&(&probe(Some(8972))).into(), Formatter::Text),
        "network diag ping --host=10.20.0.1 --interface=vmk1 --netstack=vmotion --count=2 --size=8972 --df --wait=1"
    );
    let many = DiagPing { count: 200, wait: 0, ..(&probe(None)).into() };
    assert!(argv(&many, Formatter::Json).ends_with("--count=10 --wait=1"));
}

const TEXT: &str = "   Trace: 
         Received Bytes: 64
         Host: 10.10.0.1
         ICMP Seq: 0
         TTL: 64
         Round-trip Time: 299 us
         Dup: false
         Detail: 
      
         Received Bytes: 64
         Host: 10.10.0.1
         ICMP Seq: 1
         TTL: 64
         Round-trip Time: 202 us
         Dup: false
         Detail: 
   Summary: 
         Host Addr: 10.10.0.1
         Transmitted: 2
         Recieved: 2
         Duplicated: 0
         Packet Lost: 0
         Round-trip Min: 202 us
         Round-trip Avg: 250 us
         Round-trip Max: 299 us
";
const SILENT_TEXT: &str = "   Trace: 
   Summary: 
         Host Addr: 10.10.0.9
         Transmitted: 2
         Recieved: 0
         Duplicated: 0
         Packet Lost: 100
         Round-trip Min: 0 us
         Round-trip Avg: 0 us
         Round-trip Max: 0 us
";
const TOO_LONG: &str = "   Trace: 
         Received Bytes: 0
         Host: 
         ICMP Seq: 0
         TTL: 0
         Round-trip Time: 0 us
         Dup: false
         Detail: sendto() failed (Message too long)
   Summary: 
         Host Addr: 10.10.0.9
         Transmitted: 1
         Recieved: 0
         Duplicated: 0
         Packet Lost: 100
";
const JSON: &str = r#"{"Summary": {"Duplicated": 0, "HostAddr": "10.10.0.1", "PacketLost": 50, "Recieved": 1,
 "RoundtripAvg": 250, "RoundtripMax": 250, "RoundtripMin": 250, "Transmitted": 2}, "Trace": [{"Detail": "",
 "Dup": false, "Host": "10.10.0.1", "ICMPSeq": 1, "ReceivedBytes": 64, "RoundtripTime": 250, "TTL": 64}]}"#;
const JSON_LIST: &str = r#"[{"Summary": {"PacketLost": 100, "Recieved": 0, "Transmitted": 2}, "Trace": []}]"#;
const XML: &str = r#"<?xml version="1.0" encoding="utf-8"?>
<output xmlns="http://www.vmware.com/Products/ESX/5.0/esxcli"><root><structure typeName="PingResult">
<field name="Summary"><structure typeName="PingSummary">
<field name="PacketLost"><integer>0</integer></field><field name="Recieved"><integer>2</integer></field>
<field name="Transmitted"><integer>2</integer></field></structure></field>
<field name="Trace"><list type="structure"></list></field></structure></root></output>"#;
const KEY_VALUE: &str = "PingResult.Summary.PingSummary.PacketLost.integer=0
PingResult.Summary.PingSummary.Recieved.integer=2
PingResult.Summary.PingSummary.Transmitted.integer=2
PingResult.Trace.structure[0].PingTrace.Detail.string=
PingResult.Trace.structure[0].PingTrace.TTL.integer=64
PingResult.Trace.structure[1].PingTrace.Detail.string=
";

#[test]
fn every_format_reads_alike() {
    let table = [
        (Formatter::Text, TEXT, (2, 2, Some(0))),
        (Formatter::Text, SILENT_TEXT, (2, 0, Some(100))),
        (Formatter::Text, TOO_LONG, (1, 0, Some(100))),
        (Formatter::Json, JSON, (2, 1, Some(50))),
        (Formatter::Json, JSON_LIST, (2, 0, Some(100))),
        (Formatter::Xml, XML, (2, 2, Some(0))),
        (Formatter::KeyValue, KEY_VALUE, (2, 2, Some(0))),
    ];
    for (formatter, stdout, expected) in table {
        let summary = read(formatter, Some(0), stdout, "").unwrap();
        assert_eq!(
            (summary.transmitted, summary.received, summary.lost_percent),
            expected,
            "{formatter}: {stdout}"
        );
    }
}

fn judged(formatter: Formatter, exit_code: Option<i32>, stdout: &str) -> ProbeVerdict {
    verdict(&read(formatter, exit_code, stdout, ""))
}

#[test]
fn any_answer_passes_and_no_answer_fails_whatever_the_exit_status() {
    for code in [0, 1] {
        assert_eq!(judged(Formatter::Text, Some(code), TEXT), ProbeVerdict::Pass);
        assert_eq!(judged(Formatter::Json, Some(code), JSON), ProbeVerdict::Pass, "one of two is enough");
        let failed = judged(Formatter::Text, Some(code), SILENT_TEXT);
        assert_eq!(failed, ProbeVerdict::Fail { detail: "0 of 2 packets answered".to_owned() });
    }
    let long = judged(Formatter::Text, Some(0), TOO_LONG);
    assert!(long.detail().contains("Message too long"), "{long}");
}

#[test]
fn what_cannot_be_told_is_unknown() {
    let cut = &TEXT[..TEXT.find("Transmitted").unwrap()];
    let liar = SILENT_TEXT.replace("Recieved: 0", "Recieved: 2");
    let nothing_lost = SILENT_TEXT.replace("Lost: 100", "Lost: 0");
    let table = [
        (Formatter::Text, Some(0), ""),
        (Formatter::Text, Some(0), cut),
        (Formatter::Text, Some(0), &liar),
        (Formatter::Text, Some(0), &nothing_lost),
        (
            Formatter::Text,
            Some(1),
            "Error: Invalid option --host\n\nUsage: esxcli network diag ping [cmd options]\n",
        ),
        (Formatter::Text, Some(1), "Interface vmk9 does not exist\n"),
        (Formatter::Text, Some(1), "Connect to localhost failed: Connection failure.\n"),
        (Formatter::Text, None, TEXT),
        (Formatter::Json, Some(0), "{}"),
        (Formatter::Json, Some(0), r#"{"Summary": {"Recieved": "many", "Transmitted": 2}}"#),
        (Formatter::Xml, Some(0), "<output>"),
        (Formatter::Csv, Some(0), "Summary,Trace,\n,,\n"),
    ];
    for (formatter, code, stdout) in table {
        let found = judged(formatter, code, stdout);
        assert!(matches!(found, ProbeVerdict::Unknown { .. }), "{formatter} {code:?} {stdout}: {found}");
        assert!(!found.detail().is_empty());
    }
    let not_run = Err(PingError::NotRun { reason: "killed after 5 s".to_owned() });
    assert!(matches!(verdict(&not_run), ProbeVerdict::Unknown { .. }));
}
