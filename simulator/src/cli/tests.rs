//! Whole calls of the simulated program.

use crate::fleet::{FleetRequest, make_host};
use crate::host::{Host, Output};

fn host(version: &str) -> Host {
    make_host(&FleetRequest { count: 1, group: "lab".into(), version: version.into() }, 1)
}

fn call(host: &mut Host, line: &str) -> Output {
    host.run(&line.split(' ').collect::<Vec<_>>())
}

fn ok(host: &mut Host, line: &str) -> String {
    let output = call(host, line);
    assert_eq!((output.exit_code, output.stderr.as_str()), (0, ""), "{line}: {}", output.stdout);
    output.stdout
}

fn refused(host: &mut Host, line: &str) -> String {
    let before = host.clone();
    let output = call(host, line);
    assert_eq!(output.exit_code, 1, "{line}: {}", output.stdout);
    assert_eq!(*host, before, "{line} changed the host");
    output.stdout
}

#[test]
fn changes_are_silent_and_visible() {
    let mut host = host("8.0");
    let lines = [
        "network vswitch standard add -v vSwitch2",
        "network vswitch standard set -v vSwitch2 -m 9000 --cdp-status both",
        "network vswitch standard uplink remove -u vmnic3 -v vSwitch1",
        "network vswitch standard uplink add -u vmnic3 -v vSwitch2",
        "network vswitch standard policy failover set -v vSwitch2 -a vmnic3 -b true -f link -l mac -n false",
        "network vswitch standard portgroup add -p storage -v vSwitch2",
        "network vswitch standard portgroup set -p storage -v 150",
        "network ip netstack add -N storage",
        "network ip interface add -i vmk2 -p storage -m 9000 -N storage",
        "network ip interface ipv4 set -i vmk2 -t static -I 10.150.0.7 -N 255.255.0.0",
        "network ip interface tag add -i vmk2 -t vsan",
        "network ip route ipv4 add -N storage -n default -g 10.150.0.1",
        "network nic set -n vmnic3 -S 1000 -D full",
    ];
    for line in lines {
        assert_eq!(ok(&mut host, line), "", "{line}");
    }
    let policy = ok(&mut host, "network vswitch standard policy failover get -v vSwitch2");
    assert!(
        policy.contains("   Load Balancing: srcmac\n") && policy.contains("   Active Adapters: vmnic3\n")
    );
    assert!(
        ok(&mut host, "network ip route ipv4 list -N storage")
            .contains("default     0.0.0.0      10.150.0.1")
    );
    assert!(ok(&mut host, "network nic list").contains("1000  Full"));
    assert_eq!(ok(&mut host, "network ip interface tag get -i vmk2"), "   Tags: VSAN\n");
    assert!(ok(&mut host, "network ip interface list -N storage").starts_with("vmk2\n   Name: vmk2\n"));
}

#[test]
fn run_time_errors_are_bare_lines_on_standard_output() {
    let mut host = host("8.0");
    assert_eq!(
        refused(&mut host, "network vswitch standard add -v vSwitch0"),
        "A portset with this name already exists\n"
    );
    let xml = "--formatter=xml network ip interface tag remove -i vmk1 -t Management";
    assert_eq!(refused(&mut host, xml), "Vmknic is not tagged with Management\n");
    assert!(
        refused(&mut host, "network vswitch standard portgroup remove -p app-web -v vSwitch1")
            .starts_with("SIMULATOR: ")
    );
}

#[test]
fn usage_errors_begin_with_error_and_carry_help() {
    let mut host = host("8.0");
    let text = refused(&mut host, "network vswitch standard portgroup add");
    assert!(text.starts_with(
        "Error: Missing required parameter -p|--portgroup-name\n       Missing required parameter -v|--vswitch-name\n\nUsage: esxcli network vswitch standard portgroup add [cmd options]\n"
    ));
    let text = refused(&mut host, "network frobnicate list");
    assert!(text.starts_with("Error: Unknown command or namespace network frobnicate list\n"));
    assert!(refused(&mut host, "--frob network nic list").starts_with("Error: Invalid option --frob\n"));
    assert!(
        refused(&mut host, "--screen-width=x network nic list").starts_with("Error: Invalid screen width\n")
    );
}

