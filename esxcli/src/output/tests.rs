//! Tests of the five formats: the documented grammar, and that nothing makes them panic.

use super::{DOCUMENT_BYTES_MAX, ParseOutputError, Record, Value, parse};
use crate::formatter::Formatter;
use proptest::prelude::*;

const FORMATS: [Formatter; 5] =
    [Formatter::Json, Formatter::Xml, Formatter::KeyValue, Formatter::Csv, Formatter::Text];

fn read(format: Formatter, text: &str) -> Value {
    parse("network test list", format, text).unwrap_or_else(|e| panic!("{e}\n{text}"))
}

fn fails(format: Formatter, text: &str) -> ParseOutputError {
    parse("network test list", format, text).expect_err("this is no document")
}

fn records(value: &Value) -> Vec<&Record> {
    value.to_records().expect("records")
}

fn text_of(record: &Record, field: &str) -> String {
    record.get(field).and_then(Value::to_text).unwrap_or_else(|| panic!("no text {field} in {record:?}"))
}

fn list_of(record: &Record, field: &str) -> Vec<String> {
    record.get(field).and_then(Value::to_list).unwrap_or_else(|| panic!("no list {field} in {record:?}"))
}

const XML: &str = r#"<?xml version="1.0" encoding="utf-8"?>
<output xmlns="http://www.vmware.com/Products/ESX/5.0/esxcli">
<root>
   <list type="structure">
      <structure typeName="VirtualSwitch">
         <field name="MTU"><integer>9000</integer></field>
         <field name="Name"><string>lab &amp; &quot;test&quot; &#x41;</string></field>
         <field name="BeaconEnabled"><boolean>false</boolean></field>
         <field name="Uplinks"><list type="string"><string>vmnic0</string><string>vmnic10</string></list></field>
         <field name="Portgroups"><list type="string"></list></field>
      </structure>
   </list>
</root>
</output>
"#;
const JSON: &str = r#"[{"BeaconEnabled": false, "MTU": 9000, "Name": "lab & \"test\" A", "Portgroups": [],
    "Uplinks": ["vmnic0", "vmnic10"]}]"#;
const KEYVALUE: &str = "structure[0].VirtualSwitch.BeaconEnabled.boolean=false
structure[0].VirtualSwitch.MTU.integer=9000
structure[0].VirtualSwitch.Name.string=lab & \"test\" A
structure[0].VirtualSwitch.Portgroups.string[] = 
structure[0].VirtualSwitch.Uplinks.string[0].string=vmnic0
structure[0].VirtualSwitch.Uplinks.string[1].string=vmnic10
";
const CSV: &str = "BeaconEnabled,MTU,Name,Portgroups,Uplinks,\r\nfalse,9000,\"lab & \"\"test\"\" A\",,\"vmnic0,vmnic10,\",\r\n";
const TEXT: &str = "lab & \"test\" A
   Name: lab & \"test\" A
   MTU: 9000
   Beacon Enabled: false
   Uplinks: vmnic0, vmnic10
   Portgroups: 
";

#[test]
fn every_format_says_the_same() {
    for (format, text) in FORMATS.into_iter().zip([JSON, XML, KEYVALUE, CSV, TEXT]) {
        let value = read(format, text);
        let [record] = records(&value)[..] else { panic!("one record in {format}") };
        let names: Vec<&str> = record.fields().map(|(name, _)| name).collect();
        assert_eq!(names, ["BeaconEnabled", "MTU", "Name", "Portgroups", "Uplinks"], "{format}");
        assert_eq!(record.get("MTU").and_then(Value::to_int), Some(9000), "{format}");
        assert_eq!(record.get("BeaconEnabled").and_then(Value::to_bool), Some(false), "{format}");
        assert_eq!(text_of(record, "Name"), "lab & \"test\" A", "{format}");
        assert_eq!(list_of(record, "Uplinks"), ["vmnic0", "vmnic10"], "{format}");
        assert_eq!(list_of(record, "Portgroups"), Vec::<String>::new(), "{format}");
    }
}

