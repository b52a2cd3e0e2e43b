//! `pointsman review BRANCH`: what would become of the fleet if a branch were merged now. Needs no forge.

use super::client::Remote;
use super::failure::{CliError, Outcome};
use super::screen::{Form, Screen};
use crate::api::views::ReviewRequest;
use crate::review::{ReviewFacts, render};

/// Arguments.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// A branch of the configuration repository, as it was pushed.
    branch: String,
    /// Print the comment a pull request would get.
    #[arg(long)]
    markdown: bool,
    #[command(flatten)]
    remote: Remote,
}

pub fn run(args: &Args, screen: &mut Screen<'_>) -> Result<Outcome, CliError> {
    let request = ReviewRequest { branch: args.branch.clone() };
    let facts: ReviewFacts = args.remote.client()?.post("reviews", &request)?;
    match screen.form {
        Form::Json => screen.json(&facts)?,
        Form::Text if args.markdown => screen.line(render::comment(&facts))?,
        Form::Text => screen.line(render::terminal(&facts))?,
    }
    Ok(Outcome::of_errors(usize::from(!facts.verdict.is_good())))
}
