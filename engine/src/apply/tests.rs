//! Tests of the apply machine: a small host made of `project`, scenarios, the table, random runs.

mod approval;
mod random;
mod recovery;
mod saving;
mod scenarios;
mod table;
mod truth;

use super::*;
use crate::plan::plan;
use crate::project::{ProjectError, project};
use model::{
    ChangeId, DesiredNetwork, DesiredPortGroup, Disruption, HostFacts, Known, Millis, ObservedNetwork,
    ObservedPortGroup, ObservedVswitch, Operation, Order, PortGroupName, Presence, ProbePlan, ProbeResult,
    ProbeVerdict, Uptime, Vlan, VlanId, VswitchName, Wall,
};
use std::collections::{BTreeMap, BTreeSet};

pub(super) fn id() -> HostId {
    HostId::new("esx1").unwrap()
}

pub(super) fn boot(text: &str) -> BootId {
    BootId(text.to_owned())
}

pub(super) fn at(ms: u64) -> Now {
    Now { wall: Wall(1_000_000 + ms), uptime: Uptime(ms) }
}

fn vlan(number: u16) -> Vlan {
    Vlan::Tagged(VlanId::new(number).unwrap())
}

fn name(text: &str) -> PortGroupName {
    PortGroupName::new(text).unwrap()
}

fn vswitch() -> ObservedVswitch {
    use model::{
        CdpStatus, FailureDetection, LoadBalancing, Mtu, SecurityPolicy, ShapingPolicy, TeamingPolicy,
        UplinkOrder,
    };
    ObservedVswitch {
        mtu: Known::Read(Mtu::new(1500).unwrap()),
        cdp: Known::Read(CdpStatus::Listen),
        uplinks: Known::Read(BTreeSet::new()),
        teaming: Known::Read(TeamingPolicy {
            load_balancing: LoadBalancing::PortId,
            failure_detection: FailureDetection::Link,
            notify_switches: true,
            failback: true,
            uplinks: UplinkOrder::default(),
        }),
        security: Known::Read(SecurityPolicy {
            allow_promiscuous: false,
            allow_mac_change: false,
            allow_forged_transmits: false,
        }),
        shaping: Known::Read(ShapingPolicy::Off),
    }
}

/// A host with one switch and no port groups.
pub(super) fn empty_host() -> ObservedNetwork {
    let vswitches = BTreeMap::from([(VswitchName::new("vSwitch0").unwrap(), vswitch())]);
    ObservedNetwork {
        taken_at: Wall(0),
        facts: HostFacts::default(),
        management_vmk: Known::Read(None),
        vswitches: Known::Read(vswitches),
        port_groups: Known::Read(BTreeMap::<PortGroupName, ObservedPortGroup>::new()),
        vmkernels: Known::Read(BTreeMap::new()),
        nics: Known::Read(BTreeMap::new()),
        netstacks: Known::Read(BTreeMap::new()),
        vms: Known::Read(Vec::new()),
        dvs: Known::Read(Vec::new()),
    }
}

/// The desired state: these port groups with these VLANs.
pub(super) fn desired(groups: &[(&str, u16)]) -> DesiredNetwork {
    let group = |number: u16| DesiredPortGroup {
        vswitch: Some(VswitchName::new("vSwitch0").unwrap()),
        vlan: Some(vlan(number)),
        ..DesiredPortGroup::default()
    };
    let port_groups =
        groups.iter().map(|(text, number)| (name(text), Presence::Present(group(*number)))).collect();
    DesiredNetwork { port_groups, ..DesiredNetwork::default() }
}

pub(super) fn order(host: &ObservedNetwork, generation: u64, groups: &[(&str, u16)]) -> Box<Order> {
    let desired = desired(groups);
    let planned = plan(&desired, host).plan;
    Box::new(Order {
        host: id(),
        change: ChangeId::new(format!("change-{generation}")).unwrap(),
        generation: Generation(generation),
        commit: "c0ffee".to_owned(),
        desired,
        plan_digest: planned.digest,
        disruption_allowed: Disruption::TrafficLoss,
        confirm_timeout: Millis::from_secs(60),
        probes: ProbePlan::default(),
    })
}

