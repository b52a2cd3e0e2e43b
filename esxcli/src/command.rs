//! Every write operation as the arguments of one esxcli call, long options only.
//!
//! Owns: the spelling of [`model::Operation`]. Must not decide what to change or in which order
//! (`engine` does). Called by the agent to run a step and by the coordinator to show it.

use crate::argv::{ArgvError, option};
use model::{
    CdpStatus, Duplex, Ipv4Config, NetstackName, NicLink, Operation, PolicyReset, SecurityChange,
    ShapingChange, ShapingPolicy, TeamingChange, VmnicName,
};

/// The arguments to run esxcli with for `operation`.
pub fn argv(operation: &Operation) -> Result<Vec<String>, ArgvError> {
    settings(objects(Call::new(words(operation)), operation), operation)
}

/// The words of the command.
#[must_use]
pub fn words(operation: &Operation) -> &'static str {
    match operation {
        Operation::VswitchAdd { .. } => "network vswitch standard add",
        Operation::VswitchRemove { .. } => "network vswitch standard remove",
        Operation::VswitchSet { .. } => "network vswitch standard set",
        Operation::UplinkAdd { .. } => "network vswitch standard uplink add",
        Operation::UplinkRemove { .. } => "network vswitch standard uplink remove",
        Operation::VswitchTeamingSet { .. } => "network vswitch standard policy failover set",
        Operation::VswitchSecuritySet { .. } => "network vswitch standard policy security set",
        Operation::VswitchShapingSet { .. } => "network vswitch standard policy shaping set",
        Operation::PortGroupAdd { .. } => "network vswitch standard portgroup add",
        Operation::PortGroupRemove { .. } => "network vswitch standard portgroup remove",
        Operation::PortGroupVlanSet { .. } => "network vswitch standard portgroup set",
        Operation::PortGroupTeamingSet { .. } => "network vswitch standard portgroup policy failover set",
        Operation::PortGroupSecuritySet { .. } => "network vswitch standard portgroup policy security set",
        Operation::PortGroupShapingSet { .. } => "network vswitch standard portgroup policy shaping set",
        Operation::VmkAdd { .. } => "network ip interface add",
        Operation::VmkRemove { .. } => "network ip interface remove",
        Operation::VmkSet { .. } => "network ip interface set",
        Operation::VmkIpv4Set { .. } => "network ip interface ipv4 set",
        Operation::VmkIpv6Set { .. } => "network ip interface ipv6 set",
        Operation::VmkIpv6AddressAdd { .. } => "network ip interface ipv6 address add",
        Operation::VmkIpv6AddressRemove { .. } => "network ip interface ipv6 address remove",
        Operation::VmkTagAdd { .. } => "network ip interface tag add",
        Operation::VmkTagRemove { .. } => "network ip interface tag remove",
        Operation::NicUp { .. } => "network nic up",
        Operation::NicDown { .. } => "network nic down",
        Operation::NicSet { .. } => "network nic set",
        Operation::NetstackAdd { .. } => "network ip netstack add",
        Operation::NetstackRemove { .. } => "network ip netstack remove",
        Operation::RouteAdd { .. } => "network ip route ipv4 add",
        Operation::RouteRemove { .. } => "network ip route ipv4 remove",
        Operation::DnsServerAdd { .. } => "network ip dns server add",
        Operation::DnsServerRemove { .. } => "network ip dns server remove",
        Operation::DnsSearchAdd { .. } => "network ip dns search add",
        Operation::DnsSearchRemove { .. } => "network ip dns search remove",
    }
}

const VSWITCH: &str = "--vswitch-name";
const PORT_GROUP: &str = "--portgroup-name";
const VMK: &str = "--interface-name";

