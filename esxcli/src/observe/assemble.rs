//! Answers to model: one [`ObservedNetwork`] out of many records.
//!
//! Owns: the crossing from records to the model. What cannot be read becomes
//! [`Known::Unreadable`] with the query and the reason; nothing unreadable is ever left out.

use super::policies as policy;
use super::{Answers, answer, failure_kind, netstack_keys, netstack_query, rows};
use crate::error::FailureKind;
use crate::netstack::{DnsSearchRecord, DnsServersRecord, RouteRecord};
use crate::nic::{NicDetailRecord, NicRecord};
use crate::portgroup::PortGroupRecord;
use crate::query::{Query, ReadCommand};
use crate::records::{FromRecord, read_one, read_scalar};
use crate::system::{HostName, Platform, SystemVersion};
use crate::typed::read_tags;
use crate::vm::VmRecord;
use crate::vmknic::{AddressType, InterfaceRecord, Ipv4Record, Ipv6AddressRecord, Ipv6Record};
use crate::vswitch::{DvsRecord, VswitchRecord};
use model::{
    BootId, CdpStatus, Duplex, HostFacts, Ipv4Cidr, Ipv6Cidr, Known, LinkState, Mtu, NetstackName,
    ObservedDvs, ObservedIpv4, ObservedIpv6, ObservedNetstack, ObservedNetwork, ObservedNic,
    ObservedPortGroup, ObservedRoute, ObservedVm, ObservedVmk, ObservedVswitch, PortGroupName, RouteNetwork,
    ServiceTag, Vlan, VmkAttachment, VmkName, VmnicName, VswitchName, Wall,
};
use std::collections::{BTreeMap, BTreeSet};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// Puts the answers together; `taken_at` is the time the caller gives the observation.
///
/// The management adapter is taken from the default route; a caller who knows the coordinator's
/// address asks [`management_vmk`] again. The boot id is not esxcli's to tell and stays empty.
#[must_use]
pub fn assemble(answers: &Answers, taken_at: Wall) -> ObservedNetwork {
    let mut observed = ObservedNetwork {
        taken_at,
        facts: facts(answers),
        management_vmk: Known::Read(None),
        vswitches: known(vswitches(answers)),
        port_groups: known(port_groups(answers)),
        vmkernels: known(vmkernels(answers)),
        nics: known(nics(answers)),
        netstacks: known(netstacks(answers)),
        vms: known(vms(answers)),
        dvs: known(dvs(answers)),
    };
    observed.management_vmk = management_vmk(&observed, None);
    observed
}

/// The adapter over which the default netstack reaches `target`, or its default route's adapter.
///
/// The longest matching route wins; without any, the only adapter tagged `Management` is taken.
#[must_use]
pub fn management_vmk(observed: &ObservedNetwork, target: Option<Ipv4Addr>) -> Known<Option<VmkName>> {
    let default_stack =
        observed.netstacks.read().and_then(|stacks| stacks.iter().find(|(name, _)| name.is_default()));
    let routes = default_stack.and_then(|(_, stack)| stack.routes.read());
    let matching = |route: &&ObservedRoute| match (route.network, target) {
        (RouteNetwork::Default, _) => true,
        (RouteNetwork::Network(network), Some(address)) => network.contains(address),
        (RouteNetwork::Network(_), None) => false,
    };
    let length = |route: &&ObservedRoute| match route.network {
        RouteNetwork::Default => 0,
        RouteNetwork::Network(network) => network.prefix(),
    };
    let best = routes.and_then(|routes| routes.iter().filter(matching).max_by_key(length));
    if let Some(vmk) = best.and_then(|route| route.vmk.clone()) {
        return Known::Read(Some(vmk));
    }
    let Some(vmks) = observed.vmkernels.read() else {
        return Known::unreadable("neither routes nor VMkernel adapters could be read");
    };
    let mut tagged = vmks
        .iter()
        .filter(|(_, vmk)| vmk.services.read().is_some_and(|tags| tags.contains(&ServiceTag::management())));
    match (tagged.next(), tagged.next()) {
        (Some((name, _)), None) => Known::Read(Some(name.clone())),
        (Some(_), Some(_)) => {
            Known::unreadable("several adapters are tagged Management and no route decides")
        }
        (None, _) if routes.is_none() || vmks.values().any(|vmk| vmk.services.read().is_none()) => {
            Known::unreadable("neither a default route nor the service tags could be read")
        }
        (None, _) => Known::Read(None),
    }
}

