//! Which detail answers calls can change or rest on, and which ones may be carried from an earlier reading.
//!
//! Owns: [`Touched`] and [`carry`]. Must not: decide when carrying is allowed; the agent does, and it
//! reads everything when in doubt. An answer is carried only when it was read without an error, no call
//! touches it, and the rows of the lists it belongs to are as they were.

use super::{Answers, flat, netstack_query, record_line};
use crate::output::{Record, Value};
use crate::query::{Query, ReadCommand};
use model::{
    Known, NetstackName, ObservedNetwork, Operation, PortGroupName, VmkAttachment, VmkName, VswitchName,
};
use std::collections::BTreeSet;

/// Policies of a switch, with the same policy of a port group on it.
const POLICIES: [(ReadCommand, ReadCommand); 3] = [
    (ReadCommand::VswitchFailoverGet, ReadCommand::PortGroupFailoverGet),
    (ReadCommand::VswitchSecurityGet, ReadCommand::PortGroupSecurityGet),
    (ReadCommand::VswitchShapingGet, ReadCommand::PortGroupShapingGet),
];

/// Detail queries whose answers must be read anew.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Touched(BTreeSet<Query>);

impl Touched {
    /// What these calls change, drag along or rest on; `observed` is the host before them.
    ///
    /// A call's inverse belongs to the calls: it names what has to be known to go back.
    #[must_use]
    pub fn by(operations: &[&Operation], observed: &ObservedNetwork) -> Self {
        let mut collect = Collect { operations, observed, queries: BTreeSet::new() };
        for operation in operations {
            collect.operation(operation);
        }
        Self(collect.queries)
    }

    /// What the way to the coordinator rests on; `None` when that way is not known.
    #[must_use]
    pub fn management(observed: &ObservedNetwork) -> Option<Self> {
        let Known::Read(Some(name)) = &observed.management_vmk else { return None };
        let vmk = observed.vmkernels.read()?.get(name)?;
        let mut queries = BTreeSet::from([
            Query::about(ReadCommand::TagGet, name.as_str()),
            Query::all(ReadCommand::RouteIpv4List),
            netstack_query(ReadCommand::RouteIpv4List, vmk.netstack.as_str()),
        ]);
        if let VmkAttachment::PortGroup(group) = &vmk.attachment {
            let on = &observed.port_groups.read()?.get(group)?.vswitch;
            queries.insert(Query::about(ReadCommand::PortGroupFailoverGet, group.as_str()));
            queries.insert(Query::about(ReadCommand::VswitchFailoverGet, on.as_str()));
        }
        Some(Self(queries))
    }

    /// Both.
    #[must_use]
    pub fn and(mut self, other: Self) -> Self {
        self.0.extend(other.0);
        self
    }

    /// Whether this answer must be read anew.
    #[must_use]
    pub fn contains(&self, query: &Query) -> bool {
        self.0.contains(query)
    }
}

struct Collect<'a> {
    operations: &'a [&'a Operation],
    observed: &'a ObservedNetwork,
    queries: BTreeSet<Query>,
}

