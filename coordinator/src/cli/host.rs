//! `pointsman host show|pending|approve|deny|revoke|quarantine|release`: one host, and who may be one.

use super::client::Remote;
use super::failure::{CliError, Outcome};
use super::identity;
use super::screen::{Form, Screen, or_dash, printable};
use super::time::{ago, now, stamp};
use crate::api::views::{HostView, IdentityView, ObservedView};
use model::HostId;

/// Arguments.
#[derive(Debug, clap::Args)]
pub struct Args {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Debug, clap::Subcommand)]
enum Verb {
    /// Show a host.
    Show {
        /// The host.
        host: HostId,
        /// Print its observation as a host description file, for `plan --host-file`.
        #[arg(long)]
        observed: bool,
        #[command(flatten)]
        remote: Remote,
    },
    /// List hosts that wait to be let in.
    Pending(Remote),
    /// Let a host in, after its key was compared with what the host shows.
    Approve(identity::Approve),
    /// Do not let a host in that waits.
    Deny(identity::Because),
    /// Take a host out for good: its streams end, its certificate is not accepted any more.
    Revoke(identity::Because),
    /// Take a host out until somebody has looked.
    Quarantine(identity::Because),
    /// Let a host out of quarantine, on whatever machine it is now.
    Release(identity::Because),
}

pub fn run(args: &Args, screen: &mut Screen<'_>) -> Result<Outcome, CliError> {
    match &args.verb {
        Verb::Show { host, observed, remote } => show(host, *observed, remote, screen),
        Verb::Pending(remote) => identity::pending(remote, screen),
        Verb::Approve(approve) => identity::approve(approve, screen),
        Verb::Deny(because) => identity::decide("deny", because, screen),
        Verb::Revoke(because) => identity::decide("revoke", because, screen),
        Verb::Quarantine(because) => identity::decide("quarantine", because, screen),
        Verb::Release(because) => identity::decide("release", because, screen),
    }
}

fn show(
    host: &HostId,
    observed: bool,
    remote: &Remote,
    screen: &mut Screen<'_>,
) -> Result<Outcome, CliError> {
    let client = remote.client()?;
    if observed {
        let view: ObservedView = client.get(&format!("hosts/{host}/observed"))?;
        screen.json(&view.network)?;
        return Ok(Outcome::Clean);
    }
    let view: HostView = client.get(&format!("hosts/{host}"))?;
    match screen.form {
        Form::Json => screen.json(&view)?,
        Form::Text => {
            print(&view, screen)?;
            print_identity(&client.get(&format!("hosts/{host}/identity"))?, screen)?;
        }
    }
    Ok(Outcome::Clean)
}

fn print_identity(identity: &IdentityView, screen: &mut Screen<'_>) -> Result<(), CliError> {
    let fields = [
        ("key", or_dash(identity.key.as_ref())),
        ("machine", or_dash(identity.system_uuid.as_ref())),
        ("cert until", or_dash(identity.certificate_expires.map(stamp))),
        ("recovered", or_dash(identity.join_count.map(|count| format!("{count} times")))),
        ("because", or_dash(identity.reason.as_ref())),
    ];
    for (name, value) in fields {
        screen.line(format_args!("{name:<10} {}", printable(&value)))?;
    }
    Ok(())
}

fn print(host: &HostView, screen: &mut Screen<'_>) -> Result<(), CliError> {
    let now = now();
    let labels: Vec<String> = host.labels.iter().map(|(key, value)| format!("{key}={value}")).collect();
    let facts = host.facts.clone().unwrap_or_default();
    let fields = [
        ("host", host.id.to_string()),
        ("group", or_dash(host.group.as_ref())),
        ("labels", or_dash(Some(labels.join(" ")).filter(|text| !text.is_empty()))),
        ("status", host.status.clone()),
        ("connected", if host.connected { "yes" } else { "no" }.to_owned()),
        ("last seen", ago(host.last_seen, now)),
        ("observed", ago(host.observed_at, now)),
        ("confirmed", format!("generation {}, {}", host.generation_committed, or_dash(host.committed_rfc))),
        ("since", or_dash(host.committed_at.map(stamp))),
        ("drift", if host.drift { "yes" } else { "no" }.to_owned()),
        ("esxi", format!("{} build {}", facts.version, facts.build)),
        ("hardware", format!("{} {}", facts.vendor, facts.model)),
        ("agent", or_dash(host.agent_version.as_ref())),
    ];
    let undone = host.undone.as_ref().map(|undone| {
        let text = format!(
            "{}, generation {}, {}: {}",
            undone.name(),
            undone.generation,
            ago(Some(undone.at), now),
            undone.reason
        );
        ("undone", text)
    });
    for (name, value) in fields.into_iter().chain(undone) {
        screen.line(format_args!("{name:<10} {}", printable(&value)))?;
    }
    Ok(())
}
