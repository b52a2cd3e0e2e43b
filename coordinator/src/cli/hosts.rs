//! `pointsman hosts`: every host, and whether it is as confirmed.

use super::client::Remote;
use super::failure::{CliError, Outcome};
use super::screen::{Form, Screen, or_dash};
use super::time::{ago, now};
use crate::api::views::HostView;
use model::HostGroupId;

/// Arguments.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Only hosts of this group.
    #[arg(long)]
    group: Option<HostGroupId>,
    #[command(flatten)]
    remote: Remote,
}

pub fn run(args: &Args, screen: &mut Screen<'_>) -> Result<Outcome, CliError> {
    let mut hosts: Vec<HostView> = args.remote.client()?.list("hosts")?;
    hosts.retain(|host| args.group.is_none() || host.group == args.group);
    match screen.form {
        Form::Json => screen.json(&hosts)?,
        Form::Text => {
            let now = now();
            let headers =
                ["host", "group", "status", "connected", "generation", "rfc", "drift", "seen", "version"];
            let rows: Vec<Vec<String>> = hosts.iter().map(|host| row(host, now)).collect();
            screen.table(
                &headers,
                rows,
                "no hosts yet: make a token with `pointsman token create --host NAME`",
            )?;
        }
    }
    Ok(Outcome::Clean)
}

fn row(host: &HostView, now: model::Wall) -> Vec<String> {
    let yes_no = |flag: bool| if flag { "yes" } else { "no" }.to_owned();
    let facts = host.facts.as_ref();
    vec![
        host.id.to_string(),
        or_dash(host.group.as_ref()),
        host.status.clone(),
        yes_no(host.connected),
        match &host.undone {
            Some(undone) => format!("{} ({} undone)", host.generation_committed, undone.generation),
            None => host.generation_committed.to_string(),
        },
        or_dash(host.committed_rfc),
        yes_no(host.drift),
        ago(host.last_seen, now),
        or_dash(facts.map(|facts| &facts.version).filter(|version| !version.is_empty())),
    ]
}
