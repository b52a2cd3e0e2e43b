//! `pointsman audit list|verify`: who did what, and whether the trail is whole.

use super::client::Remote;
use super::failure::{CliError, Outcome};
use super::screen::{Form, Screen};
use super::time::stamp;
use crate::api::views::{AuditVerdictView, AuditView, PageView};

/// Arguments.
#[derive(Debug, clap::Args)]
pub struct Args {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Debug, clap::Subcommand)]
enum Verb {
    /// The newest entries, newest first.
    List {
        /// How many, 1 to 500.
        #[arg(long, default_value_t = 50)]
        limit: u32,
        #[command(flatten)]
        remote: Remote,
    },
    /// Walk the whole chain and say whether anything was changed, added or taken out.
    Verify {
        #[command(flatten)]
        remote: Remote,
    },
}

pub fn run(args: &Args, screen: &mut Screen<'_>) -> Result<Outcome, CliError> {
    match &args.verb {
        Verb::List { limit, remote } => list(*limit, remote, screen),
        Verb::Verify { remote } => verify(remote, screen),
    }
}

fn list(limit: u32, remote: &Remote, screen: &mut Screen<'_>) -> Result<Outcome, CliError> {
    let page: PageView<AuditView> = remote.client()?.get(&format!("audit?limit={limit}"))?;
    match screen.form {
        Form::Json => screen.json(&page.items)?,
        Form::Text => {
            let rows = page.items.iter().map(|entry| {
                let AuditView { sequence, at, actor, action, subject, detail, .. } = entry;
                vec![
                    sequence.to_string(),
                    stamp(*at),
                    actor.clone(),
                    action.clone(),
                    subject.clone(),
                    detail.clone(),
                ]
            });
            let rows: Vec<Vec<String>> = rows.collect();
            screen.table(&["no", "at", "who", "what", "to", "more"], rows, "nothing was done yet")?;
        }
    }
    Ok(Outcome::Clean)
}

fn verify(remote: &Remote, screen: &mut Screen<'_>) -> Result<Outcome, CliError> {
    let verdict: AuditVerdictView = remote.client()?.get("audit/verify")?;
    if screen.form == Form::Json {
        screen.json(&verdict)?;
    }
    let text = screen.form == Form::Text;
    match verdict {
        AuditVerdictView::Intact { entries, head } => {
            if text {
                screen.line(format_args!("the audit trail is whole: {entries} entries, head {head}"))?;
            }
            Ok(Outcome::Clean)
        }
        AuditVerdictView::Broken { sequence, detail } => {
            if text {
                screen.line(format_args!("the audit trail is BROKEN at entry {sequence}: {detail}"))?;
            }
            Ok(Outcome::Problems)
        }
    }
}
