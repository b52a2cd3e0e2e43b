//! One state of one host, joined for the rules: switches, port groups and adapters by each other, and what they carry.
//!
//! Owns: the join, the traffic of an adapter, cabling. Must not: judge. Everything is borrowed.

use super::answers::{Answers, At};
use model::{
    Component, HostId, Ipv4Cidr, LinkState, ObservedIpv4, ObservedNetwork, ObservedNic, ObservedPortGroup,
    ObservedPortGroupTeaming, ObservedVmk, ObservedVswitch, Plan, PortGroupName, ServiceTag, SiteDocument,
    SiteRole, StorageProtocol, SwitchPort, UplinkOrder, Vlan, VmkAttachment, VmkName, VmnicName, VswitchName,
};
use std::collections::BTreeMap;

/// What an adapter carries, as far as rules tell it apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Traffic {
    Management,
    Vmotion,
    FaultTolerance,
    Vsan,
    Iscsi,
    Nfs,
    Other,
}

impl Traffic {
    pub(super) fn is_storage(self) -> bool {
        matches!(self, Self::Vsan | Self::Iscsi | Self::Nfs)
    }

    pub(super) fn as_str(self) -> &'static str {
        match self {
            Self::Management => "management",
            Self::Vmotion => "vMotion",
            Self::FaultTolerance => "fault tolerance",
            Self::Vsan => "vSAN",
            Self::Iscsi => "iSCSI",
            Self::Nfs => "NFS",
            Self::Other => "another service",
        }
    }
}

pub(super) struct Switch<'a> {
    pub(super) name: &'a VswitchName,
    pub(super) state: &'a ObservedVswitch,
    /// Positions of its port groups.
    groups: Vec<usize>,
}

pub(super) struct Group<'a> {
    pub(super) name: &'a PortGroupName,
    pub(super) state: &'a ObservedPortGroup,
    /// Positions of its adapters.
    vmks: Vec<usize>,
}

pub(super) struct Vmk<'a> {
    pub(super) name: &'a VmkName,
    pub(super) state: &'a ObservedVmk,
    /// Position of its port group.
    group: Option<usize>,
    /// What it carries; none when its services are not known.
    pub(super) traffic: Option<Vec<Traffic>>,
}

/// One state, joined.
pub struct View<'a> {
    pub(super) host: &'a HostId,
    pub(super) site: &'a SiteDocument,
    pub(super) state: &'a ObservedNetwork,
    roles: &'a BTreeMap<String, VmnicName>,
    /// Whether the lists name every object there is.
    whole: bool,
    switches: Option<Vec<Switch<'a>>>,
    groups: Option<Vec<Group<'a>>>,
    vmks: Option<Vec<Vmk<'a>>>,
}

/// The way of one host from one state to the next.
pub struct Delta<'a> {
    pub(super) before: &'a View<'a>,
    pub(super) after: &'a View<'a>,
    pub(super) plan: Option<&'a Plan>,
}

/// Where a view comes from.
#[derive(Clone, Copy)]
pub(super) struct Origin<'a> {
    pub(super) host: &'a HostId,
    pub(super) site: &'a SiteDocument,
    pub(super) roles: &'a BTreeMap<String, VmnicName>,
    pub(super) whole: bool,
}

