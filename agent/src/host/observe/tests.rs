//! The observer against a small host made of files: what is asked again around a change, and what is carried.

use super::*;
use engine::plan::plan;
use model::{
    ChangeId, DesiredNetwork, DesiredPortGroup, Disruption, Generation, HostId, InheritedField, Known,
    Millis, PortGroupName, PortGroupSecurity, Presence, ProbePlan, Setting, ShapingPolicy, VswitchName,
};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

const POLICY: &str = "network vswitch standard policy";
const GROUP_POLICY: &str = "network vswitch standard portgroup policy";
const LISTS: u32 = 7;

/// A host whose esxcli prints the file named like the call.
struct Files {
    dir: tempfile::TempDir,
    observer: Observer,
}

impl Files {
    fn new(more_settings: &str) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let at = dir.path().display();
        let script = format!(
            "#!/bin/sh\ncase \"$*\" in --*) echo 'Error: Unknown option'; exit 1;; esac\n\
             file=\"{at}/$(echo \"$*\" | tr ' ' '-')\"\n[ -f \"$file\" ] && exec cat \"$file\"\n\
             echo \"Error: Unknown command or namespace $*\"; exit 1\n"
        );
        let program = dir.path().join("esxcli");
        std::fs::write(&program, script).unwrap();
        std::fs::set_permissions(&program, std::fs::Permissions::from_mode(0o755)).unwrap();
        let text = format!(
            "host_id = \"esx1\"\nstate_dir = \"state\"\ncoordinators = [\"127.0.0.1:7443\"]\nesxcli = \"{}\"\n\
             max_parallel_reads = 1\n{more_settings}",
            program.display()
        );
        let settings = Settings::parse(Path::new("agent.toml"), &text).unwrap();
        let files = Self { dir, observer: Observer::new(&settings) };
        files.fill();
        files
    }

    fn print(&self, call: &str, text: &str) {
        std::fs::write(self.dir.path().join(call.replace(' ', "-")), text).unwrap();
    }

    fn fill(&self) {
        self.print("system version get", "   Product: VMware ESXi\n   Version: 8.0.3\n   Build: Releasebuild-1\n   Update: 3\n   Patch: 95\n");
        self.print("network vswitch standard list", "vSwitch0\n   Name: vSwitch0\n   Class: cswitch\n   Num Ports: 2560\n   Used Ports: 5\n   MTU: 1500\n   CDP Status: listen\n   Uplinks: vmnic0\n   Portgroups: Management, Storage\n");
        self.print("network vswitch standard portgroup list", "Name        Virtual Switch  Active Clients  VLAN ID\n----------  --------------  --------------  -------\nManagement  vSwitch0                     1        0\nStorage     vSwitch0                     0       42\n");
        self.print("network ip interface list", "vmk0\n   Name: vmk0\n   MAC Address: 00:50:56:00:00:01\n   Enabled: true\n   Portset: vSwitch0\n   Portgroup: Management\n   Netstack Instance: defaultTcpipStack\n   VDS Name: N/A\n   MTU: 1500\n   Port ID: 33554436\n");
        self.print("network ip interface ipv4 get", "Name  IPv4 Address  IPv4 Netmask   IPv4 Broadcast  Address Type  Gateway   DHCP DNS\n----  ------------  -------------  --------------  ------------  --------  --------\nvmk0  10.0.0.11     255.255.255.0  10.0.0.255      STATIC        10.0.0.1     false\n");
        self.print("network nic list", "Name    PCI Device    Driver  Admin Status  Link Status  Speed  Duplex  MAC Address         MTU  Description\n------  ------------  ------  ------------  -----------  -----  ------  -----------------  ----  -----------\nvmnic0  0000:02:00.0  ntg3    Up            Up            1000  Full    20:67:7c:00:00:01  1500  Broadcom\n");
        self.print("network nic get --nic-name=vmnic0", "   Auto Negotiation: true\n   Name: vmnic0\n");
        self.print(
            "network ip netstack list",
            "defaultTcpipStack\n   Key: defaultTcpipStack\n   Name: defaultTcpipStack\n   State: 4660\n",
        );
        self.print("network ip route ipv4 list", "Network   Netmask        Gateway   Interface  Source\n--------  -------------  --------  ---------  ------\ndefault   0.0.0.0        10.0.0.1  vmk0       MANUAL\n");
        self.print("network ip interface tag get --interface-name=vmk0", "   Tags: Management\n");
        self.print("network vm list", "");
        let teaming = "   Load Balancing: srcport\n   Network Failure Detection: link\n   Notify Switches: true\n   Failback: true\n   Active Adapters: vmnic0\n   Standby Adapters: \n   Unused Adapters: \n";
        self.print(&format!("{POLICY} failover get --vswitch-name=vSwitch0"), teaming);
        self.print(&format!("{POLICY} security get --vswitch-name=vSwitch0"), "   Allow Promiscuous: false\n   Allow MAC Address Change: false\n   Allow Forged Transmits: false\n");
        self.shaping("vSwitch0", "false");
        for group in ["Management", "Storage"] {
            self.print(&format!("{GROUP_POLICY} failover get --portgroup-name={group}"), &format!("{teaming}   Override Vswitch Load Balancing: false\n   Override Vswitch Network Failure Detection: false\n   Override Vswitch Notify Switches: false\n   Override Vswitch Failback: false\n   Override Vswitch Uplinks: false\n"));
            self.promiscuous(group, "false");
            self.print(&format!("{GROUP_POLICY} shaping get --portgroup-name={group}"), "   Enabled: false\n   Average Bandwidth: -1 Kbps\n   Peak Bandwidth: -1 Kbps\n   Burst Size: -1 Kib\n   Override Vswitch Enabled: false\n   Override Vswitch Average Bandwidth: false\n   Override Vswitch Peak Bandwidth: false\n   Override Vswitch Burst Size: false\n");
        }
    }

    fn promiscuous(&self, group: &str, own: &str) {
        self.print(&format!("{GROUP_POLICY} security get --portgroup-name={group}"), &format!("   Allow Promiscuous: {own}\n   Allow MAC Address Change: false\n   Allow Forged Transmits: false\n   Override Vswitch Allow Promiscuous: {own}\n   Override Vswitch Allow MAC Address Change: false\n   Override Vswitch Allow Forged Transmits: false\n"));
    }

    fn shaping(&self, vswitch: &str, on: &str) {
        self.print(&format!("{POLICY} shaping get --vswitch-name={vswitch}"), &format!("   Enabled: {on}\n   Average Bandwidth: 1000 Kbps\n   Peak Bandwidth: 2000 Kbps\n   Burst Size: 512 Kib\n"));
    }

    fn look(&mut self, depth: Depth, wall: u64) -> (ObservedNetwork, u32) {
        let (result, calls) = self.observer.observe(depth, &BootId("boot".to_owned()), Wall(wall));
        (result.unwrap(), calls)
    }
}

