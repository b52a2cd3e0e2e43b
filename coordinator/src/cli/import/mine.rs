//! `pointsman import` without a group name: groups proposed, proven, shown, and written or committed.
//!
//! Owns: the order of these, the tables and the JSON. Must not: decide which hosts belong together (`engine::adopt`
//! does). Called by `import`.

use super::branches::{Branch, commit};
use super::target::Target;
use super::{Args, HostReport, is_in};
use crate::cli::failure::{CliError, Outcome};
use crate::cli::findings::{plural, print as print_findings, settle};
use crate::cli::progress;
use crate::cli::screen::{Form, Screen};
use engine::adopt::{Adopted, Files, Hints, HostLabels, Mined, Outlier, Proof, Prover, mine};
use model::{Finding, HostGroupId, HostId, ObservedNetwork};
use serde::Serialize;
use std::collections::BTreeMap;

/// Most outliers and notes shown to people; `--json` gives all.
const ROWS_MAX: usize = 100;
/// Most hosts named in a cell.
const HOSTS_MAX: usize = 3;

type Observed = BTreeMap<HostId, ObservedNetwork>;
/// Hosts that are in no group.
type Strangers<'a> = BTreeMap<HostId, &'a ObservedNetwork>;

#[derive(Serialize)]
struct Report {
    written: bool,
    groups: Vec<GroupReport>,
    /// Hosts that are in no group because lists of theirs could not be read.
    unread: BTreeMap<HostId, Vec<String>>,
    /// Hosts that are in a group already.
    at_home: BTreeMap<HostId, HostGroupId>,
    findings: Vec<Finding>,
}

#[derive(Serialize)]
struct GroupReport {
    group: HostGroupId,
    proven: bool,
    files: Vec<String>,
    overrides: usize,
    branch: Option<Branch>,
    hosts: Vec<HostReport>,
    outliers: Vec<Outlier>,
    notes: BTreeMap<String, Vec<HostId>>,
}

/// Runs the verb.
pub fn run(
    args: &Args,
    mut target: Target,
    observed: &Observed,
    labels: HostLabels,
    screen: &mut Screen<'_>,
) -> Result<Outcome, CliError> {
    for group in &args.group {
        target.make_room(group, args.force)?;
    }
    let home = |host: &HostId| Some((host.clone(), target.home(host)?.clone()));
    let at_home: BTreeMap<HostId, HostGroupId> = observed.keys().filter_map(home).collect();
    let strangers: Strangers<'_> = observed
        .iter()
        .filter(|(host, _)| !at_home.contains_key(*host))
        .map(|(host, seen)| (host.clone(), seen))
        .collect();
    let hints = Hints { labels, names: args.group.clone(), taken: target.groups().cloned().collect() };
    let Mined { groups, unread } = mine(&strangers, &hints).map_err(CliError::failed)?;
    let mut files: Files = groups.iter().flat_map(|adopted| adopted.files.clone()).collect();
    files.extend(target.site());
    let prover = target.prover(&files);
    let mut reports = prove(&prover, &groups, &strangers, screen);
    let proven: Vec<&Adopted> = groups
        .iter()
        .filter(|adopted| reports.iter().any(|report| report.proven && report.group == adopted.group))
        .collect();
    let written = !args.dry_run && !proven.is_empty();
    if written && args.branches {
        for (adopted, branch) in proven.iter().zip(commit(&target, &proven)?) {
            let report = reports.iter_mut().find(|report| report.group == adopted.group);
            if let Some(report) = report {
                report.branch = Some(branch);
            }
        }
    } else if written {
        let mut files: Files = proven.iter().flat_map(|adopted| adopted.files.clone()).collect();
        files.extend(target.site());
        target.write(&files)?;
    }
    let mut findings: Vec<Finding> = prover.findings().to_vec();
    findings.retain(|finding| is_in(finding, &files));
    settle(&mut findings);
    let clean = reports.iter().all(|report| report.proven) && unread.is_empty();
    let report = Report { written, groups: reports, unread, at_home, findings };
    match screen.form {
        Form::Json => screen.json(&report)?,
        Form::Text => print(&report, screen)?,
    }
    Ok(if clean { Outcome::Clean } else { Outcome::Problems })
}