fn known<T>(result: Result<T, String>) -> Known<T> {
    result.map_or_else(Known::unreadable, Known::Read)
}

fn text_error(error: impl std::fmt::Display) -> String {
    error.to_string()
}

fn one<T: FromRecord>(answers: &Answers, query: &Query) -> Result<T, String> {
    read_one(query.command.path_str(), answer(answers, query)?).map_err(|error| format!("{query}: {error}"))
}

fn facts(answers: &Answers) -> HostFacts {
    let version: Option<SystemVersion> = one(answers, &Query::all(ReadCommand::SystemVersionGet)).ok();
    let name: Option<HostName> = one(answers, &Query::all(ReadCommand::SystemHostnameGet)).ok();
    let platform: Option<Platform> = one(answers, &Query::all(ReadCommand::PlatformGet)).ok();
    let uuid_query = Query::all(ReadCommand::SystemUuidGet);
    let uuid = answer(answers, &uuid_query)
        .ok()
        .and_then(|value| read_scalar(uuid_query.command.path_str(), value).ok())
        .filter(|uuid| !uuid.is_empty())
        .or_else(|| platform.as_ref().and_then(|p| p.uuid.clone()));
    HostFacts {
        hostname: name.map(|n| n.fully_qualified.unwrap_or(n.host)).unwrap_or_default(),
        version: version.as_ref().map(|v| v.version.clone()).unwrap_or_default(),
        build: version.map(|v| v.build).unwrap_or_default(),
        uuid: uuid.unwrap_or_default(),
        vendor: platform.as_ref().map(|p| p.vendor.clone()).unwrap_or_default(),
        model: platform.map(|p| p.product).unwrap_or_default(),
        boot_id: BootId::default(),
    }
}

fn mtu(bytes: u32) -> Known<Mtu> {
    known(Mtu::new(bytes).map_err(text_error))
}

/// An address out of a printed text.
fn parsed<T: std::str::FromStr>(text: &str) -> Result<T, String> {
    text.parse().map_err(|_| format!("`{text}` is not an address"))
}

fn cidr(address: &str, netmask: &str) -> Result<Ipv4Cidr, String> {
    Ipv4Cidr::from_netmask(parsed(address)?, parsed(netmask)?)
        .ok_or_else(|| format!("`{netmask}` is not a netmask"))
}

fn vswitches(answers: &Answers) -> Result<BTreeMap<VswitchName, ObservedVswitch>, String> {
    let records = rows::<VswitchRecord>(answers, &Query::all(ReadCommand::VswitchList))?;
    let convert = |record: VswitchRecord| {
        let cdp = match record.cdp_status.to_ascii_lowercase().as_str() {
            "down" => Known::Read(CdpStatus::Down),
            "listen" => Known::Read(CdpStatus::Listen),
            "advertise" => Known::Read(CdpStatus::Advertise),
            "both" => Known::Read(CdpStatus::Both),
            other => Known::unreadable(format!("CDP status `{other}` is not known")),
        };
        let made = ObservedVswitch {
            mtu: mtu(record.mtu),
            cdp,
            uplinks: known(uplinks(&record.uplinks)),
            teaming: policy::vswitch_teaming(answers, &record.name),
            security: policy::vswitch_security(answers, &record.name),
            shaping: policy::vswitch_shaping(answers, &record.name),
        };
        Ok((VswitchName::new(record.name).map_err(text_error)?, made))
    };
    records.into_iter().map(convert).collect()
}

fn uplinks(texts: &[String]) -> Result<BTreeSet<VmnicName>, String> {
    Ok(policy::names(texts)?.into_iter().collect())
}

fn port_groups(answers: &Answers) -> Result<BTreeMap<PortGroupName, ObservedPortGroup>, String> {
    let records = rows::<PortGroupRecord>(answers, &Query::all(ReadCommand::PortGroupList))?;
    let convert = |record: PortGroupRecord| {
        let made = ObservedPortGroup {
            vswitch: VswitchName::new(record.vswitch).map_err(text_error)?,
            vlan: known(Vlan::try_from(u64::from(record.vlan)).map_err(text_error)),
            active_clients: record.active_clients,
            teaming: policy::port_group_teaming(answers, &record.name),
            security: policy::port_group_security(answers, &record.name),
            shaping: policy::port_group_shaping(answers, &record.name),
        };
        Ok((PortGroupName::new(record.name).map_err(text_error)?, made))
    };
    records.into_iter().map(convert).collect()
}

