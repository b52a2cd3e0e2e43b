//! Operators' decisions about identities of hosts: who waits, approve, deny, revoke, quarantine, release.
//!
//! Called by `host`.

use super::client::Remote;
use super::failure::{CliError, Outcome};
use super::screen::{Form, Screen, or_dash, printable};
use super::time::{ago, now};
use crate::api::views::{AcceptedView, ApproveRequest, EnrolmentView, ReasonRequest};
use model::{HostId, KeyFingerprint};

/// Arguments of `approve`.
#[derive(Debug, clap::Args)]
pub struct Approve {
    /// The host.
    host: HostId,
    /// The key as the host shows it; another one is not approved.
    #[arg(long)]
    fingerprint: Option<KeyFingerprint>,
    #[command(flatten)]
    remote: Remote,
}

/// Arguments of the verbs that need a reason.
#[derive(Debug, clap::Args)]
pub struct Because {
    /// The host.
    host: HostId,
    /// Why, for the audit trail.
    #[arg(long)]
    reason: String,
    #[command(flatten)]
    remote: Remote,
}

/// Lists who waits.
pub fn pending(remote: &Remote, screen: &mut Screen<'_>) -> Result<Outcome, CliError> {
    let waiting: Vec<EnrolmentView> = remote.client()?.list("enrolments")?;
    match screen.form {
        Form::Json => screen.json(&waiting)?,
        Form::Text => {
            let now = now();
            let headers = ["host", "key", "machine", "from", "group", "is now", "since"];
            let row = |one: &EnrolmentView| {
                vec![
                    one.host.to_string(),
                    one.key.to_string(),
                    or_dash(one.system_uuid.as_ref()),
                    printable(&one.remote),
                    or_dash(one.group.as_ref()),
                    or_dash(one.replaces.as_ref()),
                    ago(Some(one.created), now),
                ]
            };
            let rows: Vec<Vec<String>> = waiting.iter().map(row).collect();
            screen.table(&headers, rows, "no host waits")?;
        }
    }
    Ok(Outcome::Clean)
}

/// Lets a host in.
pub fn approve(args: &Approve, screen: &mut Screen<'_>) -> Result<Outcome, CliError> {
    let Approve { host, fingerprint, remote } = args;
    let request = ApproveRequest { fingerprint: fingerprint.clone() };
    tell(&remote.client()?.post(&format!("hosts/{host}/approve"), &request)?, screen)
}

/// Posts a decision with its reason.
pub fn decide(verb: &str, because: &Because, screen: &mut Screen<'_>) -> Result<Outcome, CliError> {
    let Because { host, reason, remote } = because;
    let request = ReasonRequest { reason: reason.clone() };
    tell(&remote.client()?.post(&format!("hosts/{host}/{verb}"), &request)?, screen)
}

fn tell(accepted: &AcceptedView, screen: &mut Screen<'_>) -> Result<Outcome, CliError> {
    match screen.form {
        Form::Json => screen.json(accepted)?,
        Form::Text => screen.line(&accepted.message)?,
    }
    Ok(Outcome::Clean)
}
