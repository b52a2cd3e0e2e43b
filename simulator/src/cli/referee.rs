//! Recorded outputs as referees: a host is built from the values of a recording, the command is run, and its text
//! must be the recording. Recordings are not in the repository: `POINTSMAN_FIXTURES` names their folder.

use super::args::{Kind, Opt, parse};
use super::table::{Action, Command};
use super::usage;
use super::value::Document;
use crate::host::{Facts, Host, Release, Vm};
use crate::network::{
    AddressMode, Cdp, Ipv4, Ipv6, Netstack, Network, Nic, NicSpeed, PortGroup, Route, RouteTarget, Security,
    Subnet, Vmk, Vswitch,
};
use std::collections::BTreeMap;
use std::path::PathBuf;

/// Lines whose numbers the simulator computes in its own way.
const COMPUTED: [&str; 3] = ["   Num Ports: ", "   Used Ports: ", "   Port ID: "];

/// Recordings whose columns were edited by whoever published them: only their words are compared.
const EDITED: [&str; 2] =
    ["network-ip-interface-ipv4-get.txt", "network-vswitch-standard-portgroup-list.txt.5"];

fn folder() -> PathBuf {
    let default = || PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../shared/fixtures/esxcli");
    std::env::var_os("POINTSMAN_FIXTURES").map_or_else(default, PathBuf::from)
}

/// The recordings whose names begin with `base`, by name.
fn recordings(base: &str) -> Vec<(String, String)> {
    let Ok(entries) = std::fs::read_dir(folder()) else {
        println!("skipped: no recordings of {base} (set POINTSMAN_FIXTURES)");
        return Vec::new();
    };
    let names = entries.filter_map(Result::ok).map(|entry| entry.file_name().to_string_lossy().into_owned());
    let mut names: Vec<String> =
        names.filter(|name| name == base || name.starts_with(&format!("{base}."))).collect();
    names.sort();
    let read = |name: String| std::fs::read_to_string(folder().join(&name)).map(|text| (name, text)).ok();
    names.into_iter().filter_map(read).collect()
}

fn facts(version: &str) -> Facts {
    Facts { version: version.into(), ..Facts::default() }
}

fn host(version: &str, network: Network) -> Host {
    let mut host = Host::new(facts(version), network);
    host.running.netstacks.entry("defaultTcpipStack".into()).or_default();
    host
}

fn normal(text: &str, edited: bool) -> String {
    let line = |line: &str| {
        let line = COMPUTED.iter().find(|start| line.starts_with(**start)).map_or(line, |start| *start);
        if edited {
            line.replace('-', " ").split_whitespace().collect::<Vec<_>>().join(" ")
        } else {
            line.trim_end().into()
        }
    };
    text.lines().map(line).collect::<Vec<String>>().join("\n").trim_end().to_owned()
}

fn same(name: &str, host: &mut Host, command: &str, recorded: &str) {
    let output = host.run(&command.split(' ').collect::<Vec<_>>());
    let edited = EDITED.contains(&name);
    assert_eq!(normal(&output.stdout, edited), normal(recorded, edited), "{name}");
}

/// Cells of a recorded table, by header label; columns are where the rule has them.
fn table(text: &str) -> Vec<BTreeMap<String, String>> {
    let mut lines = text.lines();
    let (Some(header), Some(rule)) = (lines.next(), lines.next()) else { return Vec::new() };
    let mut starts: Vec<usize> = vec![0];
    starts.extend(rule.match_indices("  ").map(|(at, _)| at + 2));
    let cell = |line: &str, column: usize| {
        let chars: Vec<char> = line.chars().collect();
        let end = starts.get(column + 1).copied().unwrap_or(chars.len()).min(chars.len());
        let start = starts[column].min(end);
        chars[start..end].iter().collect::<String>().trim().to_owned()
    };
    let row =
        |line: &str| (0..starts.len()).map(|column| (cell(header, column), cell(line, column))).collect();
    lines.filter(|line| !line.is_empty()).map(row).collect()
}

/// Fields of recorded blocks, by label.
fn blocks(text: &str) -> Vec<BTreeMap<String, String>> {
    let fields = |block: &str| {
        let lines = block.lines().filter_map(|line| line.strip_prefix("   "));
        lines
            .filter_map(|line| line.split_once(':'))
            .map(|(k, v)| (k.to_owned(), v.trim().to_owned()))
            .collect()
    };
    text.split("\n\n").map(fields).collect()
}

fn list(text: &str) -> Vec<String> {
    text.split(", ").filter(|name| !name.is_empty()).map(str::to_owned).collect()
}

fn closed_switch() -> Vswitch {
    Vswitch::new(Security { promiscuous: false, mac_change: false, forged: false })
}

