//! Which typed record belongs to which read command.
//!
//! Owns: [`check`], which reads an output as the typed record of its command, for tests and for
//! `doctor`-like tools that want to know whether an output is understood. `observe` reads the
//! records themselves.

use crate::netstack::{DnsSearchRecord, DnsServersRecord, NeighborRecord, NetstackRecord, RouteRecord};
use crate::nic::{NicDetailRecord, NicRecord};
use crate::output::Value;
use crate::portgroup::{
    PortGroupFailoverRecord, PortGroupRecord, PortGroupSecurityRecord, PortGroupShapingRecord,
};
use crate::query::ReadCommand;
use crate::records::{FromRecord, RecordError, read_list, read_one, read_scalar};
use crate::system::{HostName, Platform, SystemVersion};
use crate::vm::{VmPortRecord, VmRecord};
use crate::vmknic::{InterfaceRecord, Ipv4Record, Ipv6AddressRecord, Ipv6Record, TagsRecord};
use crate::vswitch::{DvsRecord, FailoverRecord, SecurityRecord, ShapingRecord, VswitchRecord};

/// What a typed reading gave.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Typed {
    /// This many typed records.
    Records(usize),
    /// The command has no typed record; the output stays generic.
    Generic,
}

/// Reads `value`, the output of `command`, as its typed record.
pub fn check(command: ReadCommand, value: &Value) -> Result<Typed, RecordError> {
    use ReadCommand as C;
    match command {
        C::VswitchList => list::<VswitchRecord>(command, value),
        C::VswitchFailoverGet => one::<FailoverRecord>(command, value),
        C::VswitchSecurityGet => one::<SecurityRecord>(command, value),
        C::VswitchShapingGet => one::<ShapingRecord>(command, value),
        C::PortGroupList => list::<PortGroupRecord>(command, value),
        C::PortGroupFailoverGet => one::<PortGroupFailoverRecord>(command, value),
        C::PortGroupSecurityGet => one::<PortGroupSecurityRecord>(command, value),
        C::PortGroupShapingGet => one::<PortGroupShapingRecord>(command, value),
        C::DvsList => list::<DvsRecord>(command, value),
        C::InterfaceList => list::<InterfaceRecord>(command, value),
        C::Ipv4Get | C::Ipv4AddressList => list::<Ipv4Record>(command, value),
        C::Ipv6Get => list::<Ipv6Record>(command, value),
        C::Ipv6AddressList => list::<Ipv6AddressRecord>(command, value),
        C::TagGet => read_tags(value).map(|_| Typed::Records(1)),
        C::NetstackList => list::<NetstackRecord>(command, value),
        C::RouteIpv4List => list::<RouteRecord>(command, value),
        C::DnsServerList => one::<DnsServersRecord>(command, value),
        C::DnsSearchList => one::<DnsSearchRecord>(command, value),
        C::NeighborList => list::<NeighborRecord>(command, value),
        C::NicList => list::<NicRecord>(command, value),
        C::NicGet => one::<NicDetailRecord>(command, value),
        C::VmList => list::<VmRecord>(command, value),
        C::VmPortList => list::<VmPortRecord>(command, value),
        C::SystemVersionGet => one::<SystemVersion>(command, value),
        C::SystemHostnameGet => one::<HostName>(command, value),
        C::PlatformGet => one::<Platform>(command, value),
        C::SystemUuidGet | C::SystemUptimeGet | C::MaintenanceModeGet => {
            read_scalar(command.path_str(), value).map(|_| Typed::Records(1))
        }
        C::IpGet | C::NetstackGet | C::RouteIpv6List | C::ConnectionList | C::CommandList => {
            Ok(Typed::Generic)
        }
    }
}

fn list<T: FromRecord>(command: ReadCommand, value: &Value) -> Result<Typed, RecordError> {
    read_list::<T>(command.path_str(), value).map(|records| Typed::Records(records.len()))
}

fn one<T: FromRecord>(command: ReadCommand, value: &Value) -> Result<Typed, RecordError> {
    read_one::<T>(command.path_str(), value).map(|_| Typed::Records(1))
}

/// Reads the tags of an adapter: a record, or a bare list of texts.
pub fn read_tags(value: &Value) -> Result<Vec<String>, RecordError> {
    let command = ReadCommand::TagGet.path_str();
    if let Value::List(items) = value
        && items.iter().all(|item| matches!(item, Value::Str(_)))
    {
        return Ok(value.to_list().unwrap_or_default());
    }
    read_one::<TagsRecord>(command, value).map(|record| record.tags)
}