impl<'a> View<'a> {
    pub(super) fn new(origin: Origin<'a>, state: &'a ObservedNetwork) -> Self {
        let Origin { host, site, roles, whole } = origin;
        let mut groups: Option<Vec<Group<'a>>> = state.port_groups.read().map(|groups| {
            groups.iter().map(|(name, state)| Group { name, state, vmks: Vec::new() }).collect()
        });
        let vmks = state.vmkernels.read().map(|vmks| {
            let join = |(at, (name, vmk)): (usize, (&'a VmkName, &'a ObservedVmk))| {
                let group = match &vmk.attachment {
                    VmkAttachment::PortGroup(on) => {
                        groups.as_ref().and_then(|all| all.binary_search_by(|g| g.name.cmp(on)).ok())
                    }
                    VmkAttachment::Distributed(_) => None,
                };
                let joined = group.and_then(|group| groups.as_mut()?.get_mut(group));
                if let Some(group) = joined {
                    group.vmks.push(at);
                }
                let leads = state.management_vmk.read().and_then(Option::as_ref) == Some(name);
                Vmk { name, state: vmk, group, traffic: traffic(vmk, leads, site) }
            };
            vmks.iter().enumerate().map(join).collect()
        });
        let switches = state.vswitches.read().map(|switches| {
            let of = |name: &VswitchName| match &groups {
                Some(groups) => {
                    let on = groups.iter().enumerate().filter(|(_, group)| group.state.vswitch == *name);
                    on.map(|(at, _)| at).collect()
                }
                None => Vec::new(),
            };
            switches.iter().map(|(name, state)| Switch { name, state, groups: of(name) }).collect()
        });
        Self { host, site, state, roles, whole, switches, groups, vmks }
    }

    /// All switches; noted when they could not be read.
    pub(super) fn switches(&self, answers: &mut Answers) -> &[Switch<'a>] {
        answers.want(self.switches.as_deref(), "standard switches").unwrap_or_default()
    }

    /// All port groups; noted when they could not be read.
    pub(super) fn groups(&self, answers: &mut Answers) -> &[Group<'a>] {
        answers.want(self.groups.as_deref(), "port groups").unwrap_or_default()
    }

    /// All adapters; noted when they could not be read.
    pub(super) fn vmks(&self, answers: &mut Answers) -> &[Vmk<'a>] {
        answers.want(self.vmks.as_deref(), "VMkernel adapters").unwrap_or_default()
    }

    /// All adapters with this traffic; noted when the services of one are not known.
    pub(super) fn carriers(&self, traffic: Traffic, answers: &mut Answers) -> Vec<&Vmk<'a>> {
        let mut found = Vec::new();
        for vmk in self.vmks(answers) {
            if answers
                .want(vmk.traffic.as_ref(), "services of adapters")
                .is_some_and(|t| t.contains(&traffic))
            {
                found.push(vmk);
            }
        }
        found
    }

    /// Whether the lists are all there is; noted when not.
    pub(super) fn is_whole(&self, answers: &mut Answers) -> bool {
        answers.want(self.whole.then_some(()), "the host itself: documents do not tell all of it").is_some()
    }

    pub(super) fn groups_of(&self, switch: &Switch<'a>) -> impl Iterator<Item = &Group<'a>> {
        switch.groups.iter().filter_map(|at| self.groups.as_ref()?.get(*at))
    }

    pub(super) fn vmks_of(&self, group: &Group<'a>) -> impl Iterator<Item = &Vmk<'a>> {
        group.vmks.iter().filter_map(|at| self.vmks.as_ref()?.get(*at))
    }

    /// Adapters on any port group of a switch.
    pub(super) fn vmks_on(&self, switch: &Switch<'a>) -> impl Iterator<Item = &Vmk<'a>> {
        self.groups_of(switch).flat_map(|group| self.vmks_of(group))
    }

    pub(super) fn switch(&self, name: &VswitchName) -> Option<&Switch<'a>> {
        let switches = self.switches.as_ref()?;
        switches.get(switches.binary_search_by(|switch| switch.name.cmp(name)).ok()?)
    }

    pub(super) fn switch_of(&self, group: &Group<'a>) -> Option<&Switch<'a>> {
        self.switch(&group.state.vswitch)
    }

    pub(super) fn group_of(&self, vmk: &Vmk<'a>) -> Option<&Group<'a>> {
        self.groups.as_ref()?.get(vmk.group?)
    }

    pub(super) fn vmk(&self, name: &VmkName) -> Option<&Vmk<'a>> {
        self.vmks.as_ref()?.iter().find(|vmk| vmk.name == name)
    }

    pub(super) fn nic(&self, vmnic: &VmnicName) -> Option<&'a ObservedNic> {
        self.state.nics.read()?.get(vmnic)
    }

    /// Whether a NIC is up and linked; none when that is not known.
    pub(super) fn is_up(&self, vmnic: &VmnicName) -> Option<bool> {
        let nics = self.state.nics.read()?;
        let Some(nic) = nics.get(vmnic) else { return self.whole.then_some(false) };
        match (nic.admin.read(), nic.link) {
            (_, LinkState::Down) | (Some(LinkState::Down), _) => Some(false),
            (Some(LinkState::Up), LinkState::Up) => Some(true),
            (None, LinkState::Up) => None,
        }
    }

    /// Whether running machines are on a port group; none when machines are not known.
    pub(super) fn has_machines(&self, group: &Group<'a>) -> Option<bool> {
        let vms = self.state.vms.read()?;
        Some(vms.iter().any(|vm| vm.networks.iter().any(|network| network == group.name.as_str())))
    }

    /// Whether anything is plugged into a port group.
    pub(super) fn is_used(&self, group: &Group<'a>) -> Option<bool> {
        if !group.vmks.is_empty() || group.state.active_clients > 0 {
            return Some(true);
        }
        self.has_machines(group)
    }

    /// Where a NIC is plugged in, as the site says.
    pub(super) fn port(&self, vmnic: &VmnicName) -> Option<&'a SwitchPort> {
        let cabling = self.site.cabling.as_ref()?;
        if let Some(port) = cabling.hosts.get(self.host).and_then(|nics| nics.get(vmnic)) {
            return Some(port);
        }
        let (role, _) = self.roles.iter().find(|(_, nic)| *nic == vmnic)?;
        cabling.uplinks.get(role)
    }

    /// The physical switch, or the stack it is part of.
    pub(super) fn stack(&self, switch: &'a str) -> &'a str {
        let stacks = self.site.cabling.iter().flat_map(|cabling| &cabling.stacks);
        let mut own = stacks.filter(|(_, members)| members.iter().any(|member| member == switch));
        own.next().map_or(switch, |(stack, _)| stack)
    }
}

impl Switch<'_> {
    pub(super) fn at(&self, field: &[&str]) -> At {
        At::new(Component::Vswitch, &[&["vswitches", self.name.as_str()], field].concat())
    }

    /// Its uplinks; noted when they could not be read.
    pub(super) fn uplinks(&self, answers: &mut Answers) -> Vec<&VmnicName> {
        answers.need(&self.state.uplinks, "uplinks of switches").into_iter().flatten().collect()
    }
}

