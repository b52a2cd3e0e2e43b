//! The place of the attacks: one lab with real programs, and what its hosts look like before and after each.
//!
//! Owns: the lab, the footprint of its hosts, the audit trail as evidence. Must not know a single attack.

use crate::verdict::{Evil, Told, Verdict};
use anyhow::{Context, Result, ensure};
use model::{ObservedNetwork, Wall};
use serde_json::Value;
use simulator::{Host, HostDir};
use std::path::Path;
use std::time::Instant;
use tests::lab::{Lab, LabSettings, Limit, Programs, wait_for};

/// Longest wait for anything that should come.
pub const LIMIT: Limit = Limit::secs(60);
/// Longest wait for a trace of a refusal.
pub const TRACE_LIMIT: Limit = Limit::secs(20);
/// Hosts of the lab.
const HOSTS: usize = 2;
/// Entries of the audit trail that are looked at.
const AUDIT_ROWS: &str = "500";

/// One attack: its name, who does it, the kinds it may be refused as, and how it is done on a ground `G`.
pub struct Attack<G> {
    /// Unique.
    pub name: &'static str,
    /// The kinds of refusal that are right.
    pub expected: &'static [&'static str],
    /// Does it.
    pub run: fn(&mut G) -> Result<Told>,
}

/// The lab.
pub struct Stage {
    /// Coordinator, agents, hosts.
    pub lab: Lab,
    /// Names of the hosts.
    pub names: Vec<String>,
    /// What came of the attacks so far.
    pub verdicts: Vec<Verdict>,
    /// Things that must work, or refusals prove nothing.
    pub controls: Vec<(&'static str, bool)>,
    /// Only attacks whose name begins so.
    pub only: Option<String>,
}

/// How a host is, and every changing call ever made on it.
type Look = (ObservedNetwork, Vec<String>);
/// What "untouched" means: the looks of all hosts.
type Footprint = Vec<Look>;

impl Stage {
    /// A lab below `root` with every host enrolled and imported.
    pub fn set(root: &Path, programs: Programs, only: Option<String>) -> Result<Self> {
        let settings = LabSettings { root: root.join("lab"), hosts: HOSTS, database_url: None };
        let mut lab = Lab::start(&settings, programs)?;
        lab.enrol_all(|_| {})?;
        lab.wait_observed(LIMIT)?;
        lab.import(LIMIT).context("the import")?;
        let names = lab.host_names()?;
        Ok(Self { lab, names, verdicts: Vec::new(), controls: Vec::new(), only })
    }

    fn footprint(&self) -> Result<Footprint> {
        let of = |name: &String| {
            let dir = HostDir::new(self.lab.host_dir(name));
            let calls = dir.calls()?;
            let writes = calls.iter().filter(|argv| Host::is_write(argv)).map(|argv| esxcli::display(argv));
            Ok((dir.load()?.describe(Wall(0))?, writes.collect()))
        };
        self.names.iter().map(of).collect()
    }

    /// Changing calls on all hosts so far.
    pub fn writes(&self) -> Result<usize> {
        Ok(self.footprint()?.iter().map(|(_, writes)| writes.len()).sum())
    }

    /// Number of the newest entry of the audit trail.
    pub fn audit_end(&self) -> Result<i64> {
        let newest = self.lab.list(&["audit", "list", "--limit", "1"])?;
        Ok(newest.first().and_then(|entry| entry["sequence"].as_i64()).unwrap_or_default())
    }

    /// Waits for an entry after `since` that fits; gives its action and number.
    pub fn audited(&self, since: i64, fits: impl Fn(&Value) -> bool) -> Result<(String, String)> {
        wait_for(TRACE_LIMIT, "an entry of the audit trail", || {
            let entries = self.lab.list(&["audit", "list", "--limit", AUDIT_ROWS])?;
            let found = entries
                .iter()
                .filter(|entry| entry["sequence"].as_i64().is_some_and(|number| number > since))
                .find(|entry| fits(entry));
            Ok(found.map(|entry| {
                let action = entry["action"].as_str().unwrap_or_default().to_owned();
                (action, format!("audit entry {}", entry["sequence"]))
            }))
        })
    }
}

/// How many changes there are between two footprints: changing calls, and hosts that look different.
fn mutations(before: &Footprint, after: &Footprint) -> usize {
    let of = |((old, calls), (new, more)): (&Look, &Look)| {
        more.len().saturating_sub(calls.len()).max(usize::from(old != new || calls != more))
    };
    before.iter().zip(after).map(of).sum()
}

/// A place where attacks are done.
pub trait Ground {
    /// The lab below.
    fn stage(&mut self) -> &mut Stage;
}

/// Does attacks one after the other.
pub fn play<G: Ground>(ground: &mut G, by: Evil, attacks: &[Attack<G>], show: fn(&Verdict)) -> Result<()> {
    for attack in attacks {
        if ground.stage().only.as_ref().is_some_and(|only| !attack.name.starts_with(only.as_str())) {
            continue;
        }
        let before = ground.stage().footprint()?;
        let begun = Instant::now();
        let told = (attack.run)(ground);
        let stage = ground.stage();
        let after = stage.footprint()?;
        ensure!(before.len() == after.len(), "a host is gone");
        let about = (attack.name, by, attack.expected);
        let verdict = Verdict::new(about, told, mutations(&before, &after), begun.elapsed().as_millis());
        show(&verdict);
        stage.verdicts.push(verdict);
    }
    Ok(())
}

impl Ground for Stage {
    fn stage(&mut self) -> &mut Stage {
        self
    }
}