impl Collect<'_> {
    fn add(&mut self, command: ReadCommand, subject: &str) {
        self.queries.insert(Query::about(command, subject));
    }

    fn all(&mut self, command: ReadCommand) {
        self.queries.insert(Query::all(command));
    }

    fn operation(&mut self, operation: &Operation) {
        use Operation as O;
        match operation {
            // The lists tell these.
            O::VswitchSet { .. } | O::PortGroupVlanSet { .. } => {}
            O::VswitchAdd { vswitch } | O::VswitchRemove { vswitch } => {
                for (own, _) in POLICIES {
                    self.policy(own, vswitch);
                }
            }
            O::UplinkAdd { vswitch, .. } | O::UplinkRemove { vswitch, .. } => {
                self.policy(ReadCommand::VswitchFailoverGet, vswitch);
                self.all(ReadCommand::DvsList);
            }
            O::VswitchTeamingSet { vswitch, .. } => self.policy(ReadCommand::VswitchFailoverGet, vswitch),
            O::VswitchSecuritySet { vswitch, .. } => self.policy(ReadCommand::VswitchSecurityGet, vswitch),
            O::VswitchShapingSet { vswitch, .. } => self.policy(ReadCommand::VswitchShapingGet, vswitch),
            O::PortGroupAdd { port_group, .. } | O::PortGroupRemove { port_group, .. } => {
                for (_, inherited) in POLICIES {
                    self.add(inherited, port_group.as_str());
                }
            }
            O::PortGroupTeamingSet { port_group, .. } => {
                self.add(ReadCommand::PortGroupFailoverGet, port_group.as_str());
            }
            O::PortGroupSecuritySet { port_group, .. } => {
                self.add(ReadCommand::PortGroupSecurityGet, port_group.as_str());
            }
            O::PortGroupShapingSet { port_group, .. } => {
                self.add(ReadCommand::PortGroupShapingGet, port_group.as_str());
            }
            O::VmkAdd { vmk, .. }
            | O::VmkRemove { vmk }
            | O::VmkSet { vmk, .. }
            | O::VmkIpv4Set { vmk, .. } => {
                self.vmk(vmk);
            }
            O::VmkIpv6Set { vmk, .. }
            | O::VmkIpv6AddressAdd { vmk, .. }
            | O::VmkIpv6AddressRemove { vmk, .. } => self.ipv6(vmk),
            O::VmkTagAdd { vmk, .. } | O::VmkTagRemove { vmk, .. } => {
                self.add(ReadCommand::TagGet, vmk.as_str());
            }
            O::NicUp { vmnic } | O::NicDown { vmnic } | O::NicSet { vmnic, .. } => {
                self.add(ReadCommand::NicGet, vmnic.as_str());
            }
            O::NetstackAdd { netstack }
            | O::NetstackRemove { netstack }
            | O::RouteAdd { netstack, .. }
            | O::RouteRemove { netstack, .. }
            | O::DnsServerAdd { netstack, .. }
            | O::DnsServerRemove { netstack, .. }
            | O::DnsSearchAdd { netstack, .. }
            | O::DnsSearchRemove { netstack, .. } => self.netstack(netstack),
        }
    }

    /// A policy of a switch, and what the port groups on it inherit of it.
    fn policy(&mut self, own: ReadCommand, vswitch: &VswitchName) {
        self.add(own, vswitch.as_str());
        let inherited = POLICIES.into_iter().find(|(command, _)| *command == own).map(|(_, group)| group);
        let Some(inherited) = inherited else { return };
        for group in self.groups_on(vswitch) {
            self.add(inherited, group.as_str());
        }
    }

    fn groups_on(&self, vswitch: &VswitchName) -> BTreeSet<PortGroupName> {
        let there = self.observed.port_groups.read().into_iter().flatten();
        let there = there.filter(|(_, group)| group.vswitch == *vswitch).map(|(name, _)| name.clone());
        let joining = self.operations.iter().filter_map(|operation| match operation {
            Operation::PortGroupAdd { port_group, vswitch: on } if on == vswitch => Some(port_group.clone()),
            _ => None,
        });
        there.chain(joining).collect()
    }

    /// An adapter brings addresses, services and routes, and takes them along.
    fn vmk(&mut self, vmk: &VmkName) {
        self.add(ReadCommand::TagGet, vmk.as_str());
        self.ipv6(vmk);
        let observed = self.observed.vmkernels.read().and_then(|vmks| vmks.get(vmk));
        let made = self.operations.iter().filter_map(|operation| match operation {
            Operation::VmkAdd { vmk: name, netstack, .. } if name == vmk => {
                Some(netstack.clone().unwrap_or_else(NetstackName::default_stack))
            }
            _ => None,
        });
        let stacks: BTreeSet<NetstackName> =
            made.chain(observed.map(|state| state.netstack.clone())).collect();
        for netstack in &stacks {
            self.netstack(netstack);
        }
    }

    fn ipv6(&mut self, vmk: &VmkName) {
        self.all(ReadCommand::Ipv6Get);
        self.all(ReadCommand::Ipv6AddressList);
        self.add(ReadCommand::Ipv6Get, vmk.as_str());
    }

    fn netstack(&mut self, netstack: &NetstackName) {
        for command in [ReadCommand::RouteIpv4List, ReadCommand::DnsServerList, ReadCommand::DnsSearchList] {
            self.queries.insert(netstack_query(command, netstack.as_str()));
        }
    }
}