#[test]
fn xml_empty_lists_come_in_every_form() {
    for field in [
        "",
        "<field name=\"Uplinks\"/>",
        "<field name=\"Uplinks\"></field>",
        "<field name=\"Uplinks\"><list type=\"string\"/></field>",
        "<field name=\"Uplinks\">\n<list type=\"string\">\n</list>\n</field>",
        "<field name=\"Uplinks\"><string></string></field>",
        "<field name=\"Uplinks\"><string/></field>",
    ] {
        let text = format!(
            "<output><root><structure typeName=\"T\">{field}<field name=\"Name\"><string>v</string></field></structure></root></output>"
        );
        let value = read(Formatter::Xml, &text);
        let record = records(&value)[0];
        assert_eq!(record.heading(), Some("T"));
        let list = record.get("Uplinks").map_or(Some(Vec::new()), Value::to_list);
        assert_eq!(list, Some(Vec::new()), "{field}");
    }
    for root in ["<root/>", "<root></root>", "<root>\n <list type=\"structure\"/>\n</root>"] {
        assert_eq!(read(Formatter::Xml, &format!("<output>{root}</output>")), Value::List(vec![]), "{root}");
    }
}

#[test]
fn xml_takes_prefixes_scalars_cdata_nesting_and_leading_blanks() {
    let text = "\n  <?xml version=\"1.0\"?>\n<e:output xmlns:e=\"urn:x\"><e:root><e:structure typeName=\"N\"><e:field name=\"DriverInfo\">\
        <e:structure typeName=\"D\"><e:field name=\"Driver\"><e:string><![CDATA[a<b]]></e:string></e:field></e:structure></e:field>\
        <e:field name=\"Count\"><e:long>7</e:long></e:field></e:structure></e:root></e:output>";
    let value = read(Formatter::Xml, text);
    let driver = records(&value)[0].get("DriverInfo").and_then(Value::to_records).expect("nested");
    assert_eq!(text_of(driver[0], "Driver"), "a<b");
    assert_eq!(records(&value)[0].get("Count").and_then(Value::to_int), Some(7));
    let scalar = read(Formatter::Xml, "<output><root><string>42</string></root></output>");
    assert_eq!(scalar.to_int(), Some(42));
}

#[test]
fn xml_refuses_what_is_no_document() {
    for (text, part) in [
        ("<output><root><list>", "not closed"),
        ("<output><root></list></root></output>", "list"),
        ("<!DOCTYPE x [<!ENTITY a \"b\">]><output><root/></output>", "document type"),
        ("<output><root><string>&boom;</string></root></output>", "&boom;"),
        ("<html><body/></html>", "html"),
        ("Error: no", "no `root`"),
        ("", "nothing was printed"),
    ] {
        let error = fails(Formatter::Xml, text);
        assert!(error.problem.contains(part), "{text}: {error}");
        assert!(error.to_string().contains("network test list"), "{error}");
    }
    let deep = format!("<output><root>{}{}</root></output>", "<list>".repeat(4000), "</list>".repeat(4000));
    assert!(fails(Formatter::Xml, &deep).problem.contains("nested deeper"));
    let third = "<output>\n<root>\n<string>&oops;</string>\n</root></output>";
    assert_eq!(fails(Formatter::Xml, third).line, 3);
}

#[test]
fn json_keeps_types_and_reads_hex_counters() {
    let value = read(
        Formatter::Json,
        r#"{"Path": "\/vmfs\/devices", "Big": "0x52c46fc1aabbccdd", "Huge": 18446744073709551615, "Flag": "True", "Nothing": null}"#,
    );
    let record = records(&value)[0];
    assert_eq!(text_of(record, "Path"), "/vmfs/devices");
    assert_eq!(record.get("Big").and_then(Value::to_int), Some(0x52c4_6fc1_aabb_ccdd));
    assert_eq!(record.get("Huge").and_then(Value::to_int), Some(i128::from(u64::MAX)));
    assert_eq!(record.get("Flag").and_then(Value::to_bool), Some(true));
    assert_eq!(text_of(record, "Nothing"), "");
    assert_eq!(read(Formatter::Json, "[]"), Value::List(vec![]));
    assert_eq!(read(Formatter::Json, "\"uuid\"").to_text().as_deref(), Some("uuid"));
    assert_eq!(fails(Formatter::Json, "[{\"a\": 1},\n oops]").line, 2);
    let deep = format!("{}{}", "[".repeat(100), "]".repeat(100));
    assert!(fails(Formatter::Json, &deep).problem.contains("nested deeper"));
}

