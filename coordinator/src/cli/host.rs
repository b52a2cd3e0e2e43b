//! `pointsman host show H [--observed]`: one host, or what it looks like as a host description.

use super::client::Remote;
use super::failure::{CliError, Outcome};
use super::screen::{Form, Screen, or_dash, printable};
use super::time::{ago, now, stamp};
use crate::api::views::{HostView, ObservedView};
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
}

pub fn run(args: &Args, screen: &mut Screen<'_>) -> Result<Outcome, CliError> {
    let Verb::Show { host, observed, remote } = &args.verb;
    let client = remote.client()?;
    if *observed {
        let view: ObservedView = client.get(&format!("hosts/{host}/observed"))?;
        screen.json(&view.network)?;
        return Ok(Outcome::Clean);
    }
    let view: HostView = client.get(&format!("hosts/{host}"))?;
    match screen.form {
        Form::Json => screen.json(&view)?,
        Form::Text => print(&view, screen)?,
    }
    Ok(Outcome::Clean)
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