fn vmkernels(answers: &Answers) -> Result<BTreeMap<VmkName, ObservedVmk>, String> {
    let records = rows::<InterfaceRecord>(answers, &Query::all(ReadCommand::InterfaceList))?;
    let convert = |record: InterfaceRecord| {
        let netstack = match &record.netstack {
            Some(name) => NetstackName::new(name.as_str()).map_err(text_error)?,
            None => NetstackName::default_stack(),
        };
        let made = ObservedVmk {
            attachment: attachment(&record)?,
            enabled: record.enabled,
            mac: known(record.mac.parse().map_err(text_error)),
            mtu: mtu(record.mtu),
            ipv4: known(ipv4(answers, &record.name, &netstack)),
            ipv6: known(ipv6(answers, &record.name)),
            services: known(services(answers, &record.name)),
            netstack,
        };
        Ok((VmkName::new(record.name).map_err(text_error)?, made))
    };
    records.into_iter().map(convert).collect()
}

/// A named distributed or opaque switch is never taken for a standard one.
fn attachment(record: &InterfaceRecord) -> Result<VmkAttachment, String> {
    if let Some(name) = record.vds_name.as_ref().or(record.opaque_network.as_ref()) {
        return Ok(VmkAttachment::Distributed(name.clone()));
    }
    match (&record.port_group, &record.portset) {
        (Some(name), _) => {
            Ok(VmkAttachment::PortGroup(PortGroupName::new(name.as_str()).map_err(text_error)?))
        }
        (None, portset) => {
            Ok(VmkAttachment::Distributed(portset.clone().unwrap_or_else(|| "unknown".to_owned())))
        }
    }
}

fn ipv4(answers: &Answers, vmk: &str, netstack: &NetstackName) -> Result<ObservedIpv4, String> {
    let find = |query: Query| -> Result<Option<Ipv4Record>, String> {
        Ok(rows::<Ipv4Record>(answers, &query)?.into_iter().find(|row| row.name == vmk))
    };
    let all = find(Query::all(ReadCommand::Ipv4Get));
    let found = match all {
        Ok(Some(record)) => Some(record),
        Ok(None) | Err(_) if !netstack.is_default() => {
            find(Query::about(ReadCommand::Ipv4Get, netstack.as_str()))?
        }
        other => other?,
    };
    let record = found.ok_or_else(|| format!("{} does not list {vmk}", ReadCommand::Ipv4Get.path_str()))?;
    let address = match (&record.address, &record.netmask) {
        (Some(address), Some(netmask)) => Some(cidr(address, netmask)?),
        _ => None,
    };
    let gateway = record.gateway.as_deref().map(parsed::<Ipv4Addr>).transpose()?;
    match (record.address_type, address) {
        (AddressType::None, _) => Ok(ObservedIpv4::None),
        (AddressType::Dhcp, address) => Ok(ObservedIpv4::Dhcp { address }),
        (AddressType::Static, Some(address)) => Ok(ObservedIpv4::Static { address, gateway }),
        (AddressType::Static, None) => Err(format!("{vmk} is STATIC without an address")),
    }
}

fn ipv6(answers: &Answers, vmk: &str) -> Result<ObservedIpv6, String> {
    let find = |query: &Query| -> Result<Option<Ipv6Record>, String> {
        Ok(rows::<Ipv6Record>(answers, query)?.into_iter().find(|row| row.name == vmk))
    };
    let record = match find(&Query::all(ReadCommand::Ipv6Get)) {
        Ok(Some(record)) => Some(record),
        first => {
            let by_name = Query::about(ReadCommand::Ipv6Get, vmk);
            if answers.contains_key(&by_name) { find(&by_name)? } else { first? }
        }
    };
    let record = record.ok_or_else(|| format!("{} does not list {vmk}", ReadCommand::Ipv6Get.path_str()))?;
    let listed = rows::<Ipv6AddressRecord>(answers, &Query::all(ReadCommand::Ipv6AddressList))?;
    let configured = listed.into_iter().filter(|row| row.interface == vmk && row.is_configured());
    let addresses = configured.map(|row| {
        let prefix = row
            .prefix
            .parse()
            .ok()
            .and_then(|prefix| Ipv6Cidr::new(parsed::<Ipv6Addr>(&row.address).ok()?, prefix));
        prefix.ok_or_else(|| format!("`{}/{}` is not an IPv6 address with prefix", row.address, row.prefix))
    });
    Ok(ObservedIpv6 {
        dhcp: record.dhcp,
        router_advertisements: record.router_advertisements,
        addresses: addresses.collect::<Result<_, _>>()?,
    })
}