#[test]
fn switch_lists_are_the_recorded_ones() {
    for (name, text) in recordings("network-vswitch-standard-list.txt") {
        let mut network = Network::default();
        for block in blocks(&text) {
            let mut switch = closed_switch();
            switch.ports = block["Configured Ports"].parse().unwrap();
            switch.mtu = block["MTU"].parse().unwrap();
            switch.cdp = Cdp::from_word(&block["CDP Status"]).unwrap();
            switch.uplinks = list(&block["Uplinks"]);
            for group in list(&block["Portgroups"]).iter().rev() {
                network.port_groups.push(PortGroup::new(group, &block["Name"], 0));
            }
            network.vswitches.insert(block["Name"].clone(), switch);
        }
        same(&name, &mut host("8.0.3", network), "network vswitch standard list", &text);
    }
}

#[test]
fn port_group_lists_are_the_recorded_ones() {
    for (name, text) in recordings("network-vswitch-standard-portgroup-list.txt") {
        let mut network = Network::default();
        let mut networks = Vec::new();
        for row in table(&text) {
            network.port_groups.push(PortGroup::new(
                &row["Name"],
                &row["Virtual Switch"],
                row["VLAN ID"].parse().unwrap(),
            ));
            networks.extend(vec![row["Name"].clone(); row["Active Clients"].parse().unwrap()]);
        }
        let mut host = host("8.0.3", network);
        host.vms.push(Vm { name: "all".into(), world_id: 1, networks });
        same(&name, &mut host, "network vswitch standard portgroup list", &text);
    }
}

/// A NIC from its recorded fields; `field` answers them by machine name.
fn nic(network: &mut Network, field: &dyn Fn(&str) -> String) {
    let up = field("LinkStatus").starts_with("Up");
    let speed: u32 = field("Speed").parse().unwrap();
    let mut nic = Nic::new(&field("Driver"), &field("PCIDevice"), &field("MACAddress"), speed);
    nic.description = field("Description");
    nic.link_up = up;
    nic.admin_up = field("AdminStatus") == "Up";
    nic.speed = NicSpeed::Auto;
    let mut switch = closed_switch();
    switch.mtu = field("MTU").parse().unwrap();
    switch.uplinks = vec![field("Name")];
    network.vswitches.insert(format!("of-{}", field("Name")), switch);
    network.nics.insert(field("Name"), nic);
}

#[test]
fn nic_tables_are_the_recorded_ones() {
    for (name, text) in recordings("network-nic-list.txt") {
        let mut network = Network::default();
        for row in table(&text) {
            let label =
                |name: &str| row.keys().find(|label| super::value::machine_name(label) == name).cloned();
            nic(&mut network, &|field| label(field).map(|label| row[&label].clone()).unwrap_or_default());
        }
        let narrow = text.lines().nth(1).is_some_and(|rule| rule.ends_with("  -----------"));
        same(&name, &mut host(if narrow { "8.0.3" } else { "6.7.0" }, network), "network nic list", &text);
    }
}

#[test]
fn nic_xml_and_keyvalue_are_the_recorded_ones() {
    for (name, text) in recordings("network-nic-list.keyvalue") {
        let mut nics: BTreeMap<usize, BTreeMap<String, String>> = BTreeMap::new();
        for line in text.lines() {
            let (path, value) = line.split_once('=').unwrap();
            let parts: Vec<&str> = path.split(['[', ']', '.']).collect();
            nics.entry(parts[1].parse().unwrap()).or_default().insert(parts[4].into(), value.into());
        }
        let mut network = Network::default();
        nics.values().for_each(|fields| nic(&mut network, &|field| fields[field].clone()));
        same(&name, &mut host("8.0.3", network), "--formatter=keyvalue network nic list", &text);
    }
    for (name, text) in recordings("network-nic-list.xml") {
        let mut network = Network::default();
        for structure in text.split("<structure typeName=\"Nic\">").skip(1) {
            let between = |text: &str, start: &str, end: &str| {
                text.split_once(start)
                    .and_then(|(_, rest)| rest.split_once(end))
                    .map(|(found, _)| found.to_owned())
            };
            let field = |name: &str| {
                let inner = between(structure, &format!("<field name=\"{name}\">"), "</field>").unwrap();
                between(&inner, ">", "</").unwrap()
            };
            nic(&mut network, &field);
        }
        same(&name, &mut host("8.0.3", network), "--formatter=xml network nic list", &text);
    }
}

fn vmk(group: &str, ipv4: Ipv4) -> Vmk {
    Vmk {
        port_group: Some(group.into()),
        dvs: None,
        netstack: "defaultTcpipStack".into(),
        mtu: 1500,
        mac: "00:50:56:00:00:01".into(),
        enabled: true,
        ipv4,
        ipv6: Ipv6::default(),
        tags: Vec::new(),
    }
}

