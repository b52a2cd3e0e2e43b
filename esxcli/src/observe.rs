//! Which reads make an observation of a host, and what they add up to.
//!
//! Owns: the rounds of queries (lists first, then what the lists name), the fingerprint, and
//! through `assemble` the [`model::ObservedNetwork`]. Must not run anything: the agent runs each
//! round in parallel and puts the answers into [`Answers`].
//!
//! 1. run [`fingerprint_queries`]; when [`fingerprint`] is as before, nothing changed;
//! 2. else run [`detail_queries`] until it names no more (two rounds on most hosts);
//! 3. [`assemble`].
//!
//! Around known calls the second round may be shorter: [`carry`] the answers of the last full reading that the
//! calls do not touch, then go on with [`detail_queries`].

mod assemble;
mod policies;
mod touched;

pub use assemble::{assemble, management_vmk};
pub use touched::{Touched, carry};

use crate::error::FailureKind;
use crate::netstack::NetstackRecord;
use crate::nic::NicRecord;
use crate::output::{Record, Value};
use crate::portgroup::PortGroupRecord;
use crate::query::{Query, QueryError, ReadCommand};
use crate::records::{FromRecord, read_list};
use crate::vmknic::{InterfaceRecord, Ipv4Record, Ipv6Record};
use crate::vswitch::VswitchRecord;
use model::NetstackName;
use std::collections::{BTreeMap, BTreeSet};

/// What the queries of one observation gave.
pub type Answers = BTreeMap<Query, Result<Value, QueryError>>;

/// The list commands whose answers tell whether anything changed.
const LISTS: [ReadCommand; 7] = [
    ReadCommand::VswitchList,
    ReadCommand::PortGroupList,
    ReadCommand::InterfaceList,
    ReadCommand::Ipv4Get,
    ReadCommand::NicList,
    ReadCommand::NetstackList,
    ReadCommand::VmList,
];

/// What a full observation asks once, beyond the lists.
const ONCE: [ReadCommand; 7] = [
    ReadCommand::DvsList,
    ReadCommand::Ipv6Get,
    ReadCommand::Ipv6AddressList,
    ReadCommand::SystemVersionGet,
    ReadCommand::SystemHostnameGet,
    ReadCommand::SystemUuidGet,
    ReadCommand::PlatformGet,
];

/// Fields that change without any change of configuration.
const VOLATILE: [&str; 7] =
    ["NumPorts", "UsedPorts", "ActiveClients", "PortID", "WorldID", "VDSConnection", "RXDispQueueSize"];

/// The first round: lists only.
#[must_use]
pub fn fingerprint_queries() -> Vec<Query> {
    LISTS.into_iter().map(Query::all).collect()
}

/// The next round of a full observation: what is needed and not answered yet; empty when complete.
#[must_use]
pub fn detail_queries(answers: &Answers) -> Vec<Query> {
    let mut wanted: BTreeSet<Query> = LISTS.into_iter().chain(ONCE).map(Query::all).collect();
    for switch in rows_or_none::<VswitchRecord>(answers, ReadCommand::VswitchList) {
        for command in
            [ReadCommand::VswitchFailoverGet, ReadCommand::VswitchSecurityGet, ReadCommand::VswitchShapingGet]
        {
            wanted.insert(Query::about(command, switch.name.clone()));
        }
    }
    for group in rows_or_none::<PortGroupRecord>(answers, ReadCommand::PortGroupList) {
        for command in [
            ReadCommand::PortGroupFailoverGet,
            ReadCommand::PortGroupSecurityGet,
            ReadCommand::PortGroupShapingGet,
        ] {
            wanted.insert(Query::about(command, group.name.clone()));
        }
    }
    for nic in rows_or_none::<NicRecord>(answers, ReadCommand::NicList) {
        wanted.insert(Query::about(ReadCommand::NicGet, nic.name));
    }
    for netstack in netstack_keys(answers).unwrap_or_default() {
        for command in [ReadCommand::RouteIpv4List, ReadCommand::DnsServerList, ReadCommand::DnsSearchList] {
            wanted.insert(netstack_query(command, &netstack));
        }
    }
    let vmks = rows_or_none::<InterfaceRecord>(answers, ReadCommand::InterfaceList);
    for vmk in &vmks {
        wanted.insert(Query::about(ReadCommand::TagGet, vmk.name.clone()));
    }
    wanted.extend(fallbacks(answers, &vmks));
    wanted.into_iter().filter(|query| !answers.contains_key(query)).collect()
}

