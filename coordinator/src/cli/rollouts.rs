//! `pointsman rollouts`: rollouts, newest first.

use super::client::Remote;
use super::failure::{CliError, Outcome};
use super::screen::{Form, Screen, or_dash};
use super::time::{ago, now, stamp};
use crate::api::views::RolloutView;

/// Arguments.
#[derive(Debug, clap::Args)]
pub struct Args {
    #[command(flatten)]
    remote: Remote,
}

pub fn run(args: &Args, screen: &mut Screen<'_>) -> Result<Outcome, CliError> {
    let rollouts: Vec<RolloutView> = args.remote.client()?.list("rollouts")?;
    match screen.form {
        Form::Json => screen.json(&rollouts)?,
        Form::Text => {
            let now = now();
            let row = |rollout: &RolloutView| {
                vec![
                    rollout.id.to_string(),
                    rollout.phase.as_str().to_owned(),
                    stamp(rollout.created),
                    ago(Some(rollout.updated), now),
                    or_dash(rollout.reason.as_ref()),
                ]
            };
            let rows: Vec<Vec<String>> = rollouts.iter().map(row).collect();
            screen.table(&["rollout", "phase", "since", "moved", "reason"], rows, "no rollouts yet")?;
        }
    }
    Ok(Outcome::Clean)
}