#[test]
fn adapter_lists_are_the_recorded_ones() {
    for (name, text) in recordings("network-ip-interface-list.txt") {
        let mut network = Network::default();
        for block in blocks(&text) {
            let mut vmk = vmk(&block["Portgroup"], Ipv4::NONE);
            vmk.mac.clone_from(&block["MAC Address"]);
            network.port_groups.push(PortGroup::new(&block["Portgroup"], &block["Portset"], 0));
            network.vmks.insert(block["Name"].clone(), vmk);
        }
        let version = if text.contains("Netstack Instance") { "8.0.3" } else { "5.0.0" };
        same(&name, &mut host(version, network), "network ip interface list", &text);
    }
}

#[test]
fn ipv4_tables_are_the_recorded_ones() {
    for (name, text) in recordings("network-ip-interface-ipv4-get.txt") {
        let mut network = Network::default();
        for row in table(&text) {
            let gateway = row.get("Gateway").map(|gateway| gateway.parse().unwrap());
            let mut ipv4 = Ipv4::fixed(
                row["IPv4 Address"].parse().unwrap(),
                row["IPv4 Netmask"].parse().unwrap(),
                gateway,
            );
            if row["Address Type"] == "DHCP" {
                ipv4.mode = AddressMode::Dhcp;
            }
            network.vmks.insert(row["Name"].clone(), vmk("x", ipv4));
        }
        let version = if text.contains("Gateway") { "8.0.3" } else { "6.0.0" };
        same(&name, &mut host(version, network), "network ip interface ipv4 get", &text);
    }
}

#[test]
fn route_tables_are_the_recorded_ones() {
    for (name, text) in recordings("network-ip-route-ipv4-list.txt") {
        let mut network = Network::default();
        let mut stack = Netstack::default();
        for row in table(&text) {
            let gateway: std::net::Ipv4Addr = row["Gateway"].parse().unwrap();
            if row["Network"] == "default" {
                stack.routes.push(Route { target: RouteTarget::Default, gateway });
                continue;
            }
            let mask = row["Netmask"].parse().unwrap();
            let subnet = Subnet::from_netmask(row["Network"].parse().unwrap(), mask).unwrap();
            network.vmks.insert(row["Interface"].clone(), vmk("x", Ipv4::fixed(subnet.host(9), mask, None)));
        }
        network.netstacks.insert("defaultTcpipStack".into(), stack);
        same(&name, &mut host("8.0.3", network), "network ip route ipv4 list", &text);
    }
}

#[test]
fn machine_lists_are_the_recorded_ones() {
    for (name, text) in recordings("network-vm-list.txt") {
        let mut host = host("8.0.3", Network::default());
        if !text.lines().nth(1).is_some_and(|rule| rule.ends_with("  --------")) {
            host.facts = facts("6.7.0");
        }
        for row in table(&text) {
            let world_id = row["World ID"].parse().unwrap();
            host.vms.push(Vm { name: row["Name"].clone(), world_id, networks: list(&row["Networks"]) });
        }
        same(&name, &mut host, "network vm list", &text);
    }
    for (name, text) in recordings("network-vm-list.csv") {
        let mut host = host("6.7.0", Network::default());
        for line in text.lines().skip(1) {
            let (vm, rest) = line.split_once(",\"").unwrap();
            let (networks, rest) = rest.split_once(",\",").unwrap();
            let world_id = rest.split(',').nth(1).unwrap().parse().unwrap();
            host.vms.push(Vm {
                name: vm.into(),
                world_id,
                networks: networks.split(',').map(str::to_owned).collect(),
            });
        }
        same(&name, &mut host, "--formatter csv network vm list", &text);
    }
}

#[test]
fn small_records_are_the_recorded_ones() {
    for (name, text) in recordings("network-ip-netstack-list.txt") {
        same(&name, &mut host("8.0.3", Network::default()), "network ip netstack list", &text);
    }
    for (name, text) in recordings("system-hostname-get.txt") {
        let network = Network { hostname: blocks(&text)[0]["Host Name"].clone(), ..Network::default() };
        same(&name, &mut host("9.0.0", network), "system hostname get", &text);
    }
    for (name, text) in recordings("system-version-get.txt") {
        let fields = blocks(&text).remove(0);
        let mut host = host(&fields["Version"], Network::default());
        host.facts.build = fields["Build"].trim_start_matches("Releasebuild-").to_owned();
        host.facts.update = fields["Update"].parse().unwrap();
        host.facts.patch = fields["Patch"].parse().unwrap();
        same(&name, &mut host, "system version get", &text);
    }
    for (base, label, command) in [
        ("network-ip-dns-server-list.txt", "DNSServers", "network ip dns server list"),
        ("network-ip-dns-search-list.txt", "DNSSearch Domains", "network ip dns search list"),
    ] {
        for (name, text) in recordings(base) {
            let values = list(&blocks(&text)[0][label]);
            let dns_servers = values.iter().filter_map(|value| value.parse().ok()).collect();
            let stack = Netstack { dns_servers, dns_search: values, ..Netstack::default() };
            let mut network = Network::default();
            network.netstacks.insert("defaultTcpipStack".into(), stack);
            same(&name, &mut host("8.0.3", network), command, &text);
        }
    }
}