/// Adds the options that name the objects of the call.
fn objects(call: Call, operation: &Operation) -> Call {
    use Operation as O;
    match operation {
        O::VswitchAdd { vswitch }
        | O::VswitchRemove { vswitch }
        | O::VswitchSet { vswitch, .. }
        | O::VswitchTeamingSet { vswitch, .. }
        | O::VswitchSecuritySet { vswitch, .. }
        | O::VswitchShapingSet { vswitch, .. } => call.name(VSWITCH, vswitch.as_str()),
        O::UplinkAdd { vswitch, vmnic } | O::UplinkRemove { vswitch, vmnic } => {
            call.name(VSWITCH, vswitch.as_str()).name("--uplink-name", vmnic.as_str())
        }
        O::PortGroupAdd { port_group, vswitch } | O::PortGroupRemove { port_group, vswitch } => {
            call.name(PORT_GROUP, port_group.as_str()).name(VSWITCH, vswitch.as_str())
        }
        O::PortGroupVlanSet { port_group, .. }
        | O::PortGroupTeamingSet { port_group, .. }
        | O::PortGroupSecuritySet { port_group, .. }
        | O::PortGroupShapingSet { port_group, .. } => call.name(PORT_GROUP, port_group.as_str()),
        O::VmkAdd { vmk, port_group, .. } => {
            call.name(VMK, vmk.as_str()).name(PORT_GROUP, port_group.as_str())
        }
        O::VmkRemove { vmk }
        | O::VmkSet { vmk, .. }
        | O::VmkIpv4Set { vmk, .. }
        | O::VmkIpv6Set { vmk, .. } => call.name(VMK, vmk.as_str()),
        O::VmkIpv6AddressAdd { vmk, address } | O::VmkIpv6AddressRemove { vmk, address } => {
            call.name(VMK, vmk.as_str()).name("--ipv6", &address.to_string())
        }
        O::VmkTagAdd { vmk, tag } | O::VmkTagRemove { vmk, tag } => {
            call.name(VMK, vmk.as_str()).name("--tagname", tag.as_str())
        }
        O::NicUp { vmnic } | O::NicDown { vmnic } | O::NicSet { vmnic, .. } => {
            call.name("--nic-name", vmnic.as_str())
        }
        O::NetstackAdd { netstack } | O::NetstackRemove { netstack } => {
            call.name("--netstack", netstack.as_str())
        }
        O::RouteAdd { netstack, network, gateway } | O::RouteRemove { netstack, network, gateway } => call
            .name("--network", &network.to_string())
            .name("--gateway", &gateway.to_string())
            .netstack(Some(netstack)),
        O::DnsServerAdd { netstack, server } | O::DnsServerRemove { netstack, server } => {
            call.name("--server", &server.to_string()).netstack(Some(netstack))
        }
        O::DnsSearchAdd { netstack, domain } | O::DnsSearchRemove { netstack, domain } => {
            call.name("--domain", domain).netstack(Some(netstack))
        }
    }
}

/// Adds what the call sets; a set command without anything to set is refused.
fn settings(call: Call, operation: &Operation) -> Result<Vec<String>, ArgvError> {
    use Operation as O;
    match operation {
        O::VswitchSet { mtu, cdp, .. } => {
            call.set("--mtu", *mtu).set("--cdp-status", cdp.map(CdpStatus::as_str)).done_setting()
        }
        O::VswitchTeamingSet { change, .. } => call.teaming(change).done_setting(),
        O::VswitchSecuritySet { change, .. } => call.security(*change).done_setting(),
        O::VswitchShapingSet { shaping, .. } => call.shaping(Some(*shaping)).done_setting(),
        O::PortGroupVlanSet { vlan, .. } => call.set("--vlan-id", Some(vlan)).done_setting(),
        O::PortGroupTeamingSet { reset, change, .. } => call.reset(*reset).teaming(change).done_setting(),
        O::PortGroupSecuritySet { reset, change, .. } => call.reset(*reset).security(*change).done_setting(),
        O::PortGroupShapingSet { reset, change, .. } => call.reset(*reset).shaping(*change).done_setting(),
        O::VmkAdd { netstack, mtu, mac, .. } => {
            call.set("--mtu", *mtu).set("--mac-address", *mac).netstack(netstack.as_ref()).done()
        }
        O::VmkSet { mtu, enabled, .. } => call.set("--enabled", *enabled).set("--mtu", *mtu).done_setting(),
        O::VmkIpv4Set { ipv4, .. } => call.ipv4(ipv4).done_setting(),
        O::VmkIpv6Set { change, .. } => call
            .set("--enable-dhcpv6", change.dhcp)
            .set("--enable-router-adv", change.router_advertisements)
            .done_setting(),
        O::NicSet { link: NicLink::Auto, .. } => call.flag("--auto").done_setting(),
        O::NicSet { link: NicLink::Fixed { speed_mbps, duplex }, .. } => {
            let word = match duplex {
                Duplex::Full => "full",
                Duplex::Half => "half",
            };
            call.set("--speed", Some(speed_mbps)).set("--duplex", Some(word)).done_setting()
        }
        _ => call.done(),
    }
}

/// A call under construction.
struct Call {
    command: &'static str,
    object: String,
    argv: Vec<String>,
    /// Settings given so far, beyond the options that name the object.
    settings: usize,
    trouble: Option<ArgvError>,
}

