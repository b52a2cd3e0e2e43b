//! `pointsman changes [ID]`: accepted and refused commits; one with its findings and plans.

use super::client::Remote;
use super::failure::{CliError, Outcome};
use super::findings;
use super::screen::{Form, Screen, or_dash};
use super::time::stamp;
use crate::api::views::{ChangeDetailView, ChangeView, PlanView};
use model::ChangeId;

/// Characters of a commit id that are shown.
const COMMIT_CHARS: usize = 12;

/// Arguments.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Show this change with its findings and plans.
    id: Option<ChangeId>,
    #[command(flatten)]
    remote: Remote,
}

pub fn run(args: &Args, screen: &mut Screen<'_>) -> Result<Outcome, CliError> {
    let client = args.remote.client()?;
    if let Some(id) = &args.id {
        let mut detail: ChangeDetailView = client.get(&format!("changes/{id}"))?;
        detail.plans = client.list(&format!("changes/{id}/plans"))?;
        match screen.form {
            Form::Json => screen.json(&detail)?,
            Form::Text => print(&detail, screen)?,
        }
        return Ok(Outcome::Clean);
    }
    let changes: Vec<ChangeView> = client.list("changes")?;
    match screen.form {
        Form::Json => screen.json(&changes)?,
        Form::Text => {
            let headers = ["change", "status", "rfc", "commit", "errors", "author", "seen", "summary"];
            let rows: Vec<Vec<String>> = changes.iter().map(row).collect();
            screen.table(&headers, rows, "no commits were seen yet")?;
        }
    }
    Ok(Outcome::Clean)
}

fn short(commit: &str) -> String {
    commit.chars().take(COMMIT_CHARS).collect()
}

fn row(change: &ChangeView) -> Vec<String> {
    vec![
        change.id.to_string(),
        change.status.clone(),
        or_dash(change.rfc),
        short(&change.commit),
        change.errors.to_string(),
        change.author.clone(),
        stamp(change.created),
        change.summary.clone(),
    ]
}

fn print(detail: &ChangeDetailView, screen: &mut Screen<'_>) -> Result<(), CliError> {
    let change = &detail.change;
    let rollout = or_dash(detail.rollout.as_ref());
    screen.line(format_args!("change {} is {}: {}", change.id, change.status, change.summary))?;
    screen.line(format_args!("commit {} by {}, rollout {rollout}", short(&change.commit), change.author))?;
    findings::print(&detail.findings, screen)?;
    for PlanView { host, generation, disruption, steps, .. } in &detail.plans {
        let count = findings::plural(steps.len(), "step");
        screen
            .line(format_args!("\n{host} generation {generation}: {count}, worst disruption {disruption}"))?;
        for (number, step) in steps.iter().enumerate() {
            screen.line(format_args!("  {:>3}. {}", number + 1, step.esxcli))?;
        }
    }
    Ok(())
}
