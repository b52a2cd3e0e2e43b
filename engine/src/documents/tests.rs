//! Tests of reading and writing documents: places, properties, scaffold.

mod networks;

use super::*;
use proptest::prelude::*;
use rules::*;
use scalar::{Plain, classify};
use yaml::{Kind, parse};

fn rules_of(findings: &[Finding]) -> Vec<(&str, u32, u32)> {
    let place = |f: &Finding| f.span.as_ref().map_or((0, 0), |span| (span.line, span.column));
    findings.iter().map(|f| (f.rule.as_str(), place(f).0, place(f).1)).collect()
}

fn network(text: &str) -> Result<DesiredNetwork, Vec<Finding>> {
    parse_network("n.yaml", text)
}

#[test]
fn columns_count_characters_and_empty_values_have_the_place_of_their_key() {
    let parsed = parse("f", Component::Site, "ä: {ü: 1, ö: }\nb:\n  - [x, \"y\"]\n", 10);
    let root = parsed.root.unwrap();
    let place = |node: &yaml::Node| (node.place.line, node.place.column);
    let first = root.get("ä").unwrap();
    assert_eq!(place(first), (11, 4));
    assert_eq!(place(first.get("ü").unwrap()), (11, 8));
    assert_eq!(place(first.get("ö").unwrap()), (11, 11));
    assert_eq!(place(&root.get("b").unwrap().items()[0].items()[1]), (13, 9));
}

#[test]
fn a_wrong_key_or_value_inside_presence_has_its_own_place() {
    let errors = network("port_groups: {X: {vlan: 5000}}").unwrap_err();
    assert_eq!(rules_of(&errors), [(BAD_VALUE, 1, 25)]);
    let errors = network("port_groups: {X: {vlann: 5}}").unwrap_err();
    assert_eq!(rules_of(&errors), [(UNKNOWN_KEY, 1, 19)]);
    assert!(errors[0].to_string().contains("unknown key `vlann`; did you mean `vlan`? valid keys: vswitch"));
    let errors = network("port_groups:\n  X:\n    vlan: 5\n    vlann: 5\n").unwrap_err();
    assert_eq!(rules_of(&errors), [(UNKNOWN_KEY, 4, 5)]);
    let text = "port_groups:\n  X:\n    security:\n      allow_mac_change: 7\n      allow: no\n";
    let errors = network(text).unwrap_err();
    assert_eq!(rules_of(&errors), [(BAD_VALUE, 4, 25), (UNKNOWN_KEY, 5, 7)]);
}

#[test]
fn plain_scalars_follow_yaml_1_2() {
    assert_eq!(classify("NO"), Plain::Text("NO"));
    assert_eq!(classify("on"), Plain::Text("on"));
    assert_eq!(classify("TRUE"), Plain::Bool(true));
    assert_eq!(classify("~"), Plain::Null);
    assert_eq!(classify("010"), Plain::Unsigned(10));
    assert_eq!(classify("0x1f"), Plain::Unsigned(31));
    assert_eq!(classify("0x+1"), Plain::Text("0x+1"));
    assert_eq!(classify("-7"), Plain::Signed(-7));
    assert_eq!(classify("1e3"), Plain::Float(1000.0));
    assert_eq!(classify("10.0.0.1"), Plain::Text("10.0.0.1"));
    assert_eq!(classify("99999999999999999999"), Plain::Float(1e20));
    assert_eq!(classify("2026-01-01"), Plain::Text("2026-01-01"));
}

#[test]
fn a_plain_number_is_text_where_text_is_expected() {
    let read = network("port_groups: {100: {vswitch: 1.10}}").unwrap();
    let (name, fields) = read.port_groups.first_key_value().unwrap();
    assert_eq!(name.as_str(), "100");
    assert_eq!(fields.present().unwrap().vswitch.as_ref().unwrap().as_str(), "1.10");
}

#[test]
fn many_errors_in_a_large_document_end_in_time() {
    let mut text = String::from("port_groups:\n");
    for at in 0..12_000 {
        text.push_str(&format!("  P{at}: {{v: 1}}\n"));
    }
    let errors = network(&text).unwrap_err();
    assert_eq!(errors.last().unwrap().rule, LIMIT);
    assert!(errors.len() < yaml::DOCUMENT_FINDINGS_MAX + 2, "{}", errors.len());
}