fn prove(
    prover: &Prover,
    groups: &[Adopted],
    observed: &Strangers<'_>,
    screen: &Screen<'_>,
) -> Vec<GroupReport> {
    let bar = progress::bar(screen, observed.len(), "planning hosts");
    let mut reports = Vec::new();
    for adopted in groups {
        let prove = |host: &HostId| {
            let proof = prover.prove(&adopted.group, host, observed.get(host)?);
            bar.inc(1);
            Some(proof)
        };
        let proofs: Vec<Proof> = adopted.hosts.iter().filter_map(prove).collect();
        let ours = |finding: &Finding| finding.is_error() && is_in(finding, &adopted.files);
        let mut notes: BTreeMap<String, Vec<HostId>> = BTreeMap::new();
        for (host, note) in &adopted.notes {
            notes.entry(note.clone()).or_default().push(host.clone());
        }
        reports.push(GroupReport {
            group: adopted.group.clone(),
            proven: proofs.iter().all(Proof::holds) && !prover.findings().iter().any(ours),
            files: adopted.files.keys().cloned().collect(),
            overrides: adopted.overrides,
            branch: None,
            hosts: proofs.iter().map(HostReport::of).collect(),
            outliers: adopted.outliers.clone(),
            notes,
        });
    }
    bar.finish_and_clear();
    reports
}

/// Some hosts by name, the rest by number.
fn named(hosts: &[HostId]) -> String {
    let names: Vec<String> = hosts.iter().take(HOSTS_MAX).map(ToString::to_string).collect();
    match hosts.len().saturating_sub(HOSTS_MAX) {
        0 => names.join(", "),
        left => format!("{} and {left} more", names.join(", ")),
    }
}

fn print(report: &Report, screen: &mut Screen<'_>) -> Result<(), CliError> {
    for (host, unread) in &report.unread {
        screen.line(format_args!("left out: {host}: {}; read the host again", unread.join(", ")))?;
    }
    if !report.at_home.is_empty() {
        let hosts: Vec<HostId> = report.at_home.keys().cloned().collect();
        screen.line(format_args!("left out, in a group already: {}", named(&hosts)))?;
    }
    let notes = report.groups.iter().flat_map(|group| &group.notes);
    for (note, hosts) in notes.take(ROWS_MAX) {
        screen.line(format_args!("note: {}: {note}", named(hosts)))?;
    }
    print_findings(&report.findings, screen)?;
    let outliers = report.groups.iter().flat_map(|group| group.outliers.iter().map(|o| (&group.group, o)));
    print_outliers(outliers, screen)?;
    for host in report.groups.iter().flat_map(|group| &group.hosts).filter(|host| !host.proven) {
        screen.line(host.row().join("  "))?;
    }
    let rows: Vec<Vec<String>> = report.groups.iter().map(row).collect();
    screen.table(&["group", "hosts", "overrides", "outliers", "proof", "branch"], rows, "no groups")?;
    let hosts: usize = report.groups.iter().filter(|group| group.proven).map(|group| group.hosts.len()).sum();
    let groups = report.groups.iter().filter(|group| group.proven).count();
    let (hosts, groups) = (plural(hosts, "host"), plural(groups, "group"));
    match report.written {
        true => screen.line(format_args!("{hosts} imported into {groups}; the first plan is empty")),
        false => {
            screen.line(format_args!("nothing was written: {hosts} in {groups} would have an empty plan"))
        }
    }
}

fn row(group: &GroupReport) -> Vec<String> {
    let proof = if group.proven { "empty plan" } else { "NOT PROVEN" };
    vec![
        group.group.to_string(),
        group.hosts.len().to_string(),
        group.overrides.to_string(),
        group.outliers.len().to_string(),
        proof.to_owned(),
        group.branch.as_ref().map_or_else(|| "-".to_owned(), |branch| branch.name.clone()),
    ]
}

/// A table of outliers, when there are any.
pub fn print_outliers<'a>(
    outliers: impl Iterator<Item = (&'a HostGroupId, &'a Outlier)>,
    screen: &mut Screen<'_>,
) -> Result<(), CliError> {
    let all: Vec<_> = outliers.collect();
    if all.is_empty() {
        return Ok(());
    }
    let rows = all.iter().take(ROWS_MAX).map(|(group, outlier)| {
        let cause = outlier.cause.as_str().replace('_', " ");
        vec![group.to_string(), named(&outlier.hosts), cause, outlier.text.clone()]
    });
    screen.table(&["group", "outlier", "cause", "what"], rows.collect::<Vec<_>>(), "")?;
    if all.len() > ROWS_MAX {
        screen.line(format_args!("and {} more; --json shows all", all.len() - ROWS_MAX))?;
    }
    screen.line("")
}