#[test]
fn keyvalue_reads_single_records_nesting_and_lists_of_structures() {
    for prefix in ["NICInfo.", "structure.NICInfo.", "structure[0].NICInfo."] {
        let text = format!(
            "{prefix}Name.string=vmnic0\n{prefix}PauseRX.boolean=true\n{prefix}DriverInfo.NICDriverInfo.Driver.string=ixgben\n\
             {prefix}Wakeon.string[0].string=a=b, c\n{prefix}SupportedPorts.string[] = \n{prefix}CableType.string=\n"
        );
        let value = read(Formatter::KeyValue, &text);
        let record = records(&value)[0];
        assert_eq!(text_of(record, "Name"), "vmnic0", "{prefix}");
        assert_eq!(record.get("PauseRX"), Some(&Value::Bool(true)));
        let driver = record.get("DriverInfo").and_then(Value::to_records).expect("nested");
        assert_eq!(text_of(driver[0], "Driver"), "ixgben");
        assert_eq!(list_of(record, "Wakeon"), ["a=b, c"]);
        assert_eq!(list_of(record, "SupportedPorts"), Vec::<String>::new());
        assert_eq!(text_of(record, "CableType"), "");
    }
    let dvs = "structure[0].VDS.DVPort.structure[0].DVPort.PortID.string=0\nstructure[0].VDS.DVPort.structure[10].DVPort.PortID.string=10\nstructure[0].VDS.DVPort.structure[2].DVPort.PortID.string=2\n";
    let value = read(Formatter::KeyValue, dvs);
    let ports = records(&value)[0].get("DVPort").and_then(Value::to_records).expect("ports");
    let ids: Vec<String> = ports.into_iter().map(|port| text_of(port, "PortID")).collect();
    assert_eq!(ids, ["0", "2", "10"], "by number, not by text");
    assert_eq!(read(Formatter::KeyValue, "integer=42825414367\n").to_int(), Some(42_825_414_367));
    let bare = read(Formatter::KeyValue, "DNSServers.string[0].string=10.0.0.1\nEnabled.boolean=true\n");
    assert_eq!(list_of(records(&bare)[0], "DNSServers"), ["10.0.0.1"]);
}

#[test]
fn keyvalue_refuses_contradictions() {
    for (text, line) in [
        ("no equals sign", 1),
        ("A.B.string=1\nA.B.string=2", 2),
        ("A.B.string=1\nA.B.C.D.string=2", 2),
        ("A.B.string[x].string=1", 1),
        ("A.B.string[1.string=1", 1),
        ("A.B.string[0].string=1\nA.B.string=2", 2),
    ] {
        assert_eq!(fails(Formatter::KeyValue, text).line, line, "{text}");
    }
}

#[test]
fn csv_quotes_lists_and_counts_columns() {
    let text = "Name,Networks,NumPorts,WorldID,\n\"VMware, Inc. vm\",\"VM Network,Lab (1),\",2,1734526,\n\n,,0,1,\n\"two\nlines\",,1,2,\n";
    let value = read(Formatter::Csv, text);
    let rows = records(&value);
    assert_eq!(rows.len(), 3);
    assert_eq!(text_of(rows[0], "Name"), "VMware, Inc. vm");
    assert_eq!(list_of(rows[0], "Networks"), ["VM Network", "Lab (1)"]);
    assert_eq!(list_of(rows[1], "Networks"), Vec::<String>::new());
    assert_eq!(text_of(rows[2], "Name"), "two\nlines");
    assert_eq!(records(&read(Formatter::Csv, "A,B,\n")).len(), 0, "header alone");
    assert_eq!(records(&read(Formatter::Csv, "A,B\n1,2\n")).len(), 1, "trailing commas lost");
    assert_eq!(fails(Formatter::Csv, "A,B,\n1,2,3,\n").line, 2);
    assert_eq!(fails(Formatter::Csv, "A,B,\n1,\"2,\n").line, 2);
    assert!(fails(Formatter::Csv, "A,,B,\n1,2,3,\n").problem.contains("no name"));
}

