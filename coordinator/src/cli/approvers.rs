//! `pointsman approvers list|import|sign|rotate`: the sets of people who approve.

use super::client::Remote;
use super::failure::{CliError, Outcome};
use super::screen::{Form, Screen};
use super::sign::sign;
use super::time::stamp;
use crate::api::views::{ApproverSetRequest, ApproverSetView};
use engine::proof::{NAMESPACE_APPROVERS, TrustedSet};
use model::ApproverRotation;
use std::path::{Path, PathBuf};

/// Arguments.
#[derive(Debug, clap::Args)]
pub struct Args {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Debug, clap::Subcommand)]
enum Verb {
    /// List the newest version of every set.
    List {
        #[command(flatten)]
        remote: Remote,
    },
    /// Bring the first version of a set; from then on changes of its hosts wait for approval.
    Import {
        /// The set, as JSON.
        set: PathBuf,
        #[command(flatten)]
        remote: Remote,
    },
    /// Sign a new version of a set; prints the signature.
    Sign {
        /// The new version, as JSON.
        set: PathBuf,
        /// SSH key to sign with.
        #[arg(long)]
        key: PathBuf,
    },
    /// Put a new version of a set in force: signed by enough approvers of the old and of the new one.
    Rotate {
        /// The new version, as JSON: exactly the file that was signed.
        set: PathBuf,
        /// File with a signature; once per signature.
        #[arg(long = "signature", required = true)]
        signatures: Vec<PathBuf>,
        #[command(flatten)]
        remote: Remote,
    },
}

pub fn run(args: &Args, screen: &mut Screen<'_>) -> Result<Outcome, CliError> {
    match &args.verb {
        Verb::List { remote } => {
            let sets: Vec<ApproverSetView> = remote.client()?.list("approvers")?;
            print(&sets, screen)?;
        }
        Verb::Import { set, remote } => {
            let request = ApproverSetRequest { document: read(set)? };
            let set: ApproverSetView = remote.client()?.post("approvers", &request)?;
            print(std::slice::from_ref(&set), screen)?;
        }
        Verb::Sign { set, key } => {
            let signature = sign(key, NAMESPACE_APPROVERS, read(set)?.as_bytes())?;
            match screen.form {
                Form::Json => screen.json(&serde_json::json!({ "signature": signature }))?,
                Form::Text => screen.line(signature.trim_end())?,
            }
        }
        Verb::Rotate { set, signatures, remote } => {
            let signatures = signatures.iter().map(|path| text(path)).collect::<Result<_, _>>()?;
            let rotation = ApproverRotation { set: read(set)?, signatures };
            let set: ApproverSetView = remote.client()?.post("approvers/rotate", &rotation)?;
            print(std::slice::from_ref(&set), screen)?;
        }
    }
    Ok(Outcome::Clean)
}

fn text(path: &Path) -> Result<String, CliError> {
    std::fs::read_to_string(path).map_err(CliError::file("read", path))
}

/// A set that makes sense, in its exact text.
fn read(path: &Path) -> Result<String, CliError> {
    let text = text(path)?;
    TrustedSet::parse(text.as_bytes())
        .map_err(|error| CliError::Failed(format!("{}: {error}", path.display())))?;
    Ok(text)
}

fn print(sets: &[ApproverSetView], screen: &mut Screen<'_>) -> Result<(), CliError> {
    if screen.form == Form::Json {
        return screen.json(sets);
    }
    let row = |set: &ApproverSetView| {
        vec![
            set.name.clone(),
            set.version.to_string(),
            format!("{} of {}", set.threshold, set.approvers.len()),
            set.approvers.join(", "),
            set.break_glass.join(", "),
            stamp(set.created),
        ]
    };
    let rows: Vec<Vec<String>> = sets.iter().map(row).collect();
    let empty = "no approver sets: nobody has to approve";
    screen.table(&["set", "version", "takes", "approvers", "emergencies", "since"], rows, empty)
}