/// Promiscuous mode on `Storage`, as approved on this picture.
fn order(seen: &ObservedNetwork) -> Box<Order> {
    let security =
        PortGroupSecurity { allow_promiscuous: Some(Setting::Value(true)), ..PortGroupSecurity::default() };
    let group = DesiredPortGroup { security: Some(security), ..DesiredPortGroup::default() };
    let desired = DesiredNetwork {
        port_groups: [(PortGroupName::new("Storage").unwrap(), Presence::Present(group))].into(),
        ..DesiredNetwork::default()
    };
    let planned = plan(&desired, seen);
    assert_eq!((planned.plan.steps.len(), planned.is_refused()), (1, false), "{:?}", planned.findings);
    Box::new(Order {
        host: HostId::new("esx1").unwrap(),
        change: ChangeId::new("change-1").unwrap(),
        generation: Generation(1),
        commit: "c0ffee".to_owned(),
        desired,
        plan_digest: planned.plan.digest,
        disruption_allowed: Disruption::TrafficLoss,
        confirm_timeout: Millis::from_secs(60),
        probes: ProbePlan::default(),
    })
}

fn switch_shaping(seen: &ObservedNetwork) -> Known<ShapingPolicy> {
    seen.vswitches.read().unwrap()[&VswitchName::new("vSwitch0").unwrap()].shaping.clone()
}