impl<'a> Group<'a> {
    pub(super) fn at(&self, field: &[&str]) -> At {
        At::new(Component::PortGroup, &[&["port_groups", self.name.as_str()], field].concat())
    }

    pub(super) fn has_vmks(&self) -> bool {
        !self.vmks.is_empty()
    }

    pub(super) fn vlan(&self, answers: &mut Answers) -> Option<Vlan> {
        answers.need(&self.state.vlan, "VLAN of port groups").copied()
    }

    /// The tag its frames have: none without one, or with all of them.
    pub(super) fn tag(&self, answers: &mut Answers) -> Option<u16> {
        self.vlan(answers).map(Vlan::number).filter(|number| (1..4095).contains(number))
    }

    pub(super) fn teaming(&self, answers: &mut Answers) -> Option<&'a ObservedPortGroupTeaming> {
        answers.need(&self.state.teaming, "failover policy of port groups")
    }

    /// The failover order in force.
    pub(super) fn order(&self, answers: &mut Answers) -> Option<&'a UplinkOrder> {
        self.teaming(answers).map(|teaming| teaming.uplinks.value())
    }
}

impl Vmk<'_> {
    pub(super) fn at(&self, field: &[&str]) -> At {
        At::new(Component::Vmk, &[&["vmkernels", self.name.as_str()], field].concat())
    }

    pub(super) fn carries(&self, traffic: Traffic) -> bool {
        self.traffic.as_ref().is_some_and(|all| all.contains(&traffic))
    }

    pub(super) fn is_storage(&self) -> bool {
        self.traffic.iter().flatten().any(|traffic| traffic.is_storage())
    }

    /// Its address, when it has one that is known.
    pub(super) fn address(&self) -> Option<Ipv4Cidr> {
        self.state.ipv4.read().and_then(ObservedIpv4::address)
    }

    /// Its fixed address; noted when IPv4 could not be read.
    pub(super) fn fixed(&self, answers: &mut Answers) -> Option<Ipv4Cidr> {
        match answers.need(&self.state.ipv4, "IPv4 of adapters")? {
            ObservedIpv4::Static { address, .. } => Some(*address),
            ObservedIpv4::None | ObservedIpv4::Dhcp { .. } => None,
        }
    }
}

/// The role of the site whose subnet an address lies in.
pub(super) fn role_of(site: &SiteDocument, address: Ipv4Cidr) -> Option<(&String, &SiteRole)> {
    site.roles.iter().find(|(_, role)| role.subnet.is_some_and(|subnet| subnet.contains(address.address())))
}

/// Tags of the site's spelling and what they mean here.
fn tagged(tag: &ServiceTag) -> Traffic {
    match tag.as_str() {
        "Management" => Traffic::Management,
        "VMotion" => Traffic::Vmotion,
        "faultToleranceLogging" => Traffic::FaultTolerance,
        "VSAN" => Traffic::Vsan,
        _ => Traffic::Other,
    }
}

/// What an adapter carries: its services, its netstack, and the storage role its address lies in.
fn traffic(vmk: &ObservedVmk, leads_to_coordinator: bool, site: &SiteDocument) -> Option<Vec<Traffic>> {
    let mut all: Vec<Traffic> = vmk.services.read()?.iter().map(tagged).collect();
    if leads_to_coordinator {
        all.push(Traffic::Management);
    }
    if vmk.netstack.as_str() == "vmotion" {
        all.push(Traffic::Vmotion);
    }
    let address = vmk.ipv4.read().and_then(ObservedIpv4::address);
    let role = address.and_then(|address| role_of(site, address));
    match role.and_then(|(_, role)| role.storage) {
        Some(StorageProtocol::Iscsi) => all.push(Traffic::Iscsi),
        Some(StorageProtocol::Nfs) => all.push(Traffic::Nfs),
        None => {}
    }
    all.sort();
    all.dedup();
    Some(all)
}