impl Call {
    fn new(command: &'static str) -> Self {
        let argv = command.split(' ').map(str::to_owned).collect();
        Self { command, object: String::new(), argv, settings: 0, trouble: None }
    }

    fn push(&mut self, name: &str, value: &str) {
        match option(name, value) {
            Ok(arguments) => self.argv.extend(arguments),
            Err(error) => self.trouble = self.trouble.take().or(Some(error)),
        }
    }

    /// Names an object; never empty.
    fn name(mut self, name: &str, value: &str) -> Self {
        if value.is_empty() {
            let missing = ArgvError::Missing { command: self.command.to_owned(), option: name.to_owned() };
            self.trouble = self.trouble.take().or(Some(missing));
        }
        if self.object.is_empty() {
            value.clone_into(&mut self.object);
        }
        self.push(name, value);
        self
    }

    fn set<T: ToString>(mut self, name: &str, value: Option<T>) -> Self {
        if let Some(value) = value {
            self.settings += 1;
            self.push(name, &value.to_string());
        }
        self
    }

    fn list(mut self, name: &str, uplinks: Option<&Vec<VmnicName>>) -> Self {
        let Some(uplinks) = uplinks else { return self };
        if let Some(bad) = uplinks.iter().find(|u| u.as_str().contains([',', ' '])) {
            let error = ArgvError::ListElement { option: name.to_owned(), value: bad.to_string() };
            self.trouble = self.trouble.take().or(Some(error));
        }
        let names: Vec<&str> = uplinks.iter().map(VmnicName::as_str).collect();
        self.settings += 1;
        self.push(name, &names.join(","));
        self
    }

    fn flag(mut self, name: &str) -> Self {
        self.settings += 1;
        self.argv.push(name.to_owned());
        self
    }

    /// The default netstack needs no option, and old releases have none.
    fn netstack(self, netstack: Option<&NetstackName>) -> Self {
        match netstack {
            Some(named) if !named.is_default() => self.name("--netstack", named.as_str()),
            _ => self,
        }
    }

    fn reset(self, reset: PolicyReset) -> Self {
        match reset {
            PolicyReset::Keep => self,
            PolicyReset::InheritAll => self.flag("--use-vswitch"),
        }
    }

    fn done(self) -> Result<Vec<String>, ArgvError> {
        match self.trouble {
            Some(error) => Err(error),
            None => Ok(self.argv),
        }
    }

    /// Like `done`, for commands that must be told something to set.
    fn done_setting(self) -> Result<Vec<String>, ArgvError> {
        if self.settings == 0 && self.trouble.is_none() {
            return Err(ArgvError::NothingToSet { command: self.command.to_owned(), object: self.object });
        }
        self.done()
    }

    fn teaming(self, change: &TeamingChange) -> Self {
        self.list("--active-uplinks", change.active.as_ref())
            .list("--standby-uplinks", change.standby.as_ref())
            .set("--failback", change.failback)
            .set("--failure-detection", change.failure_detection.map(model::FailureDetection::as_str))
            .set("--load-balancing", change.load_balancing.map(model::LoadBalancing::as_str))
            .set("--notify-switches", change.notify_switches)
    }

    fn security(self, change: SecurityChange) -> Self {
        self.set("--allow-forged-transmits", change.allow_forged_transmits)
            .set("--allow-mac-change", change.allow_mac_change)
            .set("--allow-promiscuous", change.allow_promiscuous)
    }

    /// Enabled needs all three numbers; disabled stands alone.
    fn shaping(self, shaping: ShapingChange) -> Self {
        match shaping {
            None => self,
            Some(ShapingPolicy::Off) => self.set("--enabled", Some(false)),
            Some(ShapingPolicy::On(rate)) => self
                .set("--enabled", Some(true))
                .set("--avg-bandwidth", Some(rate.average_kbps))
                .set("--peak-bandwidth", Some(rate.peak_kbps))
                .set("--burst-size", Some(rate.burst_kib)),
        }
    }

    fn ipv4(self, ipv4: &Ipv4Config) -> Self {
        match ipv4 {
            Ipv4Config::None => self.set("--type", Some("none")),
            Ipv4Config::Dhcp => self.set("--type", Some("dhcp")),
            Ipv4Config::Static { address, gateway } => self
                .set("--type", Some("static"))
                .set("--ipv4", Some(address.address()))
                .set("--netmask", Some(address.netmask()))
                .set("--gateway", *gateway),
        }
    }
}

#[cfg(test)]
mod tests;
