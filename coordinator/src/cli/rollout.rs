//! `pointsman rollout show|watch|pause|resume|abort|extend ID`.

use super::client::{Client, Remote};
use super::failure::{CliError, Outcome};
use super::screen::{Form, Screen, or_dash};
use super::watch;
use crate::api::views::{AcceptedView, ExtendRequest, ReasonRequest, RolloutDetailView, WaveHostView};
use model::{ApplyOutcome, ApprovalNote, HostId, OutcomeKind, RefusalReason, RolloutId};

/// Arguments.
#[derive(Debug, clap::Args)]
pub struct Args {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Debug, clap::Subcommand)]
enum Verb {
    /// Show waves and hosts.
    Show(Named),
    /// Watch it until it ends; 0 when every host committed.
    Watch(Named),
    /// Send no more orders.
    Pause(Steer),
    /// Go on after a pause or a halt.
    Resume(Steer),
    /// End it; hosts keep what they have.
    Abort(Steer),
    /// Give the open change of one host another confirm window.
    Extend(Extend),
}

#[derive(Debug, clap::Args)]
struct Named {
    /// The rollout.
    id: RolloutId,
    #[command(flatten)]
    remote: Remote,
}

#[derive(Debug, clap::Args)]
struct Steer {
    /// The rollout.
    id: RolloutId,
    /// Why; kept in the audit trail.
    #[arg(long)]
    reason: String,
    #[command(flatten)]
    remote: Remote,
}

#[derive(Debug, clap::Args)]
struct Extend {
    /// The rollout.
    id: RolloutId,
    /// The host with the open change.
    #[arg(long)]
    host: HostId,
    /// The new window in seconds, counted from now: 30 to 600.
    #[arg(long)]
    secs: u64,
    /// Why; kept in the audit trail.
    #[arg(long, default_value = "")]
    reason: String,
    #[command(flatten)]
    remote: Remote,
}

pub fn run(args: &Args, screen: &mut Screen<'_>) -> Result<Outcome, CliError> {
    match &args.verb {
        Verb::Show(named) => {
            let detail = get(&named.remote.client()?, &named.id)?;
            match screen.form {
                Form::Json => screen.json(&detail)?,
                Form::Text => print(&detail, screen)?,
            }
            Ok(Outcome::Clean)
        }
        Verb::Watch(named) => {
            let client = named.remote.client()?;
            let phase = watch::run(&client, &named.id, screen)?;
            Ok(if phase == model::RolloutPhase::Completed { Outcome::Clean } else { Outcome::Problems })
        }
        Verb::Pause(steer) => send(steer, "pause", screen),
        Verb::Resume(steer) => send(steer, "resume", screen),
        Verb::Abort(steer) => send(steer, "abort", screen),
        Verb::Extend(extend) => {
            let Extend { id, host, secs, reason, remote } = extend;
            let body = ExtendRequest { host: host.clone(), secs: *secs, reason: reason.clone() };
            accepted(&remote.client()?.post(&format!("rollouts/{id}/extend"), &body)?, screen)
        }
    }
}

/// Reads a rollout.
pub fn get(client: &Client, id: &RolloutId) -> Result<RolloutDetailView, CliError> {
    client.get(&format!("rollouts/{id}"))
}

fn send(steer: &Steer, command: &str, screen: &mut Screen<'_>) -> Result<Outcome, CliError> {
    let body = ReasonRequest { reason: steer.reason.clone() };
    let answer: AcceptedView =
        steer.remote.client()?.post(&format!("rollouts/{}/{command}", steer.id), &body)?;
    accepted(&answer, screen)
}

fn accepted(answer: &AcceptedView, screen: &mut Screen<'_>) -> Result<Outcome, CliError> {
    match screen.form {
        Form::Json => screen.json(answer)?,
        Form::Text => screen.line(&answer.message)?,
    }
    Ok(Outcome::Clean)
}

/// Prints a rollout with its waves and hosts.
pub fn print(detail: &RolloutDetailView, screen: &mut Screen<'_>) -> Result<(), CliError> {
    let rollout = &detail.rollout;
    let reason = rollout.reason.as_ref().map(|reason| format!(": {reason}")).unwrap_or_default();
    screen.line(format_args!("rollout {} is {}{reason}", rollout.id, rollout.phase.as_str()))?;
    let waves = detail.waves.len();
    let rows: Vec<Vec<String>> = detail
        .waves
        .iter()
        .flat_map(|wave| wave.hosts.iter().map(move |host| (wave.number, host)))
        .map(|(number, host)| row(number, waves, host))
        .collect();
    screen.table(&["wave", "host", "state", "connected", "steps", "why"], rows, "no hosts")
}

fn row(number: u32, waves: usize, host: &WaveHostView) -> Vec<String> {
    let state = match host.phase {
        Some(phase) => format!("{} ({})", host.state, super::screen::word(&phase)),
        None => host.state.clone(),
    };
    vec![
        format!("{number}/{waves}"),
        host.host.to_string(),
        state,
        if host.connected { "yes" } else { "no" }.to_owned(),
        or_dash(host.outcome.as_ref().map(|outcome| outcome.steps_run)),
        host.outcome.as_ref().map(told).unwrap_or_default(),
    ]
}

/// Why a host ended as it did, and what it says of the approval.
fn told(outcome: &ApplyOutcome) -> String {
    let note = match &outcome.approval {
        None => return why(&outcome.kind),
        Some(ApprovalNote::BreakGlass { names }) => format!("keys for emergencies: {}", names.join(", ")),
        Some(ApprovalNote::Unproven(unproven)) => format!("only warned: {unproven}"),
    };
    [why(&outcome.kind), note].iter().filter(|part| !part.is_empty()).cloned().collect::<Vec<_>>().join("; ")
}

/// Why a host ended as it did, in words.
pub fn why(kind: &OutcomeKind) -> String {
    match kind {
        OutcomeKind::Committed => String::new(),
        OutcomeKind::RolledBack { reason } | OutcomeKind::FailedMixed { reason } => reason.clone(),
        OutcomeKind::RolledBackUnverified { reason, differences } => {
            let left: Vec<String> = differences.iter().map(ToString::to_string).collect();
            format!("{reason}; still different: {}", left.join(", "))
        }
        OutcomeKind::Refused(RefusalReason::Unproven(unproven)) => unproven.to_string(),
        OutcomeKind::Refused(reason) => super::screen::word(reason),
    }
}
