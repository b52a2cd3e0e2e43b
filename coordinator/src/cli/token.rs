//! `pointsman token create --host NAME`: a one-time enrolment token, shown once.

use super::client::Remote;
use super::failure::{CliError, Outcome};
use super::screen::{Form, Screen};
use super::time::{parse_span, stamp};
use crate::api::views::{TokenRequest, TokenView};
use model::{HostGroupId, HostId};

/// Arguments.
#[derive(Debug, clap::Args)]
pub struct Args {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Debug, clap::Subcommand)]
enum Verb {
    /// Make a token for one host. It also tells the host which authority to trust.
    Create(Create),
}

#[derive(Debug, clap::Args)]
struct Create {
    /// The host that will enrol with it.
    #[arg(long, required_unless_present = "system_uuid")]
    host: Option<HostId>,
    /// System UUID of the machine that will enrol with it, as `esxcli system uuid get` prints it.
    #[arg(long)]
    system_uuid: Option<String>,
    /// Group of a host that no document names yet.
    #[arg(long)]
    group: Option<HostGroupId>,
    /// How long it is good: 90s, 10m, 2h, 1d.
    #[arg(long, default_value = "10m", value_parser = parse_span)]
    ttl: u64,
    /// Let the host in without an operator who compares and approves its key.
    #[arg(long)]
    no_approval: bool,
    #[command(flatten)]
    remote: Remote,
}

pub fn run(args: Args, screen: &mut Screen<'_>) -> Result<Outcome, CliError> {
    let Verb::Create(Create { host, system_uuid, group, ttl, no_approval, remote }) = args.verb;
    let request = TokenRequest { host, system_uuid, group, ttl_secs: ttl, approval: !no_approval };
    let token: TokenView = remote.client()?.post("tokens", &request)?;
    match screen.form {
        Form::Json => screen.json(&token)?,
        Form::Text => {
            screen.line(&token.token)?;
            let whom = match (&token.host, &token.system_uuid) {
                (Some(host), None) => host.to_string(),
                (Some(host), Some(uuid)) => format!("{host} on machine {uuid}"),
                (None, uuid) => format!("machine {}", uuid.as_deref().unwrap_or_default()),
            };
            screen.remark(format_args!("for {whom} until {}, once", stamp(token.expires)))?;
            if token.approval {
                screen.remark(
                    "then approve its key: `pointsman host pending`, `pointsman host approve HOST`",
                )?;
            }
        }
    }
    Ok(Outcome::Clean)
}