#[test]
fn size_and_number_of_values_are_limited() {
    let comment = format!("# {}\n", "x".repeat(yaml::DOCUMENT_BYTES_MAX));
    assert_eq!(rules_of(&network(&comment).unwrap_err()), [(LIMIT, 1, 1)]);
    let list = format!("dns: [{}]\n", "a,".repeat(50_001));
    let errors = network(&list).unwrap_err();
    assert_eq!(errors[0].message, "the document has more than 50000 values");
}

#[test]
fn nearest_words() {
    assert_eq!(near::nearest("vlann", ["vswitch", "vlan"]), Some("vlan"));
    assert_eq!(near::nearest("lvan", ["vswitch", "vlan"]), Some("vlan"));
    assert_eq!(near::nearest("colour", ["vswitch", "vlan"]), None);
    assert_eq!(near::nearest(&"x".repeat(1000), ["x"]), None);
}

#[test]
fn the_scaffold_reads_without_findings() {
    let mut files = BTreeMap::new();
    for (path, text) in scaffold::repository() {
        files.insert(path, text.into_bytes());
    }
    let (path, text) = scaffold::rfc(RfcId(7), "  Move: vMotion to \"VLAN 20\" # now ", "a, [b]: c");
    assert_eq!(path, "rfcs/0007-move-vmotion-to-vlan-20-now.md");
    files.insert(path, text.into_bytes());
    let repository = parse_repository(&files);
    assert_eq!(repository.findings, []);
    let rfc = &repository.rfcs[&RfcId(7)];
    assert_eq!(rfc.front.title, "Move: vMotion to \"VLAN 20\" # now");
    assert_eq!(rfc.front.authors, ["a, [b]: c"]);
    let (hosts, findings) = crate::resolve::resolve_all(&repository, Some("2026-01-01"));
    assert_eq!(findings, []);
    assert!(hosts.values().all(|host| host.desired.is_some()));
    assert_eq!(scaffold::rfc(RfcId(1), "???", "x").0, "rfcs/0001-change.md");
}

#[test]
fn change_blocks_are_kept_as_text_with_their_line() {
    let text = "---\nrfc: 1\ntitle: t\ntype: normal\nstatus: draft\nauthors: [a]\nreason: \
                1234567890123456789012345678901234567890\n---\nA\n```esxi-change\nset x\ny\n```\n```yaml\nz\n```\n";
    let files = BTreeMap::from([
        ("pointsman.yaml".to_owned(), b"schema: 1".to_vec()),
        ("rfcs/0001-x.md".to_owned(), text.as_bytes().to_vec()),
    ]);
    let repository = parse_repository(&files);
    assert_eq!(repository.findings, []);
    let rfc = &repository.rfcs[&RfcId(1)];
    assert_eq!(rfc.body_line, 9);
    assert_eq!(rfc.blocks, [ChangeBlock { line: 11, text: "set x\ny\n".to_owned() }]);
}

#[test]
fn templates_are_written_with_variables_and_networks_without() {
    let value = serde_json::json!({"vmkernels": {"vmk1": {"mtu": "${role.vmotion.mtu}", "port_group": "a b",
        "services": ["${x}", "VMotion"]}}, "vswitches": {"b": {}, "a": {"uplinks": []}}});
    let text = write::template_yaml(&value);
    let expected = "vswitches:\n  a:\n    uplinks: []\n  b: {}\nvmkernels:\n  vmk1:\n    port_group: a b\n    \
                    mtu: ${role.vmotion.mtu}\n    services: [\"${x}\", VMotion]\n";
    assert_eq!(text, expected);
    let mut network = DesiredNetwork::default();
    let stack = model::DesiredNetstack { dns_search: Some(vec!["${x}".to_owned()]), ..Default::default() };
    network.netstacks.insert(model::NetstackName::default_stack(), model::Presence::Present(stack));
    assert!(write::network_yaml(&network).contains("\"$${x}\""));
}

#[test]
fn rule_ids_are_unique() {
    let ids: BTreeSet<&str> = ALL.iter().map(|(id, _)| *id).collect();
    assert_eq!(ids.len(), ALL.len());
}