#[test]
fn version_json_is_the_recorded_one() {
    for (name, text) in recordings("system-version-get.json") {
        let value: serde_json::Value = serde_json::from_str(&text).unwrap();
        let field = |name: &str| value[name].as_str().unwrap_or_default().to_owned();
        let mut host = host(&field("Version"), Network::default());
        host.facts.build = field("Build").trim_start_matches("Releasebuild-").to_owned();
        (host.facts.update, host.facts.patch) =
            (field("Update").parse().unwrap(), field("Patch").parse().unwrap());
        same(&name, &mut host, "--debug --formatter=json system version get", &text);
    }
}

const fn option(short: char, long: &'static str, kind: Kind, required: bool, help: &'static str) -> Opt {
    Opt { short: Some(short), long, kind, required, help }
}

const PLUGIN_OPTS: &[Opt] = &[
    option('f', "floating", Kind::Bool, false, "Set floating VEB to true or false. (optional)"),
    option('s', "spoofchk", Kind::Bool, false, "Set mac/vlan spoof check to true or false. (optional)"),
    option('t', "trusted", Kind::Bool, true, "Set trusted mode to true or false."),
    option('v', "vfid", Kind::Long, true, "Specifies the VF id for the virtual function."),
    option('n', "vmnic", Kind::Text, true, "Specifies the name for the SRIOV NIC."),
];

const LOOPBACK_OPTS: &[Opt] = &[
    option(
        'l',
        "loopback",
        Kind::Bool,
        true,
        "enable/disable the VMDQ VSIs loopback (1 - enable (default), 0 - disable)",
    ),
    option('n', "vmnic", Kind::Text, true, "Vmnic name to operate on"),
];

fn plugin(path: &'static str, help: &'static str, opts: &'static [Opt]) -> Command {
    Command { path, help, opts, since: Release(5, 0), action: Action::Read(|_, _| Ok(Document::Silent)) }
}

#[test]
fn usage_errors_are_the_recorded_ones() {
    let vf = plugin("intnet sriovnic vf set", "Set SR-IOV virtual function for a NIC", PLUGIN_OPTS);
    let loopback = plugin(
        "intnet misc vmdqlb set",
        "Allow VMDQ VSIs to send loopback traffic on the given PF.",
        LOOPBACK_OPTS,
    );
    let error = |command: &Command, words: &[&str]| {
        usage::error(&parse(command.opts, words).unwrap_err(), &usage::command(command))
    };
    for (name, text) in recordings("PARSE-missing-required-parameter.err") {
        assert_eq!(normal(&error(&vf, &[]), false), normal(&text, false), "{name}");
    }
    for (name, text) in recordings("PARSE-bool-type-mismatch.err") {
        let made = error(&loopback, &["-l", "Falsefff", "-n", "vmnic4"]);
        assert_eq!(normal(&made, false), normal(&text, false), "{name}");
    }
    for (name, text) in recordings("PARSE-invalid-option.err") {
        assert_eq!(error(&vf, &["--test"]).lines().next(), text.lines().next(), "{name}");
    }
    for (name, text) in recordings("network-vswitch-standard-portgroup-set.err") {
        let command = "network vswitch standard portgroup set --portgroup-name=bond0 --vlan-id=LT-3100";
        same(&name, &mut host("8.0.3", Network::default()), command, &text);
    }
    let first = |version: &str, command: &str| {
        let output = host(version, Network::default()).run(&command.split(' ').collect::<Vec<_>>());
        (output.exit_code, output.stdout.lines().next().unwrap_or_default().to_owned())
    };
    let commands = [("8.0.3", "network ip dns server get"), ("5.0.0", "--formatter csv network vm list")];
    for ((name, text), (version, command)) in recordings("PARSE-unknown-command.err").iter().zip(commands) {
        assert_eq!(
            first(version, command),
            (1, text.lines().next().unwrap_or_default().to_owned()),
            "{name}"
        );
    }
    for (name, text) in recordings("HELP-namespace-network-ip.txt") {
        let help = host("8.0.3", Network::default()).run(&["network", "ip"]).stdout;
        for line in text
            .lines()
            .filter(|line| ["Usage", "  dns", "  inter", "  route"].iter().any(|s| line.starts_with(s)))
        {
            assert!(help.contains(line), "{name}: {line}");
        }
    }
}