#[test]
fn json_needs_debug_unless_the_host_is_odd() {
    let mut host = host("8.0");
    let refused = refused(&mut host, "--formatter=json network nic list");
    assert!(refused.starts_with("Error: Unable to find requested formatter: json\n"));
    let json = ok(&mut host, "--debug --formatter json network nic list");
    let parsed: serde_json::Value = serde_json::from_str(&json).unwrap();
    assert_eq!(parsed[0]["PCIDevice"], "0000:18:00.0");
    assert_eq!(parsed[0]["MTU"], 1500);
    host.quirks.json_without_debug = true;
    assert_eq!(ok(&mut host, "--formatter=json network nic list"), json);
    host.quirks.no_json = true;
    assert_eq!(call(&mut host, "--debug --formatter=json network nic list").exit_code, 1);
}

#[test]
fn fields_come_with_their_release() {
    let header = |version: &str, line: &str| {
        ok(&mut host(version), line).lines().next().unwrap_or_default().to_owned()
    };
    assert!(!header("6.7", "--formatter=csv network nic list").contains("DPUId"));
    assert!(header("8.0", "--formatter=csv network nic list").starts_with("AdminStatus,DPUId,Description,"));
    assert!(!header("8.0", "--formatter=csv network ip interface list").contains("URPF"));
    assert!(header("9.0", "--formatter=csv network ip interface list").contains(",URPF,"));
    assert!(ok(&mut host("9.0"), "system version get").contains("   Maintenance: 0\n"));
    assert!(ok(&mut host("6.7"), "network nic list").contains("  ---------------------------------\n"));
}

#[test]
fn a_missing_command_is_unknown_and_not_listed() {
    let mut host = host("8.0");
    assert!(ok(&mut host, "esxcli command list").contains("network.vm "));
    host.quirks.missing_commands = vec!["network vm list".into()];
    assert!(!ok(&mut host, "esxcli command list").contains("network.vm "));
    assert!(
        refused(&mut host, "network vm list")
            .starts_with("Error: Unknown command or namespace network vm list\n")
    );
}

#[test]
fn every_command_has_help_and_machine_output_of_reads_parses() {
    let mut host = host("8.0");
    for command in super::table::all() {
        let help = ok(&mut host, &format!("{} --help", command.path));
        assert!(help.starts_with(&format!("Usage: esxcli {} [cmd options]\n", command.path)));
        let mut letters: Vec<char> = command.opts.iter().filter_map(|opt| opt.short).collect();
        letters.sort_unstable();
        letters.dedup();
        assert_eq!(letters.len(), command.opts.len(), "{}: a letter is used twice", command.path);
        let required = command.opts.iter().any(|opt| opt.required);
        if !required && matches!(command.action, super::table::Action::Read(_)) {
            let json = ok(&mut host, &format!("--debug --formatter=json {}", command.path));
            serde_json::from_str::<serde_json::Value>(&json).unwrap();
            assert!(
                ok(&mut host, &format!("--formatter=xml {}", command.path)).ends_with("</root>\n</output>\n")
            );
            let csv = ok(&mut host, &format!("--formatter=csv {}", command.path));
            assert!(csv.lines().all(|line| line.ends_with(',')), "{csv}");
            ok(&mut host, &format!("--formatter=keyvalue {}", command.path));
        }
    }
}

#[test]
fn csv_fields_can_be_picked() {
    let mut host = host("8.0");
    let command = "network vswitch standard portgroup list".split(' ');
    let words = ["--formatter=csv", "--format-param=fields=\"Name,VLAN ID\""];
    let csv = host.run(&words.into_iter().chain(command).collect::<Vec<_>>()).stdout;
    assert!(csv.starts_with("Name,VLANID,\nManagement Network,10,\n"), "{csv}");
}

