//! `pointsman resync`: asks the coordinator to look at every pull request now.

use super::client::Remote;
use super::failure::{CliError, Outcome};
use super::screen::{Form, Screen};
use crate::api::views::AcceptedView;

/// Arguments.
#[derive(Debug, clap::Args)]
pub struct Args {
    #[command(flatten)]
    remote: Remote,
}

pub fn run(args: &Args, screen: &mut Screen<'_>) -> Result<Outcome, CliError> {
    let answer: AcceptedView = args.remote.client()?.post("forge/resync", &serde_json::json!({}))?;
    match screen.form {
        Form::Json => screen.json(&answer)?,
        Form::Text => screen.line(&answer.message)?,
    }
    Ok(Outcome::Clean)
}
