//! The newest rows per network object: what an operator queries by name, VLAN, MTU or address.
//!
//! Owns: `vswitches`, `port_groups`, `vmkernels`, `physical_nics`, `netstacks`. Must not touch the rows of a kind that could
//! not be read: unknown is never absent. Called by `observations` inside its unit of work.

use super::error::of;
use super::row::{CHUNK_ROWS, json, ms, plain, word};
use super::{StoreError, Tx, sql};
use model::{
    HostId, Known, NetstackName, ObservedIpv4, ObservedNetstack, ObservedNetwork, ObservedNic,
    ObservedPortGroup, ObservedVmk, ObservedVswitch, PortGroupName, RouteNetwork, VmkAttachment, VmkName,
    VmnicName, VswitchName, Wall,
};
use serde::Serialize;
use sqlx::AssertSqlSafe;
use std::collections::BTreeMap;

/// Deletes a host's rows of one table and adds new ones, each made by `$form` and bound in order of the columns.
macro_rules! replace_rows {
    ($tx:expr, $table:literal, $clear:expr, $add:expr, $host:expr, $now:expr, $form:expr, |$row:pat_param| [$($column:expr),*]) => {{
        tx!($tx, c => sqlx::query($clear).bind($host.as_str()).execute(c).await.map(|_| ())).map_err(of($table))?;
        for chunk in $form.chunks(CHUNK_ROWS) {
            let text = $add.text(chunk.len());
            tx!($tx, c => {
                let mut query = sqlx::query(AssertSqlSafe(text)).persistent(false);
                for $row in chunk {
                    query = query.bind($host.as_str())$(.bind($column))*.bind(ms($now));
                }
                query.execute(c).await.map(|_| ())
            })
            .map_err(of($table))?;
        }
        Ok(())
    }};
}

/// Replaces the rows of every kind that was read.
pub async fn replace(
    tx: &mut Tx,
    host: &HostId,
    network: &ObservedNetwork,
    now: Wall,
) -> Result<(), StoreError> {
    if let Some(found) = network.vswitches.read() {
        vswitches(tx, host, found, now).await?;
    }
    if let Some(found) = network.port_groups.read() {
        port_groups(tx, host, found, now).await?;
    }
    if let Some(found) = network.vmkernels.read() {
        vmkernels(tx, host, found, now).await?;
    }
    if let Some(found) = network.nics.read() {
        nics(tx, host, found, now).await?;
    }
    if let Some(found) = network.netstacks.read() {
        netstacks(tx, host, found, now).await?;
    }
    Ok(())
}

fn json_of<T: Serialize>(what: &'static str, fact: &Known<T>) -> Result<Option<String>, StoreError> {
    fact.read().map(|value| json(what, value)).transpose()
}

async fn vswitches(
    tx: &mut Tx,
    host: &HostId,
    found: &BTreeMap<VswitchName, ObservedVswitch>,
    now: Wall,
) -> Result<(), StoreError> {
    let mut form = Vec::with_capacity(found.len());
    for (name, vswitch) in found {
        let mtu = vswitch.mtu.read().map(|mtu| i64::from(mtu.get()));
        let cdp = vswitch.cdp.read().map(|cdp| cdp.as_str());
        form.push((
            name.as_str(),
            mtu,
            cdp,
            json_of("uplinks", &vswitch.uplinks)?,
            json("vswitch", vswitch)?,
        ));
    }
    replace_rows!(tx, "vswitches", sql::VSWITCHES_CLEAR, sql::VSWITCHES_ADD, host, now, form, |(
        name,
        mtu,
        cdp,
        uplinks,
        document,
    )| [
        *name,
        *mtu,
        *cdp,
        uplinks.as_deref(),
        document.as_str()
    ])
}

async fn port_groups(
    tx: &mut Tx,
    host: &HostId,
    found: &BTreeMap<PortGroupName, ObservedPortGroup>,
    now: Wall,
) -> Result<(), StoreError> {
    let mut form = Vec::with_capacity(found.len());
    for (name, group) in found {
        let vlan = group.vlan.read().map(|vlan| i64::from(vlan.number()));
        let clients = i64::from(group.active_clients);
        form.push((name.as_str(), group.vswitch.as_str(), vlan, clients, json("port group", group)?));
    }
    replace_rows!(tx, "port_groups", sql::PORT_GROUPS_CLEAR, sql::PORT_GROUPS_ADD, host, now, form, |(
        name,
        vswitch,
        vlan,
        clients,
        document,
    )| [
        *name,
        *vswitch,
        *vlan,
        *clients,
        document.as_str()
    ])
}

struct VmkForm<'a> {
    name: &'a str,
    port_group: Option<String>,
    distributed: Option<String>,
    netstack: &'a str,
    enabled: bool,
    mac: Option<String>,
    mtu: Option<i64>,
    ipv4_mode: Option<&'static str>,
    ipv4_address: Option<String>,
    services: Option<String>,
    document: String,
}