#[test]
fn text_tables_are_cut_at_the_rule() {
    let text = "Name                    Virtual Switch  Active Clients  VLAN ID
----------------------  --------------  --------------  -------
Management Network (1)  vSwitch0                     1       28
a  b                    v                            0        0
                        vSwitch1                     0     4095

Ünïcode, name           vSwitch0                    12        7  ";
    let value = read(Formatter::Text, text);
    let rows = records(&value);
    let names: Vec<String> = rows.iter().map(|row| text_of(row, "Name")).collect();
    assert_eq!(names, ["Management Network (1)", "a  b", "", "Ünïcode, name"]);
    assert_eq!(text_of(rows[2], "VLANID"), "4095");
    assert_eq!(text_of(rows[3], "VirtualSwitch"), "vSwitch0");
}

#[test]
fn text_tables_overflow_to_the_right_and_numbers_to_the_left() {
    let text = "World ID  Name  Speed  Description
--------  ----  -----  -----------
 2100440  WAF   100000  Controller, much longer than its rule: (E810)
2100440  fnOS    1000  shifted by a trimmed blank
21004401  a b  100000  wider number
 2100442  c               0
";
    let value = read(Formatter::Text, text);
    let rows = records(&value);
    assert_eq!(text_of(rows[0], "Speed"), "100000");
    assert_eq!(text_of(rows[0], "Description"), "Controller, much longer than its rule: (E810)");
    assert_eq!(text_of(rows[1], "Name"), "fnOS");
    assert_eq!(text_of(rows[1], "WorldID"), "2100440");
    assert_eq!(text_of(rows[2], "Name"), "a b");
    assert_eq!(text_of(rows[2], "Speed"), "100000");
    assert_eq!(text_of(rows[3], "Speed"), "");
    assert_eq!(records(&read(Formatter::Text, "Name  Enabled\n----  -------\n")).len(), 0);
    let torn = "Name  State  Type\n----  -----  ----\na very long name without a type\n";
    assert_eq!(fails(Formatter::Text, torn).line, 3, "a guess would be wrong");
}

#[test]
fn text_records_nest_and_repeat() {
    let text = "VDS: Prod
   Name: VDS: Prod
   Uplinks: 
   DVPort: 
         Client: 
         In Use: false
         Port ID: 0
      
         Client: vmk1
         In Use: true
         Port ID: 1
   MTU: 1500

VDS-2
   Name: VDS-2
   Uplinks: vmnic4
   DVPort:
         Client:
         In Use: false
         Port ID: 9
";
    for text in [text.to_owned(), text.replace("      \n", "\n"), text.replace("   ", " ")] {
        let value = read(Formatter::Text, &text);
        let rows = records(&value);
        assert_eq!(rows.len(), 2, "{text}");
        assert_eq!(rows[0].heading(), Some("VDS: Prod"));
        assert_eq!(text_of(rows[0], "MTU"), "1500");
        let ports = rows[0].get("DVPort").and_then(Value::to_records).expect("ports");
        assert_eq!(ports.len(), 2);
        assert_eq!(text_of(ports[1], "Client"), "vmk1");
        assert_eq!(rows[1].get("DVPort").and_then(Value::to_records).map(|p| p.len()), Some(1));
    }
}

#[test]
fn text_records_without_a_name_line() {
    let two = "   Port ID: 1\n   vSwitch: vSwitch0\n   Active Filters: \n\n   Port ID: 2\n   vSwitch: v2\n   Active Filters:\n";
    for text in [two.to_owned(), two.trim().to_owned(), two.replace("\n\n", "\n"), two.replace("   ", "")] {
        let value = read(Formatter::Text, &text);
        let ids: Vec<String> = records(&value).iter().map(|row| text_of(row, "PortID")).collect();
        assert_eq!(ids, ["1", "2"], "{text}");
        assert_eq!(records(&value)[0].heading(), None);
    }
    let titled =
        read(Formatter::Text, "Platform Information\n   UUID: 0xff 0x0\n   Vendor Name: VMware, Inc.\n");
    assert_eq!(records(&titled)[0].heading(), Some("Platform Information"));
    assert_eq!(text_of(records(&titled)[0], "VendorName"), "VMware, Inc.");
}