#[test]
fn empty_lists_are_quiet() {
    let mut host = host("8.0");
    host.vms.clear();
    assert_eq!(ok(&mut host, "network vm list"), "");
    assert_eq!(ok(&mut host, "--debug --formatter=json network vm list"), "[]\n");
    assert!(ok(&mut host, "--formatter=xml network vm list").contains("<list type=\"structure\"></list>"));
}

#[test]
fn namespaces_print_help_and_succeed() {
    let mut host = host("8.0");
    let help = ok(&mut host, "network vswitch standard");
    assert!(help.starts_with(
        "Usage: esxcli network vswitch standard {cmd} [cmd options]\n\nAvailable Namespaces:\n"
    ));
    assert!(help.contains("\nAvailable Commands:\n  list                  List the virtual switches"));
    assert!(host.run::<&str>(&[]).stdout.starts_with("Usage: esxcli [options] {namespace}+"));
}

#[test]
fn dhcp_asks_the_fabric() {
    let mut host = host("8.0");
    ok(&mut host, "network vswitch standard portgroup add -p dhcp -v vSwitch1");
    ok(&mut host, "network ip interface add -p dhcp");
    ok(&mut host, "network ip interface ipv4 set -i vmk2 -t dhcp");
    assert!(
        ok(&mut host, "network ip interface ipv4 get -i vmk2")
            .contains("0.0.0.0       0.0.0.0       0.0.0.0         DHCP")
    );
    ok(&mut host, "network vswitch standard portgroup set -p dhcp -v 50");
    ok(&mut host, "network ip interface ipv4 set -i vmk2 -t dhcp -P true");
    let csv = ok(&mut host, "--formatter=csv network ip interface ipv4 get -i vmk2");
    assert!(csv.contains("DHCP,true,10.50.0.1,10.50."), "{csv}");
    assert!(
        refused(&mut host, "network ip interface ipv4 set -i vmk2 -t dhcp -I 1.2.3.4")
            .starts_with("SIMULATOR: ")
    );
}

#[test]
fn ipv6_addresses_come_and_go() {
    let mut host = host("8.0");
    ok(&mut host, "network ip interface ipv6 address add -i vmk1 -I fd00::7/64");
    assert!(ok(&mut host, "network ip interface ipv6 address list -i vmk1").contains("fd00::7"));
    assert_eq!(
        refused(&mut host, "network ip interface ipv6 address add -i vmk1 -I fd00::7/64"),
        "Already exists\n"
    );
    ok(&mut host, "network ip interface ipv6 address remove -i vmk1 -I fd00::7/64");
    assert_eq!(
        refused(&mut host, "network ip interface ipv6 address remove -i vmk1 -I fd00::7/64"),
        "Not found\n"
    );
}

#[test]
fn ping_tells_what_the_fabric_does() {
    let mut host = host("8.0");
    let lost = |host: &mut Host, line: &str| {
        let json = ok(host, &format!("--debug --formatter=json network diag ping {line}"));
        serde_json::from_str::<serde_json::Value>(&json).unwrap()["Summary"]["PacketLost"].as_i64().unwrap()
    };
    assert_eq!(lost(&mut host, "-H 10.20.3.3 -I vmk1"), 0);
    assert_eq!(lost(&mut host, "-H 10.20.3.3 -I vmk1 -s 8972 -d"), 100);
    ok(&mut host, "network ip interface set -i vmk1 -m 9000");
    assert_eq!(lost(&mut host, "-H 10.20.3.3 -I vmk1 -s 8972 -d"), 100, "the switch still has 1500");
    ok(&mut host, "network vswitch standard set -v vSwitch1 -m 9000");
    assert_eq!(lost(&mut host, "-H 10.20.3.3 -I vmk1 -s 8972 -d"), 0);
}

#[test]
fn writes_are_known_as_writes() {
    assert!(Host::is_write(&["--formatter=xml", "network", "nic", "down", "-n", "vmnic0"]));
    assert!(!Host::is_write(&["network", "nic", "list"]));
    assert!(!Host::is_write(&["network", "nic"]));
    assert!(!Host::is_write(&["--nonsense"]));
}