fn storage_is_promiscuous(seen: &ObservedNetwork) -> bool {
    let group = &seen.port_groups.read().unwrap()[&PortGroupName::new("Storage").unwrap()];
    matches!(group.security.read().unwrap().allow_promiscuous, InheritedField::Own(true))
}

#[test]
fn an_order_is_planned_from_what_it_touches_and_a_foreign_change_elsewhere_shows_at_the_next_full_reading() {
    let mut host = Files::new("");
    let (first, _) = host.look(Depth::Full, 1);
    let (_, full_calls) = host.look(Depth::Full, 1);
    let order = order(&first);
    host.shaping("vSwitch0", "true");
    let (quick, calls) = host.look(Depth::Order(order.clone()), 2);
    // Touched: the security of Storage; and the way to the coordinator: tag, routes, two failover policies.
    // Beside them, errors of this release are asked about every time.
    assert!(calls < full_calls && calls >= LISTS + 5, "{calls} of {full_calls}");
    assert_eq!(quick.taken_at, Wall(2));
    assert_eq!(switch_shaping(&quick), switch_shaping(&first), "not touched: carried");
    let (full, _) = host.look(Depth::Full, 3);
    assert_ne!(switch_shaping(&full), switch_shaping(&first), "seen at the next full reading");
}

#[test]
fn a_reading_after_the_steps_sees_what_they_touched() {
    let mut host = Files::new("");
    let (first, full_calls) = host.look(Depth::Full, 1);
    let order = order(&first);
    let touched = planning::touched_by_plan(&plan(&order.desired, &first).plan, &first);
    host.promiscuous("Storage", "true");
    let (after, calls) = host.look(Depth::Touched(touched), 2);
    assert!(storage_is_promiscuous(&after) && calls < full_calls);
    let (carried, _) = host.look(Depth::WhenChanged, 3);
    assert!(storage_is_promiscuous(&carried), "a periodic look goes on from the newest reading");
}

#[test]
fn doubt_reads_everything() {
    type Change = fn(&Files);
    let cases: [(&str, Change); 4] = [
        ("the touched object was changed", |host| host.promiscuous("Storage", "true")),
        ("the lists changed", |host| {
            host.print("network vm list", "World ID  Name  Num Ports  Networks\n--------  ----  ---------  --------\n 2270220  web           1  Storage\n")
        }),
        ("the way to the coordinator cannot be read", |host| {
            host.print(&format!("{GROUP_POLICY} failover get --portgroup-name=Management"), "garbage");
        }),
        ("a list cannot be read", |host| {
            std::fs::remove_file(host.dir.path().join("network-vm-list")).unwrap();
        }),
    ];
    for (what, change) in cases {
        let mut host = Files::new("");
        let (first, _) = host.look(Depth::Full, 1);
        let order = order(&first);
        change(&host);
        host.shaping("vSwitch0", "true");
        let (seen, _) = host.look(Depth::Order(order), 2);
        assert_ne!(switch_shaping(&seen), switch_shaping(&first), "{what}");
    }
}

#[test]
fn nothing_is_carried_from_too_long_ago_or_over_a_failed_reading() {
    let mut host = Files::new("");
    let (first, _) = host.look(Depth::Full, 1);
    let order = order(&first);
    host.shaping("vSwitch0", "true");
    if let Some(last) = host.observer.last.as_mut() {
        host.observer.full_period = last.full_at.elapsed();
    }
    let (seen, _) = host.look(Depth::Order(order.clone()), 2);
    assert_ne!(switch_shaping(&seen), switch_shaping(&first), "too old");

    let mut host = Files::new("");
    host.look(Depth::Full, 1);
    host.shaping("vSwitch0", "true");
    let lists = fingerprint_queries().into_iter().map(|query| query.command.path_str().replace(' ', "-"));
    for list in lists {
        std::fs::remove_file(host.dir.path().join(list)).unwrap();
    }
    assert!(host.observer.observe(Depth::Full, &BootId::default(), Wall(2)).0.is_err());
    host.fill();
    host.shaping("vSwitch0", "true");
    let (seen, _) = host.look(Depth::Order(order), 3);
    assert_ne!(switch_shaping(&seen), switch_shaping(&first), "after a failure");
}
