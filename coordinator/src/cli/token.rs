//! `pointsman token create --host NAME`: a one-time enrolment token, shown once.

use super::client::Remote;
use super::failure::{CliError, Outcome};
use super::screen::{Form, Screen};
use super::time::{parse_span, stamp};
use crate::api::views::{TokenRequest, TokenView};
use model::HostId;

/// Arguments.
#[derive(Debug, clap::Args)]
pub struct Args {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Debug, clap::Subcommand)]
enum Verb {
    /// Make a token for one host.
    Create {
        /// The host that will enrol with it.
        #[arg(long)]
        host: HostId,
        /// How long it is good: 90s, 10m, 2h, 1d.
        #[arg(long, default_value = "10m", value_parser = parse_span)]
        ttl: u64,
        #[command(flatten)]
        remote: Remote,
    },
}

pub fn run(args: Args, screen: &mut Screen<'_>) -> Result<Outcome, CliError> {
    let Verb::Create { host, ttl, remote } = args.verb;
    let token: TokenView = remote.client()?.post("tokens", &TokenRequest { host, ttl_secs: ttl })?;
    match screen.form {
        Form::Json => screen.json(&token)?,
        Form::Text => {
            screen.line(&token.token)?;
            screen.remark(format_args!("for {} until {}, once", token.host, stamp(token.expires)))?;
        }
    }
    Ok(Outcome::Clean)
}
