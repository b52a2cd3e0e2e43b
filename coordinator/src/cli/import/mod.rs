//! `pointsman import --group G`: live hosts as documents, with the proof that the documents change nothing.
//!
//! Owns: the verb; the parts behind it are pure. Files are written only when the proof holds for every host.
//! Must not: touch a host. Called by the command line.

mod describe;
mod fit;
mod fold;
pub mod group;
mod roles;

#[cfg(test)]
pub(crate) mod testkit;
#[cfg(test)]
mod tests;

use super::client::Remote;
use super::failure::{CliError, Outcome};
use super::files::write_new;
use super::screen::{Form, Screen};
use super::{findings, observed, tree};
use engine::documents::SITE_FILE;
use group::{Files, Proof, import, prove};
use model::{Finding, HostGroupId, HostId};
use serde::Serialize;
use std::path::PathBuf;

/// The site document of a repository that has none.
const SITE: &str = "# Facts of the site that no host can report.\nschema: 1\n";

/// Arguments.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// The repository.
    #[arg(default_value = ".")]
    dir: PathBuf,
    /// The group to write.
    #[arg(long)]
    group: HostGroupId,
    /// Only these hosts; without any, all that are in no other group.
    #[arg(long)]
    host: Vec<HostId>,
    /// Host description files; without any, the coordinator is asked.
    #[arg(long)]
    host_file: Vec<PathBuf>,
    #[command(flatten)]
    remote: Remote,
}

#[derive(Serialize)]
struct Report {
    group: HostGroupId,
    written: bool,
    files: Vec<String>,
    hosts: Vec<HostReport>,
    notes: Vec<String>,
    findings: Vec<Finding>,
}

#[derive(Serialize)]
struct HostReport {
    host: HostId,
    steps: usize,
    proven: bool,
}

/// Runs the verb.
pub fn run(args: &Args, screen: &mut Screen<'_>) -> Result<Outcome, CliError> {
    let observed = observed::for_import(&args.remote, &args.group, &args.host_file, &args.host)?;
    if observed.is_empty() {
        let message =
            format!("there are no observed hosts for group `{}`: start agents, or name files", args.group);
        return Err(CliError::Failed(message));
    }
    let mut tree = tree::read(&args.dir)?;
    let imported = import(&args.group, &observed).map_err(CliError::failed)?;
    let mut files = imported.files;
    if !tree.files.contains_key(SITE_FILE) {
        files.insert(SITE_FILE.to_owned(), SITE.to_owned());
    }
    if args.dir.join("groups").join(args.group.as_str()).exists() {
        let message =
            format!("group `{}` is already there: choose another name, or move it away first", args.group);
        return Err(CliError::Failed(message));
    }
    tree.files.extend(files.iter().map(|(path, text)| (path.clone(), text.clone().into_bytes())));
    let (proofs, read) = prove(&tree.files, &args.group, &observed);
    let proven = proofs.iter().all(Proof::holds) && !read.iter().any(|finding| is_ours(finding, &files));
    if proven {
        write_new(&args.dir, files.iter().map(|(path, text)| (path.as_str(), text.as_str())))?;
    }
    let mut found: Vec<Finding> =
        proofs.iter().flat_map(|proof| proof.findings.clone()).chain(read).collect();
    findings::settle(&mut found);
    let notes = imported.notes.iter().map(|(host, note)| format!("{host}: {note}")).collect();
    let hosts = proofs.iter().map(|proof| HostReport {
        host: proof.host.clone(),
        steps: proof.plan.steps.len(),
        proven: proof.holds(),
    });
    let report = Report {
        group: args.group.clone(),
        written: proven,
        files: files.into_keys().collect(),
        hosts: hosts.collect(),
        notes,
        findings: found,
    };
    match screen.form {
        Form::Json => screen.json(&report)?,
        Form::Text => print(&report, screen)?,
    }
    Ok(if proven { Outcome::Clean } else { Outcome::Problems })
}

/// Whether an error of reading lies in what we wrote, or between it and what was there.
fn is_ours(finding: &Finding, files: &Files) -> bool {
    let place = finding.span.as_ref().is_some_and(|span| files.contains_key(&span.file));
    finding.is_error() && place
}

fn print(report: &Report, screen: &mut Screen<'_>) -> Result<(), CliError> {
    for note in &report.notes {
        screen.line(format_args!("note: {note}"))?;
    }
    findings::print(&report.findings, screen)?;
    let rows = report.hosts.iter().map(|host| {
        let word = if host.proven { "empty plan" } else { "NOT PROVEN" };
        vec![host.host.to_string(), host.steps.to_string(), word.to_owned()]
    });
    screen.table(&["host", "steps", "proof"], rows.collect::<Vec<_>>(), "no hosts")?;
    if report.written {
        let hosts = findings::plural(report.hosts.len(), "host");
        let (group, files) = (&report.group, findings::plural(report.files.len(), "file"));
        return screen
            .line(format_args!("{hosts} imported into groups/{group} ({files}); the first plan is empty"));
    }
    screen.line("nothing was written: the documents would change hosts marked NOT PROVEN; leave these out with --host")
}