fn services(answers: &Answers, vmk: &str) -> Result<BTreeSet<ServiceTag>, String> {
    let query = Query::about(ReadCommand::TagGet, vmk);
    let tags = read_tags(answer(answers, &query)?).map_err(|error| format!("{query}: {error}"))?;
    Ok(tags.into_iter().map(ServiceTag::new).collect())
}

fn not_printed() -> String {
    "this release does not print it".to_owned()
}

fn nics(answers: &Answers) -> Result<BTreeMap<VmnicName, ObservedNic>, String> {
    let records = rows::<NicRecord>(answers, &Query::all(ReadCommand::NicList))?;
    let state = |up: bool| if up { LinkState::Up } else { LinkState::Down };
    let convert = |record: NicRecord| {
        let detail =
            one::<NicDetailRecord>(answers, &Query::about(ReadCommand::NicGet, record.name.as_str()));
        let made = ObservedNic {
            driver: record.driver,
            pci: record.pci,
            mac: known(record.mac.parse().map_err(text_error)),
            admin: known(record.admin_up.map(state).ok_or_else(not_printed)),
            link: state(record.link_up),
            speed_mbps: record.speed_mbps,
            duplex: if record.full_duplex { Duplex::Full } else { Duplex::Half },
            auto_negotiation: known(detail.and_then(|d| d.auto_negotiation.ok_or_else(not_printed))),
            description: record.description,
        };
        Ok((VmnicName::new(record.name).map_err(text_error)?, made))
    };
    records.into_iter().map(convert).collect()
}

fn netstacks(answers: &Answers) -> Result<BTreeMap<NetstackName, ObservedNetstack>, String> {
    let convert = |key: String| {
        let ask = |command| netstack_query(command, &key);
        let servers = one::<DnsServersRecord>(answers, &ask(ReadCommand::DnsServerList));
        let search = one::<DnsSearchRecord>(answers, &ask(ReadCommand::DnsSearchList));
        let made = ObservedNetstack {
            routes: known(routes(answers, &ask(ReadCommand::RouteIpv4List))),
            dns_servers: known(servers.and_then(|r| r.servers.iter().map(|s| parsed::<IpAddr>(s)).collect())),
            dns_search: known(search.map(|record| record.domains)),
        };
        Ok((NetstackName::new(key).map_err(text_error)?, made))
    };
    netstack_keys(answers)?.into_iter().map(convert).collect()
}

fn routes(answers: &Answers, query: &Query) -> Result<Vec<ObservedRoute>, String> {
    let convert = |record: RouteRecord| {
        let network = match record.network.to_ascii_lowercase().as_str() {
            "default" => RouteNetwork::Default,
            dotted => match cidr(dotted, &record.netmask)?.network() {
                everything if everything.prefix() == 0 => RouteNetwork::Default,
                network => RouteNetwork::Network(network),
            },
        };
        let gateway = record.gateway.as_deref().map(parsed::<Ipv4Addr>).transpose()?;
        let vmk = record.interface.map(VmkName::new).transpose().map_err(text_error)?;
        Ok(ObservedRoute { network, gateway, vmk })
    };
    let mut routes: Vec<ObservedRoute> =
        rows::<RouteRecord>(answers, query)?.into_iter().map(convert).collect::<Result<_, String>>()?;
    routes.sort();
    Ok(routes)
}

fn vms(answers: &Answers) -> Result<Vec<ObservedVm>, String> {
    let records = rows::<VmRecord>(answers, &Query::all(ReadCommand::VmList))?;
    let mut vms: Vec<ObservedVm> =
        records.into_iter().map(|vm| ObservedVm { name: vm.name, networks: vm.networks }).collect();
    vms.sort();
    Ok(vms)
}

/// A release without distributed switches has none.
fn dvs(answers: &Answers) -> Result<Vec<ObservedDvs>, String> {
    let query = Query::all(ReadCommand::DvsList);
    if answers.get(&query).and_then(failure_kind) == Some(FailureKind::UnknownCommand) {
        return Ok(Vec::new());
    }
    let convert =
        |record: DvsRecord| Ok(ObservedDvs { uplinks: uplinks(&record.uplinks)?, name: record.name });
    let mut found: Vec<ObservedDvs> =
        rows::<DvsRecord>(answers, &query)?.into_iter().map(convert).collect::<Result<_, String>>()?;
    found.sort();
    Ok(found)
}