/// The answers of `last` that still hold beside the fresh `lists`: the rest is to be asked again.
#[must_use]
pub fn carry(last: &Answers, lists: &Answers, touched: &Touched) -> Answers {
    let holds = |query: &Query| !lists.contains_key(query) && !touched.contains(query);
    let kept =
        last.iter().filter(|(query, answer)| answer.is_ok() && holds(query) && unmoved(query, last, lists));
    kept.map(|(query, answer)| (query.clone(), answer.clone())).collect()
}

/// Whether the rows of the lists that an answer belongs to are as they were.
fn unmoved(query: &Query, last: &Answers, lists: &Answers) -> bool {
    use ReadCommand as C;
    let subject = query.subject.as_deref().unwrap_or_default();
    let same = |command| same_list(command, last, lists);
    match query.command {
        C::VswitchFailoverGet | C::VswitchSecurityGet | C::VswitchShapingGet => {
            same_switch(subject, last, lists)
        }
        C::PortGroupFailoverGet | C::PortGroupSecurityGet | C::PortGroupShapingGet => {
            let on = row(lists, C::PortGroupList, subject).and_then(|row| row.get("VirtualSwitch").map(flat));
            same_row(C::PortGroupList, subject, last, lists)
                && on.is_some_and(|vswitch| same_switch(&vswitch, last, lists))
        }
        C::NicGet => same_row(C::NicList, subject, last, lists),
        C::TagGet => same_row(C::InterfaceList, subject, last, lists),
        C::Ipv6Get | C::Ipv6AddressList => same(C::InterfaceList),
        C::RouteIpv4List | C::DnsServerList | C::DnsSearchList => {
            same(C::InterfaceList) && same(C::Ipv4Get) && same(C::NetstackList)
        }
        C::DvsList => same(C::NicList),
        C::SystemVersionGet | C::SystemHostnameGet | C::SystemUuidGet | C::PlatformGet => true,
        // Lists, the lists of single netstacks, and what an observation does not ask.
        _ => false,
    }
}

fn records(answers: &Answers, command: ReadCommand) -> Option<Vec<&Record>> {
    answers.get(&Query::all(command))?.as_ref().ok().and_then(Value::to_records)
}

fn row<'a>(answers: &'a Answers, command: ReadCommand, name: &str) -> Option<&'a Record> {
    let named = |record: &&Record| record.get("Name").is_some_and(|value| flat(value) == name);
    records(answers, command)?.into_iter().find(named)
}

fn same_list(command: ReadCommand, last: &Answers, lists: &Answers) -> bool {
    let lines = |answers| {
        let mut lines: Vec<String> = records(answers, command)?.into_iter().map(record_line).collect();
        lines.sort();
        Some(lines)
    };
    let before: Option<Vec<String>> = lines(last);
    before.is_some() && before == lines(lists)
}

fn same_row(command: ReadCommand, name: &str, last: &Answers, lists: &Answers) -> bool {
    let line = |answers| row(answers, command, name).map(record_line);
    let before = line(last);
    before.is_some() && before == line(lists)
}

/// Policies hang on the switch and its uplinks; its other fields, such as the MTU, do not move them.
fn same_switch(name: &str, last: &Answers, lists: &Answers) -> bool {
    let uplinks = |answers| row(answers, ReadCommand::VswitchList, name)?.get("Uplinks").map(flat);
    let before: Option<String> = uplinks(last);
    before.is_some() && before == uplinks(lists)
}

#[cfg(test)]
mod tests;
