//! `pointsman drift`: what differs from the confirmed state, on any host.

use super::client::Remote;
use super::failure::{CliError, Outcome};
use super::screen::{Form, Screen};
use super::time::{ago, now};
use crate::api::views::DriftView;
use model::HostId;

/// Arguments.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Only this host.
    #[arg(long)]
    host: Option<HostId>,
    #[command(flatten)]
    remote: Remote,
}

/// Runs the verb; drift is a problem found, so the exit code is 1 when there is any.
pub fn run(args: &Args, screen: &mut Screen<'_>) -> Result<Outcome, CliError> {
    let mut drift: Vec<DriftView> = args.remote.client()?.list("drift?limit=500")?;
    drift.retain(|open| args.host.as_ref().is_none_or(|host| *host == open.host));
    match screen.form {
        Form::Json => screen.json(&drift)?,
        Form::Text => {
            let now = now();
            let rows = drift.iter().map(|open| {
                vec![
                    open.host.to_string(),
                    open.difference.to_string(),
                    open.generation.to_string(),
                    ago(Some(open.first_seen), now),
                ]
            });
            let rows: Vec<Vec<String>> = rows.collect();
            screen.table(
                &["host", "difference", "generation", "since"],
                rows,
                "no drift: every host is as confirmed",
            )?;
        }
    }
    Ok(Outcome::of_errors(drift.len()))
}