#[test]
fn text_prose_and_scalars() {
    let prose = "(Updated) ESXi\n   Name: ESXi\n   Description: \n\n      Updates the following: things\n      and more\n\n   VIBs: a, b\n";
    let value = read(Formatter::Text, prose);
    assert_eq!(records(&value).len(), 1);
    assert_eq!(list_of(records(&value)[0], "VIBs"), ["a", "b"]);
    let wrapped = read(Formatter::Text, "   Message: first\n   second line\n   Done: true\n");
    assert_eq!(text_of(records(&wrapped)[0], "Message"), "first\nsecond line");
    assert_eq!(read(Formatter::Text, "42825414367\n").to_int(), Some(42_825_414_367));
    assert_eq!(
        read(Formatter::Text, "    0    true  00000:075:17.0  1\n    1    true  x  2\n")
            .to_list()
            .map(|l| l.len()),
        Some(2)
    );
    assert_eq!(read(Formatter::Text, "\n"), Value::List(vec![]));
    let units =
        read(Formatter::Text, "   Average Bandwidth: -1 Kbps\n   Physical Memory: 68363186176 Bytes\n");
    assert_eq!(records(&units)[0].get("AverageBandwidth").and_then(Value::to_int), Some(-1));
}

#[test]
fn limits_are_kept() {
    let big = "a".repeat(DOCUMENT_BYTES_MAX + 1);
    for format in FORMATS {
        assert!(fails(format, &big).problem.contains("bytes"), "{format}");
    }
    let deep: String = (0..200).map(|i| format!("{}L{i}:\n", " ".repeat(i))).collect();
    assert!(fails(Formatter::Text, &deep).problem.contains("nested deeper"));
    let path = format!("{}string=1", "A.B.".repeat(400));
    assert!(fails(Formatter::KeyValue, &path).problem.contains("nested deeper"));
}

fn try_all(text: &str) {
    for format in FORMATS {
        if let Ok(value) = parse("network test list", format, text) {
            let _ = (value.to_records(), value.to_list(), value.to_int(), value.to_bool(), value.to_text());
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn arbitrary_bytes_never_panic(bytes in proptest::collection::vec(any::<u8>(), 0..400)) {
        try_all(&String::from_utf8_lossy(&bytes));
    }

    #[test]
    fn near_documents_never_panic(text in "([ \\-\\.:,=\"<>/\\[\\]{}0-9a-dNü\n]|   |: |--|  |</|<a>|\\[0\\]|\n\n){0,80}") {
        try_all(&text);
    }

    #[test]
    fn damaged_documents_never_panic(which in 0_usize..5, cut in 0_usize..900, put in any::<char>()) {
        let text = [JSON, XML, KEYVALUE, CSV, TEXT][which];
        let at = (0..=cut.min(text.len())).rev().find(|at| text.is_char_boundary(*at)).unwrap_or(0);
        try_all(&text[..at]);
        try_all(&format!("{}{put}{}", &text[..at], &text[at..]));
    }

    #[test]
    fn strings_survive_the_typed_formats(name in "[ -~ü]{0,30}") {
        let json = serde_json::json!([{ "Name": name }]).to_string();
        let xml_text: String = name.chars().map(|c| format!("&#{};", u32::from(c))).collect();
        let xml = format!("<output><root><structure><field name=\"Name\"><string>{xml_text}</string></field></structure></root></output>");
        let keyvalue = format!("structure[0].T.Name.string={name}\n");
        for (format, text) in [(Formatter::Json, json), (Formatter::Xml, xml), (Formatter::KeyValue, keyvalue)] {
            let value = read(format, &text);
            prop_assert_eq!(records(&value)[0].get("Name"), Some(&Value::Str(name.clone())), "{}", format);
        }
    }
}
