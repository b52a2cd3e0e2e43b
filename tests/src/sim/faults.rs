//! Troubles: which, when, to whom.
//!
//! Owns: their plan by chance and what they do. A host that has a change open is hit more often than others. Must not
//! check anything.

use super::host::is_reachable;
use super::settings::Trouble;
use super::watch::Busy;
use super::world::{Event, QUIET_START_MS, World};
use super::{disk, record};
use engine::rollout::Event as Machine;

/// In a thousand troubles that are aimed at a host with an open change.
const AIMED_PER_MILLE: u64 = 800;

/// The file of the records.
const JOURNAL: &str = "journal.log";

/// One trouble.
#[derive(Debug, Clone)]
pub struct Fault {
    kind: Trouble,
    /// The host it is for when that is sure already.
    host: Option<usize>,
    coordinator: usize,
    length: u64,
}

impl Fault {
    /// A person power-cycles a host.
    #[must_use]
    pub fn repair(host: usize) -> Self {
        Self { kind: Trouble::PowerCut, host: Some(host), coordinator: 0, length: 30_000 }
    }
}

impl World {
    /// Draws every trouble of this run.
    pub fn plan_faults(&mut self) {
        let mut rng = self.rng.fork();
        let kinds: Vec<Trouble> = self.settings.kinds.iter().copied().collect();
        let span = 240_000 * u64::from(self.settings.changes.max(1));
        self.faults_end = QUIET_START_MS + span;
        for _ in 0..self.settings.faults {
            let Some(kind) = rng.pick(&kinds).copied() else { return };
            let at = QUIET_START_MS + rng.below(span);
            let longest = match kind {
                Trouble::Stop => 1_200_000,
                Trouble::Calls | Trouble::Messages => 120_000,
                _ => 90_000,
            };
            let length = rng.between(2_000, longest);
            let coordinator = rng.index(self.settings.coordinators);
            self.faults_end = self.faults_end.max(at + length);
            self.at(at, Event::Begin(Box::new(Fault { kind, host: None, coordinator, length })));
        }
    }

    /// Who is hit: an agent is stopped where that hurts most, on a host that is cut off right now.
    fn target(&mut self, kind: Trouble) -> usize {
        let cut = self.stations.iter().position(|station| station.up && !station.reachable);
        if let (Trouble::Stop, Some(host)) = (kind, cut) {
            return host;
        }
        let busy: Vec<usize> =
            self.stations.iter().enumerate().filter(|(_, s)| s.is_busy()).map(|(index, _)| index).collect();
        let aimed = self.rng.chance(AIMED_PER_MILLE);
        match self.rng.pick(&busy).copied().filter(|_| aimed) {
            Some(host) => host,
            None => self.rng.index(self.stations.len()),
        }
    }

    /// A trouble begins.
    pub fn begin(&mut self, fault: &Fault) {
        let host = match fault.host {
            Some(host) => host,
            None => self.target(fault.kind),
        };
        let fault = Fault { host: Some(host), ..fault.clone() };
        self.trace.note(self.now, "trouble", || format!("{fault:?}"));
        let length = fault.length;
        match fault.kind {
            Trouble::Kill => self.kill(host),
            Trouble::DieAtDisk => {
                if let Some(station) = self.stations.get(host) {
                    let at = station.disk.ops() + self.rng.below(12);
                    station.disk.die_at(Some(at));
                }
            }
            Trouble::Stop => self.stop(host, length),
            Trouble::PowerCut => self.power_off(host, length),
            Trouble::Calls => self.bad_calls = 150,
            Trouble::Messages => self.bad_messages = 250,
            Trouble::HostdDown | Trouble::Hang | Trouble::DiskFull | Trouble::ReadOnly => {
                if let Some(watch) = self.watches.get_mut(host) {
                    watch.trouble(length);
                }
                self.lasting(host, fault.kind, On(true));
            }
            Trouble::GuardKill => self.kill_guard(host),
            Trouble::Console => self.console(host),
            Trouble::Extend => self.extend(host),
            Trouble::PartialReads => self.partial_reads = 300,
            Trouble::Corrupt => self.corrupt(host, length),
            Trouble::Torn => self.tear(host),
            Trouble::HourlyBackup => {
                if let Some(station) = self.stations.get_mut(host).filter(|station| station.up) {
                    station.host.auto_backup();
                }
            }
            Trouble::Foreign => self.foreign(host),
            Trouble::Partition => {
                if let Some(station) = self.stations.get_mut(host) {
                    station.apart.insert(fault.coordinator);
                }
            }
            Trouble::CoordinatorKill => {
                if let Some(coordinator) = self.coordinators.get_mut(fault.coordinator) {
                    coordinator.kill();
                }
            }
            Trouble::StaleCoordinator => {
                if let Some(coordinator) = self.coordinators.get_mut(fault.coordinator) {
                    coordinator.db_cut = true;
                }
            }
            Trouble::WallJump => {
                let years = i64::try_from(self.rng.below(20)).unwrap_or(0) - 10;
                if let Some(station) = self.stations.get_mut(host) {
                    station.wall_skew = years * 365 * 86_400_000;
                }
            }
            Trouble::Person => {
                let event = if self.rng.chance(500) {
                    Machine::Pause { reason: "paused by a person".to_owned() }
                } else {
                    Machine::Abort { reason: "aborted by a person".to_owned() }
                };
                self.command(event);
            }
        }
        self.after(length, Event::End(Box::new(fault)));
    }

