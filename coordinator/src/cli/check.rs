//! `pointsman check [DIR]`: everything that is wrong with a configuration repository, without any host.

use super::failure::{CliError, Outcome};
use super::screen::{Form, Screen};
use super::{findings, time, tree};
use engine::documents::{Repository, parse_repository, rules};
use engine::resolve::resolve_all;
use model::Finding;
use std::collections::BTreeSet;
use std::path::PathBuf;

/// Arguments.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// The repository.
    #[arg(default_value = ".")]
    dir: PathBuf,
}

/// What the working tree says.
pub struct Checked {
    /// The documents.
    pub repository: Repository,
    /// How many files were read.
    pub files: usize,
    /// Everything found, in order.
    pub findings: Vec<Finding>,
    /// How many of them are errors.
    pub errors: usize,
}

/// Reads and resolves a working tree.
pub fn read(dir: &std::path::Path) -> Result<Checked, CliError> {
    let tree = tree::read(dir)?;
    let mut repository = parse_repository(&tree.files);
    let (_, resolved) = resolve_all(&repository, Some(&time::today()));
    let mut findings = std::mem::take(&mut repository.findings);
    findings.extend(resolved);
    // A file that is refused is not missing too.
    let refused: BTreeSet<&str> =
        tree.findings.iter().filter_map(|finding| Some(finding.span.as_ref()?.file.as_str())).collect();
    findings.retain(|finding| {
        let file = finding.span.as_ref().map(|span| span.file.as_str());
        finding.rule != rules::MISSING_FILE || !file.is_some_and(|file| refused.contains(file))
    });
    findings.extend(tree.findings);
    let errors = findings::settle(&mut findings);
    Ok(Checked { repository, files: tree.files.len(), findings, errors })
}

pub fn run(args: &Args, screen: &mut Screen<'_>) -> Result<Outcome, CliError> {
    let checked = read(&args.dir)?;
    match screen.form {
        Form::Json => screen.json(&checked.findings)?,
        Form::Text => {
            findings::print(&checked.findings, screen)?;
            screen.line(summary(&checked))?;
        }
    }
    Ok(Outcome::of_errors(checked.errors))
}

fn summary(checked: &Checked) -> String {
    let Checked { repository, files, findings: found, .. } = checked;
    let hosts = repository.groups.values().map(|group| group.members.len()).sum();
    let of = |count, noun| findings::plural(count, noun);
    let (files, groups) = (of(*files, "file"), of(repository.groups.len(), "group"));
    let (hosts, rfcs) = (of(hosts, "host"), of(repository.rfcs.len(), "RFC"));
    format!("{} in {files}: {groups}, {hosts}, {rfcs}", findings::counted(found))
}
