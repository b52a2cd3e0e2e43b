//! Policies of switches and port groups: records to model, with what cannot be read kept as such.
//!
//! Owns: the crossing for teaming, security and shaping. Called by `assemble` only.

use super::{Answers, answer};
use crate::portgroup::{PortGroupFailoverRecord, PortGroupSecurityRecord, PortGroupShapingRecord};
use crate::query::{Query, ReadCommand};
use crate::records::{FromRecord, read_one};
use crate::vswitch::{FailoverRecord, SecurityRecord, ShapingRecord};
use model::{
    InheritedField, Known, ObservedPortGroupSecurity, ObservedPortGroupShaping, ObservedPortGroupTeaming,
    SecurityPolicy, ShapingPolicy, ShapingRate, TeamingPolicy, UplinkOrder, VmnicName,
};

/// Reads the single record of `command` about `name` and converts it.
fn known<T: FromRecord, U>(
    answers: &Answers,
    command: ReadCommand,
    name: &str,
    convert: impl FnOnce(T) -> Result<U, String>,
) -> Known<U> {
    let query = Query::about(command, name);
    let read = || {
        let value = answer(answers, &query)?;
        let record = read_one(command.path_str(), value).map_err(|error| format!("{query}: {error}"))?;
        convert(record).map_err(|error| format!("{query}: {error}"))
    };
    read().map_or_else(Known::unreadable, Known::Read)
}

pub(super) fn names(texts: &[String]) -> Result<Vec<VmnicName>, String> {
    texts.iter().map(|text| VmnicName::new(text.as_str()).map_err(|error| error.to_string())).collect()
}

fn order(record: &FailoverRecord) -> Result<UplinkOrder, String> {
    Ok(UplinkOrder { active: names(&record.active)?, standby: names(&record.standby)? })
}

fn field<T>(own: bool, value: T) -> InheritedField<T> {
    if own { InheritedField::Own(value) } else { InheritedField::Inherited(value) }
}

pub(super) fn vswitch_teaming(answers: &Answers, name: &str) -> Known<TeamingPolicy> {
    known(answers, ReadCommand::VswitchFailoverGet, name, |record: FailoverRecord| {
        Ok(TeamingPolicy {
            load_balancing: record.load_balancing,
            failure_detection: record.failure_detection,
            notify_switches: record.notify_switches,
            failback: record.failback,
            uplinks: order(&record)?,
        })
    })
}

pub(super) fn vswitch_security(answers: &Answers, name: &str) -> Known<SecurityPolicy> {
    known(answers, ReadCommand::VswitchSecurityGet, name, |record: SecurityRecord| {
        Ok(SecurityPolicy {
            allow_promiscuous: record.allow_promiscuous,
            allow_mac_change: record.allow_mac_change,
            allow_forged_transmits: record.allow_forged_transmits,
        })
    })
}

fn shaping(record: ShapingRecord) -> Result<ShapingPolicy, String> {
    if !record.enabled {
        return Ok(ShapingPolicy::Off);
    }
    let number = |what: &str, n: i64| u32::try_from(n).map_err(|_| format!("{what} {n} is out of range"));
    Ok(ShapingPolicy::On(ShapingRate {
        average_kbps: number("average bandwidth", record.average_kbps)?,
        peak_kbps: number("peak bandwidth", record.peak_kbps)?,
        burst_kib: number("burst size", record.burst_kib)?,
    }))
}

pub(super) fn vswitch_shaping(answers: &Answers, name: &str) -> Known<ShapingPolicy> {
    known(answers, ReadCommand::VswitchShapingGet, name, shaping)
}

pub(super) fn port_group_teaming(answers: &Answers, name: &str) -> Known<ObservedPortGroupTeaming> {
    known(answers, ReadCommand::PortGroupFailoverGet, name, |record: PortGroupFailoverRecord| {
        let values = &record.values;
        Ok(ObservedPortGroupTeaming {
            load_balancing: field(record.own_load_balancing, values.load_balancing),
            failure_detection: field(record.own_failure_detection, values.failure_detection),
            notify_switches: field(record.own_notify_switches, values.notify_switches),
            failback: field(record.own_failback, values.failback),
            uplinks: field(record.own_uplinks, order(values)?),
        })
    })
}

pub(super) fn port_group_security(answers: &Answers, name: &str) -> Known<ObservedPortGroupSecurity> {
    known(answers, ReadCommand::PortGroupSecurityGet, name, |record: PortGroupSecurityRecord| {
        let values = record.values;
        Ok(ObservedPortGroupSecurity {
            allow_promiscuous: field(record.own_promiscuous, values.allow_promiscuous),
            allow_mac_change: field(record.own_mac_change, values.allow_mac_change),
            allow_forged_transmits: field(record.own_forged_transmits, values.allow_forged_transmits),
        })
    })
}

pub(super) fn port_group_shaping(answers: &Answers, name: &str) -> Known<ObservedPortGroupShaping> {
    known(answers, ReadCommand::PortGroupShapingGet, name, |record: PortGroupShapingRecord| {
        Ok(field(record.own, shaping(record.values)?))
    })
}