impl<'a> VmkForm<'a> {
    fn new(name: &'a VmkName, vmk: &'a ObservedVmk) -> Result<Self, StoreError> {
        let (port_group, distributed) = match &vmk.attachment {
            VmkAttachment::PortGroup(name) => (Some(name.to_string()), None),
            VmkAttachment::Distributed(name) => (None, Some(plain(name))),
        };
        let ipv4 = vmk.ipv4.read();
        Ok(Self {
            name: name.as_str(),
            port_group,
            distributed,
            netstack: vmk.netstack.as_str(),
            enabled: vmk.enabled,
            mac: vmk.mac.read().map(ToString::to_string),
            mtu: vmk.mtu.read().map(|mtu| i64::from(mtu.get())),
            ipv4_mode: ipv4.map(|config| match config {
                ObservedIpv4::None => "none",
                ObservedIpv4::Dhcp { .. } => "dhcp",
                ObservedIpv4::Static { .. } => "static",
            }),
            ipv4_address: ipv4.and_then(ObservedIpv4::address).map(|address| address.to_string()),
            services: json_of("services", &vmk.services)?,
            document: json("vmkernel adapter", vmk)?,
        })
    }
}

async fn vmkernels(
    tx: &mut Tx,
    host: &HostId,
    found: &BTreeMap<VmkName, ObservedVmk>,
    now: Wall,
) -> Result<(), StoreError> {
    let form = found.iter().map(|(name, vmk)| VmkForm::new(name, vmk)).collect::<Result<Vec<_>, _>>()?;
    replace_rows!(tx, "vmkernels", sql::VMKERNELS_CLEAR, sql::VMKERNELS_ADD, host, now, form, |row| [
        row.name,
        row.port_group.as_deref(),
        row.distributed.as_deref(),
        row.netstack,
        row.enabled,
        row.mac.as_deref(),
        row.mtu,
        row.ipv4_mode,
        row.ipv4_address.as_deref(),
        row.services.as_deref(),
        row.document.as_str()
    ])
}

struct NicForm<'a> {
    name: &'a str,
    driver: String,
    pci: String,
    mac: Option<String>,
    admin: Option<String>,
    link: String,
    speed_mbps: i64,
    document: String,
}

impl<'a> NicForm<'a> {
    fn new(name: &'a VmnicName, nic: &ObservedNic) -> Result<Self, StoreError> {
        Ok(Self {
            name: name.as_str(),
            driver: plain(&nic.driver),
            pci: plain(&nic.pci),
            mac: nic.mac.read().map(ToString::to_string),
            admin: nic.admin.read().map(|state| word("admin state", state)).transpose()?,
            link: word("link state", &nic.link)?,
            speed_mbps: i64::from(nic.speed_mbps),
            document: json("physical nic", nic)?,
        })
    }
}

async fn nics(
    tx: &mut Tx,
    host: &HostId,
    found: &BTreeMap<VmnicName, ObservedNic>,
    now: Wall,
) -> Result<(), StoreError> {
    let form = found.iter().map(|(name, nic)| NicForm::new(name, nic)).collect::<Result<Vec<_>, _>>()?;
    replace_rows!(
        tx,
        "physical_nics",
        sql::PHYSICAL_NICS_CLEAR,
        sql::PHYSICAL_NICS_ADD,
        host,
        now,
        form,
        |row| [
            row.name,
            row.driver.as_str(),
            row.pci.as_str(),
            row.mac.as_deref(),
            row.admin.as_deref(),
            row.link.as_str(),
            row.speed_mbps,
            row.document.as_str()
        ]
    )
}

fn default_gateway(netstack: &ObservedNetstack) -> Option<String> {
    let routes = netstack.routes.read()?;
    let route = routes.iter().find(|route| route.network == RouteNetwork::Default)?;
    route.gateway.map(|gateway| gateway.to_string())
}

async fn netstacks(
    tx: &mut Tx,
    host: &HostId,
    found: &BTreeMap<NetstackName, ObservedNetstack>,
    now: Wall,
) -> Result<(), StoreError> {
    let mut form = Vec::with_capacity(found.len());
    for (name, netstack) in found {
        let servers = json_of("dns servers", &netstack.dns_servers)?;
        form.push((name.as_str(), default_gateway(netstack), servers, json("netstack", netstack)?));
    }
    replace_rows!(tx, "netstacks", sql::NETSTACKS_CLEAR, sql::NETSTACKS_ADD, host, now, form, |(
        name,
        gateway,
        servers,
        document,
    )| [
        *name,
        gateway.as_deref(),
        servers.as_deref(),
        document.as_str()
    ])
}
