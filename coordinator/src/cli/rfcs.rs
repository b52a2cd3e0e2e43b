//! `pointsman rfcs`: RFCs and where they are.

use super::client::Remote;
use super::failure::{CliError, Outcome};
use super::screen::{Form, Screen};
use super::time::stamp;
use crate::api::views::RfcView;

/// Arguments.
#[derive(Debug, clap::Args)]
pub struct Args {
    #[command(flatten)]
    remote: Remote,
}

pub fn run(args: &Args, screen: &mut Screen<'_>) -> Result<Outcome, CliError> {
    let rfcs: Vec<RfcView> = args.remote.client()?.list("rfcs")?;
    match screen.form {
        Form::Json => screen.json(&rfcs)?,
        Form::Text => {
            let rows = rfcs.iter().map(|rfc| {
                vec![
                    rfc.number.to_string(),
                    rfc.state.clone(),
                    rfc.title.clone(),
                    rfc.author.clone(),
                    stamp(rfc.updated),
                ]
            });
            let rows: Vec<Vec<String>> = rows.collect();
            screen.table(&["rfc", "state", "title", "author", "updated"], rows, "no RFCs were merged yet")?;
        }
    }
    Ok(Outcome::Clean)
}