fn yaml_like() -> impl Strategy<Value = String> {
    let piece = prop::sample::select(vec![
        "a",
        "vlan",
        "absent: true",
        ": ",
        ":",
        "- ",
        "-",
        "? ",
        "[",
        "]",
        "{",
        "}",
        ",",
        "\n",
        "\n  ",
        "\n    ",
        "\t",
        "&a ",
        "*a",
        "!!str ",
        "!x ",
        "<<",
        "|",
        ">",
        "\n---\n",
        "\n...\n",
        "%YAML 1.2\n",
        "#",
        " #",
        "\"",
        "'",
        "\\",
        "${",
        "}",
        "$${",
        "${host.x}",
        "vswitches:",
        "port_groups:",
        "x: ",
        "@",
        "`",
        "\r",
        "\u{feff}",
        "\u{85}",
        "\u{2028}",
        "\0",
        "é",
        "😀",
        "~",
        "1",
        "hosts",
        "schema: 1\n",
        "```",
        "---\n",
    ]);
    prop::collection::vec(piece, 0..40).prop_map(|pieces| pieces.concat())
}

fn everywhere(bytes: &[u8]) {
    let paths = [
        "pointsman.yaml",
        "groups/g/group.yaml",
        "groups/g/network.yaml",
        "groups/g/hosts/h.yaml",
        "rfcs/0001-x.md",
    ];
    for path in paths {
        let files = BTreeMap::from([(path.to_owned(), bytes.to_vec())]);
        let _ = crate::resolve::resolve_all(&parse_repository(&files), Some("2026-01-01"));
    }
    let all = paths.map(|path| (path.to_owned(), bytes.to_vec()));
    let _ = crate::resolve::resolve_all(&parse_repository(&BTreeMap::from(all)), None);
    let mut front = b"---\n".to_vec();
    front.extend_from_slice(bytes);
    front.extend_from_slice(b"\n---\n");
    let _ = parse_repository(&BTreeMap::from([("rfcs/0001-x.md".to_owned(), front)]));
    let mut files: BTreeMap<String, Vec<u8>> =
        scaffold::repository().into_iter().map(|(path, text)| (path, text.into_bytes())).collect();
    files.insert("groups/example/network.yaml".to_owned(), bytes.to_vec());
    let _ = crate::resolve::resolve_all(&parse_repository(&files), None);
}

fn cases(number: u32) -> ProptestConfig {
    ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(number) }
}

proptest! {
    #![proptest_config(cases(600))]

    #[test]
    fn no_bytes_make_it_panic(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        everywhere(&bytes);
    }

    #[test]
    fn no_text_makes_it_panic(text in "\\PC{0,120}") {
        everywhere(text.as_bytes());
    }

    #[test]
    fn no_yaml_like_text_makes_it_panic(text in yaml_like()) {
        everywhere(text.as_bytes());
    }

    #[test]
    fn every_text_is_written_so_that_it_reads_back(text in any::<String>(), key in any::<String>()) {
        let value = serde_json::json!({ key.clone(): text.clone(), "list": [text.clone()] });
        let written = write::template_yaml(&value);
        let parsed = parse("f", Component::Site, &written, 0);
        prop_assert_eq!(&parsed.findings, &[]);
        let root = parsed.root.unwrap();
        if key != "list" {
            prop_assert_eq!(root.get(&key).and_then(|node| node.scalar()), Some(text.as_str()), "{}", written);
        }
        prop_assert_eq!(root.get("list").unwrap().items()[0].scalar(), Some(text.as_str()), "{}", written);
    }

    #[test]
    fn escaped_text_expands_to_itself(text in "[a${}.]{0,12}") {
        let variables = template::Variables {
            host: "h", host_file: "f", values: None, uplinks: &BTreeMap::new(), roles: None,
        };
        let escaped = template::escape(&text);
        match variables.expand(&escaped) {
            Ok(template::Value::Text(back)) => prop_assert_eq!(back.as_ref(), text.as_str()),
            other => prop_assert!(false, "{:?}", other),
        }
    }

    #[test]
    fn a_written_network_reads_back_equal(network in networks::any_network()) {
        let text = write::network_yaml(&network);
        match parse_network("n.yaml", &text) {
            Ok(back) => prop_assert_eq!(back, network),
            Err(findings) => prop_assert!(false, "{:#?}\n{}", findings, text),
        }
    }
}

#[test]
fn refused_nodes_are_passed_over() {
    let parsed = parse("f", Component::Site, "a: &x 1\nb: *x\n", 0);
    let root = parsed.root.unwrap();
    assert_eq!(root.get("b").unwrap().kind, Kind::Refused);
    assert_eq!(rules_of(&parsed.findings), [(REFUSED_FEATURE, 1, 4), (REFUSED_FEATURE, 2, 4)]);
}