    fn lasting(&mut self, host: usize, kind: Trouble, on: On) {
        let Some(station) = self.stations.get_mut(host) else { return };
        match kind {
            Trouble::HostdDown => station.hostd_down = on.0,
            Trouble::Hang => station.hung = on.0,
            Trouble::DiskFull if on.0 => station.disk.trouble(disk::Trouble::Full),
            Trouble::ReadOnly if on.0 => station.disk.trouble(disk::Trouble::ReadOnly),
            _ => station.disk.trouble(disk::Trouble::None),
        }
    }

    /// Somebody else at the console.
    fn foreign(&mut self, host: usize) {
        let vlan = self.rng.between(180, 199).to_string();
        let (Some(station), Some(watch)) = (self.stations.get_mut(host), self.watches.get_mut(host)) else {
            return;
        };
        if !station.up {
            return;
        }
        let name = format!("foreign-{vlan}");
        let add = "network vswitch standard portgroup add -v vSwitch1 -p";
        let mut argv: Vec<&str> = add.split(' ').collect();
        argv.push(&name);
        station.host.run(&argv);
        station.reachable = is_reachable(&station.host);
        let busy = if station.is_busy() { Busy::Yes } else { Busy::No };
        watch.foreign(&station.host, busy);
        watch.trouble(0);
        // ESXi saves by itself what a person changed, once nothing of ours is open.
        if !watch.is_open() && record::open(&station.disk).is_none() {
            station.host.auto_backup();
        }
    }

    /// A trouble ends.
    pub fn end(&mut self, fault: &Fault) {
        let Some(host) = fault.host else { return };
        match fault.kind {
            Trouble::Calls => self.bad_calls = 0,
            Trouble::Messages => self.bad_messages = 0,
            Trouble::HostdDown | Trouble::Hang | Trouble::DiskFull | Trouble::ReadOnly => {
                self.lasting(host, fault.kind, On(false))
            }
            Trouble::Console => self.release(host),
            Trouble::PartialReads => self.partial_reads = 0,
            Trouble::Corrupt => self.mend(host),
            Trouble::Partition => {
                if let Some(station) = self.stations.get_mut(host) {
                    station.apart.remove(&fault.coordinator);
                }
            }
            Trouble::CoordinatorKill => self.start_coordinator(fault.coordinator),
            Trouble::StaleCoordinator => {
                if let Some(coordinator) = self.coordinators.get_mut(fault.coordinator) {
                    coordinator.db_cut = false;
                }
            }
            Trouble::Kill
            | Trouble::DieAtDisk
            | Trouble::Stop
            | Trouble::PowerCut
            | Trouble::Foreign
            | Trouble::WallJump
            | Trouble::GuardKill
            | Trouble::Extend
            | Trouble::Torn
            | Trouble::HourlyBackup
            | Trouble::Person => {}
        }
    }

    /// A byte in the first of several records is not what was written; the agent finds it when it starts again.
    fn corrupt(&mut self, host: usize, length: u64) {
        self.kill(host);
        let (Some(station), Some(watch)) = (self.stations.get_mut(host), self.watches.get_mut(host)) else {
            return;
        };
        let Some(offset) = inside_first(&station.disk.bytes(JOURNAL)).filter(|_| station.turned.is_none())
        else {
            return;
        };
        if station.disk.turn(JOURNAL, offset) {
            station.turned = Some(offset);
            watch.damaged(true);
            watch.trouble(length);
        }
    }

    /// A person puts the journal in order again, and starts the agent anew.
    fn mend(&mut self, host: usize) {
        let (Some(station), Some(watch)) = (self.stations.get_mut(host), self.watches.get_mut(host)) else {
            return;
        };
        if let Some(offset) = station.turned.take() {
            station.disk.turn(JOURNAL, offset);
            watch.damaged(false);
            self.kill(host);
        }
    }

    /// What a write that was cut off leaves behind.
    fn tear(&mut self, host: usize) {
        self.kill(host);
        let garbage: Vec<u8> =
            (0..self.rng.between(1, 600)).map(|_| self.rng.bits().to_le_bytes()[0]).collect();
        if let Some(station) = self.stations.get(host) {
            station.disk.tear(JOURNAL, &garbage);
        }
    }
}

/// A place inside the first record when there is a second one: length and checksum are four bytes each.
fn inside_first(bytes: &[u8]) -> Option<usize> {
    let length = u32::from_le_bytes(bytes.get(..4)?.try_into().ok()?);
    let length = usize::try_from(length).ok()?;
    (bytes.len() > length + 16).then_some(8 + length / 2)
}

/// Begin or end of what lasts.
#[derive(Debug, Clone, Copy)]
struct On(bool);