/// A world around the machine: performs effects one by one, fails when told to.
pub(super) struct World {
    pub machine: ApplyMachine,
    pub host: ObservedNetwork,
    pub journal: Vec<Record>,
    pub reports: Vec<ApplyOutcome>,
    pub rejected: u32,
    pub persisted: u32,
    pub pending: std::collections::VecDeque<Effect>,
    pub now: u64,
    /// Answers of steps to come: what the call says, and whether it has its effect.
    pub step_faults: Vec<(StepResult, bool)>,
    pub unreadable: u32,
    pub journal_fails: bool,
    /// Savings to come that fail.
    pub save_fails: u32,
    /// What the next boot begins with, and the boot of now.
    pub saved: ObservedNetwork,
    pub boot: String,
    pub confirm: Option<ConfirmVerdict>,
    /// How old the connection is that the confirmation comes over, in milliseconds.
    pub connection_age: u64,
    /// Probes that fail after the change.
    pub silent: u32,
    pub steps_run: Vec<Operation>,
}

impl World {
    pub fn new() -> Self {
        Self {
            machine: ApplyMachine::new(id(), boot("b1")),
            host: empty_host(),
            journal: Vec::new(),
            reports: Vec::new(),
            rejected: 0,
            persisted: 0,
            pending: std::collections::VecDeque::new(),
            now: 0,
            step_faults: Vec::new(),
            unreadable: 0,
            journal_fails: false,
            save_fails: 0,
            saved: empty_host(),
            boot: "b1".to_owned(),
            confirm: Some(ConfirmVerdict::Confirmed),
            connection_age: 0,
            silent: 0,
            steps_run: Vec::new(),
        }
    }

    pub fn send(&mut self, event: Event) {
        let effects = self.machine.handle(event, at(self.now));
        self.pending.extend(effects);
    }

    fn call(&mut self, operation: &Operation) -> StepResult {
        let (said, works) =
            if self.step_faults.is_empty() { (StepResult::Done, true) } else { self.step_faults.remove(0) };
        if !works {
            return said;
        }
        match project(&mut self.host, operation) {
            Ok(()) => said,
            // As the agent does: removing what is not there is "already so".
            Err(ProjectError::NotFound(..)) if matches!(operation, Operation::PortGroupRemove { .. }) => {
                StepResult::AlreadySo { detail: "not found".to_owned() }
            }
            Err(error) => StepResult::Failed { detail: error.to_string() },
        }
    }

    fn write(&mut self, record: Record) -> bool {
        if !self.journal_fails {
            self.journal.push(record);
        }
        !self.journal_fails
    }

    /// Performs the oldest effect; false when there is none.
    pub fn perform(&mut self) -> bool {
        let Some(effect) = self.pending.pop_front() else { return false };
        self.now += 10;
        match effect {
            Effect::Observe { token } => {
                let fails = self.unreadable > 0;
                self.unreadable = self.unreadable.saturating_sub(1);
                let result =
                    if fails { Err("hostd is down".to_owned()) } else { Ok(Box::new(self.host.clone())) };
                self.send(Event::Observed(Seen { token, result, calls: 5 }));
            }
            Effect::Journal(record) => {
                let event = if self.write(record) {
                    Event::JournalWritten
                } else {
                    Event::JournalFailed { detail: "disk full".to_owned() }
                };
                self.send(event);
            }
            Effect::Note(record) => {
                self.write(record);
            }
            Effect::RunStep { index, operation } => {
                let result = self.call(&operation);
                self.steps_run.push(operation);
                self.send(Event::StepDone { index, result });
            }
            Effect::RunInverse { position, operation } => {
                let result = self.call(&operation);
                self.send(Event::InverseDone { position, result });
            }
            Effect::Probe { token, probes } => {
                let changed = self.machine.phase() == ApplyPhase::Probing;
                let silent = changed && self.silent > 0;
                self.silent = self.silent.saturating_sub(u32::from(changed));
                let results = probes.into_iter().map(|probe| {
                    let verdict = if silent {
                        ProbeVerdict::Unknown { detail: "no answer".to_owned() }
                    } else {
                        ProbeVerdict::Pass
                    };
                    ProbeResult { probe, verdict }
                });
                self.send(Event::Probed { token, results: results.collect() });
            }
            Effect::TryConfirm { change, generation, .. } => {
                let connected_at = Uptime(self.now.saturating_sub(self.connection_age));
                let event = match self.confirm.clone() {
                    Some(verdict) => Event::ConfirmAnswered { change, generation, connected_at, verdict },
                    None => Event::ConfirmUnavailable { change, detail: "no route".to_owned() },
                };
                self.send(event);
            }
            Effect::Persist => {
                if self.save_fails > 0 {
                    self.save_fails -= 1;
                    return self.tell_unsaved();
                }
                self.persisted += 1;
                self.saved = self.host.clone();
                self.send(Event::Persisted(Ok(())));
            }
            Effect::Report(outcome) => self.reports.push(outcome),
            Effect::Progress { .. } => {}
            Effect::Rejected { .. } => self.rejected += 1,
        }
        true
    }

