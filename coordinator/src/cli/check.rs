//! `pointsman check [DIR]`: everything that is wrong with a configuration repository, without any host.

use super::failure::{CliError, Outcome};
use super::screen::{Form, Screen};
use super::{findings, sarif, time, tree};
use engine::documents::{Repository, parse_repository, rules};
use engine::resolve::{ResolvedHost, resolve_all};
use engine::rules::{Judged, of_documents};
use model::{Finding, HostId};
use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

/// Arguments.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// The repository.
    #[arg(default_value = ".")]
    dir: PathBuf,
    /// How to print what was found.
    #[arg(long, value_enum, default_value_t = Format::Text)]
    format: Format,
    /// A working tree to compare with: what the best-practice rules find there too is old and stops nothing.
    #[arg(long)]
    base: Option<PathBuf>,
}

/// Forms of the output.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum Format {
    /// Lines for people.
    Text,
    /// A list for programs, as with `--json`.
    Json,
    /// SARIF 2.1.0 for forges and editors.
    Sarif,
}

/// What the working tree says.
pub struct Checked {
    /// The documents.
    pub repository: Repository,
    /// Hosts, resolved.
    pub hosts: BTreeMap<HostId, ResolvedHost>,
    /// How many files were read.
    pub files: usize,
    /// Everything found, in order.
    pub findings: Vec<Finding>,
    /// How many of them are errors.
    pub errors: usize,
}

/// Reads and resolves a working tree; best-practice rules are asked by the verbs.
pub fn read(dir: &std::path::Path) -> Result<Checked, CliError> {
    let tree = tree::read(dir)?;
    let mut repository = parse_repository(&tree.files);
    let (hosts, resolved) = resolve_all(&repository, Some(&time::today()));
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
    Ok(Checked { repository, hosts, files: tree.files.len(), findings, errors })
}

pub fn run(args: &Args, screen: &mut Screen<'_>) -> Result<Outcome, CliError> {
    let mut checked = read(&args.dir)?;
    let mut judged = judge(&checked);
    if let Some(base) = &args.base {
        only_new(&mut judged, judge(&read(base)?).findings);
    }
    checked.findings.append(&mut judged.findings);
    checked.errors = findings::settle(&mut checked.findings);
    match (args.format, screen.form) {
        (Format::Sarif, _) => screen.json(&sarif::log(&checked.findings))?,
        (Format::Json, _) | (Format::Text, Form::Json) => screen.json(&checked.findings)?,
        (Format::Text, Form::Text) => {
            findings::print(&checked.findings, screen)?;
            screen.line(summary(&checked, &judged))?;
        }
    }
    Ok(Outcome::of_errors(checked.errors))
}

fn judge(checked: &Checked) -> Judged {
    of_documents(&checked.repository, &checked.hosts, Some(&time::today()))
}

/// Moves what the base has too to the old findings.
fn only_new(judged: &mut Judged, base: Vec<Finding>) {
    let key = |finding: &Finding| (finding.rule.clone(), finding.object.clone(), finding.value.clone());
    let known: BTreeSet<_> = base.iter().map(key).collect();
    let (old, new) = std::mem::take(&mut judged.findings).into_iter().partition(|f| known.contains(&key(f)));
    judged.findings = new;
    judged.already.extend::<Vec<Finding>>(old);
}

fn summary(checked: &Checked, judged: &Judged) -> String {
    let Checked { repository, files, findings: found, .. } = checked;
    let hosts = repository.groups.values().map(|group| group.members.len()).sum();
    let of = |count, noun| findings::plural(count, noun);
    let (files, groups) = (of(*files, "file"), of(repository.groups.len(), "group"));
    let (hosts, rfcs) = (of(hosts, "host"), of(repository.rfcs.len(), "RFC"));
    let counted = findings::counted(found);
    format!("{counted} in {files}: {groups}, {hosts}, {rfcs}{}", findings::beside(judged))
}