/// Adapters the short form of a list left out are asked for by netstack (IPv4) or name (IPv6).
fn fallbacks(answers: &Answers, vmks: &[InterfaceRecord]) -> Vec<Query> {
    let mut queries = Vec::new();
    let answered = |command| answers.get(&Query::all(command));
    if answered(ReadCommand::Ipv4Get).is_some() {
        let listed = rows_or_none::<Ipv4Record>(answers, ReadCommand::Ipv4Get);
        for vmk in vmks.iter().filter(|vmk| !listed.iter().any(|row| row.name == vmk.name)) {
            let netstack = vmk.netstack.as_deref().filter(|stack| *stack != NetstackName::DEFAULT);
            queries.extend(netstack.map(|stack| Query::about(ReadCommand::Ipv4Get, stack)));
        }
    }
    let ipv6 = answered(ReadCommand::Ipv6Get);
    if ipv6.is_some_and(|answer| failure_kind(answer) != Some(FailureKind::UnknownCommand)) {
        let listed = rows_or_none::<Ipv6Record>(answers, ReadCommand::Ipv6Get);
        for vmk in vmks.iter().filter(|vmk| !listed.iter().any(|row| row.name == vmk.name)) {
            queries.push(Query::about(ReadCommand::Ipv6Get, vmk.name.clone()));
        }
    }
    queries
}

/// The default netstack is asked about without naming it.
fn netstack_query(command: ReadCommand, netstack: &str) -> Query {
    if netstack == NetstackName::DEFAULT { Query::all(command) } else { Query::about(command, netstack) }
}

/// Keys of the netstacks; a release without the namespace has the default one only.
fn netstack_keys(answers: &Answers) -> Result<Vec<String>, String> {
    let query = Query::all(ReadCommand::NetstackList);
    if answers.get(&query).and_then(failure_kind) == Some(FailureKind::UnknownCommand) {
        return Ok(vec![NetstackName::DEFAULT.to_owned()]);
    }
    Ok(rows::<NetstackRecord>(answers, &query)?.into_iter().map(|netstack| netstack.key).collect())
}

fn failure_kind(answer: &Result<Value, QueryError>) -> Option<FailureKind> {
    match answer {
        Err(QueryError::Failed(failure)) => Some(failure.kind),
        _ => None,
    }
}

/// The answer to `query`, or why there is none.
fn answer<'a>(answers: &'a Answers, query: &Query) -> Result<&'a Value, String> {
    match answers.get(query) {
        Some(Ok(value)) => Ok(value),
        Some(Err(error)) => Err(format!("{query}: {error}")),
        None => Err(format!("{query}: not asked")),
    }
}

fn rows<T: FromRecord>(answers: &Answers, query: &Query) -> Result<Vec<T>, String> {
    read_list(query.command.path_str(), answer(answers, query)?).map_err(|error| format!("{query}: {error}"))
}

fn rows_or_none<T: FromRecord>(answers: &Answers, command: ReadCommand) -> Vec<T> {
    rows(answers, &Query::all(command)).unwrap_or_default()
}

/// Canonical text of the list answers without volatile fields; equal text means nothing changed.
#[must_use]
pub fn fingerprint(answers: &Answers) -> String {
    let mut text = String::new();
    for query in fingerprint_queries() {
        text.push_str(&format!("== {query}\n"));
        let mut lines: Vec<String> = match answers.get(&query) {
            None => vec!["not asked".to_owned()],
            Some(Err(error)) => vec![format!("error {error}")],
            Some(Ok(value)) => match value.to_records() {
                Some(records) => records.into_iter().map(record_line).collect(),
                None => vec![format!("{value:?}")],
            },
        };
        lines.sort();
        for line in lines {
            text.push_str(&line);
            text.push('\n');
        }
    }
    text
}

fn record_line(record: &Record) -> String {
    let stable = record.fields().filter(|(name, _)| !VOLATILE.contains(name));
    stable.map(|(name, value)| format!("{name}={}", flat(value))).collect::<Vec<_>>().join("\t")
}

fn flat(value: &Value) -> String {
    match value {
        Value::Str(text) => text.trim().escape_debug().to_string(),
        Value::Int(number) => number.to_string(),
        Value::Bool(flag) => flag.to_string(),
        Value::List(items) => format!("[{}]", items.iter().map(flat).collect::<Vec<_>>().join("|")),
        Value::Record(record) => format!("{{{}}}", record_line(record)),
    }
}

#[cfg(test)]
mod tests;