    fn tell_unsaved(&mut self) -> bool {
        self.send(Event::Persisted(Err("exit status 1".to_owned())));
        true
    }

    /// Performs effects and lets time pass until nothing is left to do.
    pub fn settle(&mut self) {
        for _ in 0..10_000 {
            if self.perform() {
                continue;
            }
            match self.machine.next_deadline() {
                Some(due) => {
                    self.now = self.now.max(due.0);
                    self.send(Event::Tick);
                }
                None => return,
            }
        }
        panic!("does not settle: {:?}", self.machine.state());
    }

    /// Performs effects until the machine is in this phase.
    pub fn until(&mut self, phase: ApplyPhase) {
        for _ in 0..1_000 {
            if self.machine.phase() == phase {
                return;
            }
            assert!(self.perform(), "nothing left to do in {:?}", self.machine.phase());
        }
        panic!("never gets to {phase:?}");
    }

    pub fn order(&mut self, order: Box<Order>) {
        self.send(Event::order(order));
        self.settle();
    }

    /// The process dies: only the journal and the host stay; with another boot id the host begins with what is saved.
    pub fn crash(&mut self, boot_id: &str) {
        if self.boot != boot_id {
            boot_id.clone_into(&mut self.boot);
            self.host = self.saved.clone();
        }
        let mut replay = Replay::default();
        for record in self.journal.clone() {
            replay.take(record).unwrap();
        }
        let (machine, effects) =
            ApplyMachine::restore(id(), boot(boot_id), replay, JournalHealth::Sound, at(self.now));
        self.machine = machine;
        self.pending = effects.into();
    }

    pub fn last(&self) -> &OutcomeKind {
        &self.reports.last().expect("an outcome").kind
    }

    pub fn groups(&self) -> Vec<(String, u16)> {
        let groups = self.host.port_groups.read().unwrap();
        groups.iter().map(|(name, group)| (name.to_string(), group.vlan.read().unwrap().number())).collect()
    }
}

/// A host whose management adapter has a gateway that can be asked.
pub(super) fn host_with_gateway() -> ObservedNetwork {
    let mut host = empty_host();
    let read = |value: serde_json::Value| serde_json::json!({ "read": value });
    let vmk = serde_json::json!({
        "attachment": {"port_group": "mgmt"}, "netstack": "defaultTcpipStack", "enabled": true,
        "mac": {"unreadable": {"reason": "not asked"}}, "mtu": read(1500.into()),
        "ipv4": read(serde_json::json!({"static": {"address": "10.0.0.2/24", "gateway": "10.0.0.1"}})),
        "ipv6": read(serde_json::json!({"dhcp": false, "router_advertisements": false})), "services": read(serde_json::json!([]))
    });
    let name = model::VmkName::new("vmk0").unwrap();
    host.vmkernels = Known::Read(BTreeMap::from([(name.clone(), serde_json::from_value(vmk).unwrap())]));
    host.management_vmk = Known::Read(Some(name));
    host
}

/// Somebody else adds a port group.
pub(super) fn somebody_adds(world: &mut World, text: &str) {
    let vswitch = VswitchName::new("vSwitch0").unwrap();
    project(&mut world.host, &Operation::PortGroupAdd { port_group: name(text), vswitch }).unwrap();
}
