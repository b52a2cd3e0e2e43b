//! `pointsman status`: how the coordinator is.

use super::client::Remote;
use super::failure::{CliError, Outcome};
use super::screen::{Form, Screen, or_dash};
use crate::api::views::StatusView;

/// Arguments.
#[derive(Debug, clap::Args)]
pub struct Args {
    #[command(flatten)]
    remote: Remote,
}

pub fn run(args: &Args, screen: &mut Screen<'_>) -> Result<Outcome, CliError> {
    let status: StatusView = args.remote.client()?.get("status")?;
    match screen.form {
        Form::Json => screen.json(&status)?,
        Form::Text => {
            let StatusView {
                coordinator,
                leader,
                term,
                version,
                database,
                repository_head,
                connected_hosts,
                active_rollouts,
            } = &status;
            let leads = match (term, leader) {
                (Some(term), _) => format!("leads (term {term})"),
                (None, Some(leader)) => format!("stands by, {leader} leads"),
                (None, None) => "stands by, nobody leads yet".to_owned(),
            };
            screen.line(format_args!("coordinator      {coordinator}: {leads}"))?;
            screen.line(format_args!("version          {version}"))?;
            screen.line(format_args!("database         {database}"))?;
            screen.line(format_args!("repository head  {}", or_dash(repository_head.as_ref())))?;
            screen.line(format_args!("connected hosts  {connected_hosts}"))?;
            screen.line(format_args!("active rollouts  {active_rollouts}"))?;
        }
    }
    Ok(Outcome::Clean)
}
