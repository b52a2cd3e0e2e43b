//! `pointsman verify PACK --approvers FILE`: whether a pack adds up and enough approvers signed it, without any coordinator.

use super::failure::{CliError, Outcome};
use super::pack::{Checked, Pack};
use super::screen::{Form, Screen};
use super::time::now;
use crate::release::{Signed, signed_by};
use crate::store::approvals::ApprovalKind;
use engine::proof::{Signers, Standing, TrustedSet};
use serde::Serialize;
use std::path::{Path, PathBuf};

/// Largest pack, in bytes.
const PACK_BYTES_MAX: u64 = 1024 * 1024 * 1024;

/// Arguments.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// File that `pointsman approve --export` wrote.
    pack: PathBuf,
    /// The approver set to check against: the file that is pinned on the hosts.
    #[arg(long)]
    approvers: PathBuf,
}

/// What was found, for programs.
#[derive(Debug, Serialize)]
struct Report {
    #[serde(flatten)]
    release: Checked,
    approved_by: Vec<String>,
    break_glass_by: Vec<String>,
    threshold: u32,
    approved: bool,
    /// Why signatures do not count.
    refused: Vec<String>,
}

pub fn run(args: &Args, screen: &mut Screen<'_>) -> Result<Outcome, CliError> {
    let pack: Pack = serde_json::from_str(&read(&args.pack)?)
        .map_err(|error| CliError::Failed(format!("{} is no pack: {error}", args.pack.display())))?;
    let set = TrustedSet::parse(read(&args.approvers)?.as_bytes())
        .map_err(|error| CliError::Failed(format!("{}: {error}", args.approvers.display())))?;
    let report = judge(pack.check()?, &pack, &set);
    match screen.form {
        Form::Json => screen.json(&report)?,
        Form::Text => print(&report, screen)?,
    }
    Ok(Outcome::of_errors(usize::from(!report.approved)))
}

fn read(path: &Path) -> Result<String, CliError> {
    let size = std::fs::metadata(path).map_err(CliError::file("read", path))?.len();
    if size > PACK_BYTES_MAX {
        return Err(CliError::Failed(format!("{} is larger than {PACK_BYTES_MAX} bytes", path.display())));
    }
    std::fs::read_to_string(path).map_err(CliError::file("read", path))
}

fn judge(release: Checked, pack: &Pack, trusted: &TrustedSet) -> Report {
    let set = trusted.set();
    let mut signers = Signers::default();
    let mut refused = Vec::new();
    for signature in &pack.signatures {
        match signed_by(trusted, &pack.manifest, signature) {
            Ok(Signed { kind, approver, .. }) => {
                let names = match kind {
                    ApprovalKind::Approval => &mut signers.approvers,
                    ApprovalKind::BreakGlass => &mut signers.break_glass,
                };
                names.insert(approver.name.clone());
            }
            Err(error) => refused.push(error.to_string()),
        }
    }
    let now = now();
    let holds = [
        (set.not_after.is_none_or(|until| now <= until), "the approver set has expired"),
        (now <= release.manifest.not_after, "the release holds no more"),
        (
            set.repository.as_ref().is_none_or(|name| *name == release.manifest.repository),
            "the approver set is for another configuration repository",
        ),
    ];
    let stale: Vec<String> =
        holds.into_iter().filter(|(holds, _)| !holds).map(|(_, why)| why.to_owned()).collect();
    let approved = stale.is_empty() && trusted.standing(&signers) != Standing::Lacking;
    refused.extend(stale);
    Report {
        release,
        approved_by: signers.approvers.into_iter().collect(),
        break_glass_by: signers.break_glass.into_iter().collect(),
        threshold: set.threshold,
        approved,
        refused,
    }
}

fn print(report: &Report, screen: &mut Screen<'_>) -> Result<(), CliError> {
    let Report { release, approved_by, break_glass_by, threshold, approved, refused } = report;
    release.print(screen)?;
    screen.line("")?;
    for reason in refused {
        screen.line(format_args!("does not count: {reason}"))?;
    }
    if !break_glass_by.is_empty() {
        screen.line(format_args!("keys for emergencies: {}", break_glass_by.join(", ")))?;
    }
    let verdict = if *approved { "approved" } else { "not approved" };
    screen.line(format_args!("{verdict}: {} of {threshold} ({})", approved_by.len(), approved_by.join(", ")))
}
