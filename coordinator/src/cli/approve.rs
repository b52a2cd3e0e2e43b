//! `pointsman approve RFC|CHANGE`: shows what approvers sign of a change, and signs it with a key.

use super::client::{Client, Remote};
use super::failure::{CliError, Outcome};
use super::pack::{Checked, Pack};
use super::screen::{Form, Screen, printable};
use super::sign::sign;
use crate::api::views::{ApprovalRequest, ApprovalView, ChangeView, ReleasePartView, ReleaseView};
use engine::proof::{NAMESPACE_BREAK_GLASS, NAMESPACE_CHANGE};
use model::ChangeId;
use serde::Serialize;
use std::path::PathBuf;

/// Arguments.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Without --key nothing is signed. KEY is an SSH private key, or the public half of one that your SSH \
                        agent or a hardware token holds: then ssh-keygen signs."
)]
pub struct Args {
    /// The RFC (`RFC-7` or `7`), or the id of a change.
    target: String,
    /// Sign with this key.
    #[arg(long)]
    key: Option<PathBuf>,
    /// Sign as a key for emergencies.
    #[arg(long, requires = "key")]
    break_glass: bool,
    /// Write everything that is signed to this file, for `pointsman verify`.
    #[arg(long)]
    export: Option<PathBuf>,
    #[command(flatten)]
    remote: Remote,
}

/// What happened, for programs.
#[derive(Debug, Serialize)]
struct Report {
    /// What is signed.
    #[serde(flatten)]
    release: Checked,
    /// Whether it was signed now.
    signed: bool,
    /// How it stands.
    approval: ApprovalView,
}

pub fn run(args: &Args, screen: &mut Screen<'_>) -> Result<Outcome, CliError> {
    let client = args.remote.client()?;
    let change = find(&client, &args.target)?;
    let view: ReleaseView = client.get(&format!("changes/{change}/release"))?;
    let parts: Vec<ReleasePartView> = client.list(&format!("changes/{change}/release/parts"))?;
    let signatures = view.signatures.iter().map(|one| one.signature.clone()).collect();
    let mut pack = Pack::new(view.manifest, signatures, parts);
    let checked = pack.check()?;
    if checked.manifest.change != change {
        let message =
            format!("the coordinator shows change {}, not {change}: do not sign", checked.manifest.change);
        return Err(CliError::Failed(message));
    }
    if screen.form == Form::Text {
        checked.print(screen)?;
        screen.line("")?;
        screen.line(format_args!("by {}: {}", printable(&view.author), printable(&view.summary)))?;
    }
    let mut approval = view.approval;
    if let Some(key) = &args.key {
        let namespace = if args.break_glass { NAMESPACE_BREAK_GLASS } else { NAMESPACE_CHANGE };
        let signature = sign(key, namespace, pack.manifest.as_bytes())?;
        let request = ApprovalRequest { signature: signature.clone() };
        approval = client.post(&format!("changes/{change}/approvals"), &request)?;
        if !pack.signatures.contains(&signature) {
            pack.signatures.push(signature);
        }
    }
    if let Some(path) = &args.export {
        let text = serde_json::to_string_pretty(&pack)?;
        std::fs::write(path, text).map_err(CliError::file("write", path))?;
        screen.remark(format_args!("wrote {}", path.display()))?;
    }
    let signed = args.key.is_some();
    match screen.form {
        Form::Json => screen.json(&Report { release: checked, signed, approval })?,
        Form::Text => print_standing(&approval, signed, screen)?,
    }
    Ok(Outcome::Clean)
}

fn print_standing(approval: &ApprovalView, signed: bool, screen: &mut Screen<'_>) -> Result<(), CliError> {
    if signed {
        screen.line("signed")?;
    }
    match (&approval.waits_for, approval.sets.is_empty()) {
        (Some(lacking), _) => screen.line(format_args!("the rollout {}", printable(lacking))),
        (None, true) => screen.line("no approver set speaks for its hosts: nobody has to approve"),
        (None, false) => screen.line("approved"),
    }
}

/// The change somebody means: by its id, or the newest accepted one of an RFC.
fn find(client: &Client, target: &str) -> Result<ChangeId, CliError> {
    let folded = target.to_ascii_lowercase();
    let digits = folded.strip_prefix("rfc-").unwrap_or(&folded);
    let Ok(number) = digits.parse::<u32>() else {
        let unknown =
            |_| CliError::Usage(format!("`{target}` is no RFC and no change: see `pointsman changes`"));
        return ChangeId::new(target).map_err(unknown);
    };
    let changes: Vec<ChangeView> = client.list("changes")?;
    let of_rfc =
        |change: &ChangeView| change.rfc.is_some_and(|rfc| rfc.0 == number) && change.status == "accepted";
    let found = changes.into_iter().find(of_rfc).map(|change| change.id);
    found.ok_or_else(|| {
        CliError::Failed(format!("RFC-{number} has no accepted change: see `pointsman changes`"))
    })
}
