//! `pointsman import`: live hosts as documents, with the proof that the documents change nothing.
//!
//! Owns: the verb, and writing one group (`--group G`); `mine` proposes groups, `branches` commits them. What is written
//! is decided in `engine::adopt`. Files are written only when the proof holds. Must not: touch a host. Called by the
//! command line.

mod branches;
mod mine;
mod target;

#[cfg(test)]
#[path = "../../../../engine/src/adopt/testkit.rs"]
pub(crate) mod testkit;

use super::client::Remote;
use super::failure::{CliError, Outcome};
use super::screen::{Form, Screen};
use super::{findings, observed};
use engine::adopt::{Adopted, Files, Outlier, Proof, adopt};
use model::{Finding, HostGroupId, HostId, ObservedNetwork};
use serde::Serialize;
use std::collections::BTreeMap;
use std::path::PathBuf;
use target::Target;

/// Arguments.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// The repository.
    #[arg(default_value = ".")]
    dir: PathBuf,
    /// The repository, made when it is not there.
    #[arg(long, conflicts_with = "dir")]
    out: Option<PathBuf>,
    /// Write all hosts as this group. Without it, or given more than once, groups are proposed; the names go to the
    /// largest ones.
    #[arg(long)]
    group: Vec<HostGroupId>,
    /// Propose groups even when one name is given.
    #[arg(long)]
    mine: bool,
    /// Only these hosts; without any, all that are in no other group.
    #[arg(long)]
    host: Vec<HostId>,
    /// Host description files; without any, the coordinator is asked.
    #[arg(long)]
    host_file: Vec<PathBuf>,
    /// Show what would be written, and write nothing.
    #[arg(long)]
    dry_run: bool,
    /// Write the groups named with --group anew when they are there already.
    #[arg(long, conflicts_with = "branches")]
    force: bool,
    /// Commit each proposed group with its own RFC document on a branch of its own, `adopt/GROUP`; the folder stays as it is.
    #[arg(long)]
    branches: bool,
    #[command(flatten)]
    remote: Remote,
}

#[derive(Serialize)]
struct Report {
    group: HostGroupId,
    written: bool,
    files: Vec<String>,
    hosts: Vec<HostReport>,
    overrides: usize,
    outliers: Vec<Outlier>,
    notes: Vec<String>,
    findings: Vec<Finding>,
}

#[derive(Serialize)]
struct HostReport {
    host: HostId,
    steps: usize,
    proven: bool,
}

impl HostReport {
    fn of(proof: &Proof) -> Self {
        Self { host: proof.host.clone(), steps: proof.steps(), proven: proof.holds() }
    }

    fn row(&self) -> Vec<String> {
        let word = if self.proven { "empty plan" } else { "NOT PROVEN" };
        vec![self.host.to_string(), self.steps.to_string(), word.to_owned()]
    }
}

/// Runs the verb.
pub fn run(args: &Args, screen: &mut Screen<'_>) -> Result<Outcome, CliError> {
    let (observed, labels) =
        observed::for_import(&args.remote, &args.group, &args.host_file, &args.host, screen)?;
    if observed.is_empty() {
        let groups: Vec<String> = args.group.iter().map(|group| format!(" for group `{group}`")).collect();
        let message =
            format!("there are no observed hosts{}: start agents, or name files", groups.join(" or"));
        return Err(CliError::Failed(message));
    }
    let dir = args.out.as_ref().unwrap_or(&args.dir);
    let target = Target::open(dir, args.out.is_some())?;
    match args.group.as_slice() {
        [group] if !args.mine && !args.branches => {
            let seen = observed.iter().map(|(host, observed)| (host.clone(), observed)).collect();
            let adopted = adopt(group, &seen, &labels).map_err(CliError::failed)?;
            one(args, target, adopted, &observed, screen)
        }
        _ => mine::run(args, target, &observed, labels, screen),
    }
}

/// Writes one group.
fn one(
    args: &Args,
    mut target: Target,
    adopted: Adopted,
    observed: &BTreeMap<HostId, ObservedNetwork>,
    screen: &mut Screen<'_>,
) -> Result<Outcome, CliError> {
    target.make_room(&adopted.group, args.force)?;
    let mut files = adopted.files.clone();
    files.extend(target.site());
    let prover = target.prover(&files);
    let prove = |host: &HostId| Some(prover.prove(&adopted.group, host, observed.get(host)?));
    let proofs: Vec<Proof> = adopted.hosts.iter().filter_map(prove).collect();
    let ours = |finding: &&Finding| finding.is_error() && is_in(finding, &files);
    let proven = proofs.iter().all(Proof::holds) && !prover.findings().iter().any(|finding| ours(&finding));
    let written = proven && !args.dry_run;
    if written {
        target.write(&files)?;
    }
    let mut found: Vec<Finding> = prover.findings().to_vec();
    found.extend(proofs.iter().flat_map(|proof| proof.findings.clone()));
    findings::settle(&mut found);
    let report = Report {
        group: adopted.group,
        written,
        files: files.into_keys().collect(),
        hosts: proofs.iter().map(HostReport::of).collect(),
        overrides: adopted.overrides,
        outliers: adopted.outliers,
        notes: adopted.notes.iter().map(|(host, note)| format!("{host}: {note}")).collect(),
        findings: found,
    };
    match screen.form {
        Form::Json => screen.json(&report)?,
        Form::Text => print(&report, proven, screen)?,
    }
    Ok(if proven { Outcome::Clean } else { Outcome::Problems })
}

/// Whether a finding lies in these files.
fn is_in(finding: &Finding, files: &Files) -> bool {
    finding.span.as_ref().is_some_and(|span| files.contains_key(&span.file))
}

fn print(report: &Report, proven: bool, screen: &mut Screen<'_>) -> Result<(), CliError> {
    for note in &report.notes {
        screen.line(format_args!("note: {note}"))?;
    }
    findings::print(&report.findings, screen)?;
    mine::print_outliers(report.outliers.iter().map(|outlier| (&report.group, outlier)), screen)?;
    let rows: Vec<_> = report.hosts.iter().map(HostReport::row).collect();
    screen.table(&["host", "steps", "proof"], rows, "no hosts")?;
    let hosts = findings::plural(report.hosts.len(), "host");
    let (group, files) = (&report.group, findings::plural(report.files.len(), "file"));
    match (report.written, proven) {
        (true, _) => screen
            .line(format_args!("{hosts} imported into groups/{group} ({files}); the first plan is empty")),
        (false, true) => screen
            .line(format_args!("{hosts} would be groups/{group} ({files}); the first plan would be empty")),
        (false, false) => {
            screen.line("nothing was written: the documents would change hosts marked NOT PROVEN; leave these out with --host")
        }
    }
}
