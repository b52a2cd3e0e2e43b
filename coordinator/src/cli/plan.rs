//! `pointsman plan [DIR]`: what the documents would do to hosts, folded into classes of equal plans.

use super::check::{self, Checked};
use super::client::Remote;
use super::failure::{CliError, Outcome};
use super::observed::{self, Observed};
use super::screen::{Form, Screen};
use super::{findings, time};
use crate::api::views::StepView;
use engine::documents::Repository;
use engine::plan::plan;
use engine::resolve::ResolvedHost;
use engine::rules::{Asking, Judged, of_hosts};
use model::{Component, Disruption, Finding, HostId, Plan, PlanDigest};
use serde::Serialize;
use std::collections::BTreeMap;
use std::path::PathBuf;

/// Rule id of a host that could not be planned because nothing is known of it.
const NOT_OBSERVED: &str = "PLAN-000";
/// Hosts named in one heading; the rest is counted.
const HOSTS_SHOWN_MAX: usize = 8;

/// Arguments.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// The repository.
    #[arg(default_value = ".")]
    dir: PathBuf,
    /// Only these hosts.
    #[arg(long)]
    host: Vec<HostId>,
    /// Host description files; without any, the coordinator is asked what hosts look like.
    #[arg(long)]
    host_file: Vec<PathBuf>,
    /// Show the way back of every step too.
    #[arg(long)]
    inverse: bool,
    #[command(flatten)]
    remote: Remote,
}

/// Hosts with the same plan.
#[derive(Debug, Serialize)]
struct Class {
    hosts: Vec<HostId>,
    disruption: Disruption,
    digest: PlanDigest,
    steps: Vec<StepView>,
}

/// What `--json` prints.
#[derive(Debug, Serialize)]
struct Planned {
    classes: Vec<Class>,
    findings: Vec<Finding>,
    /// Found by best-practice rules, and there before.
    already: Vec<Finding>,
    /// Waived by the site.
    waived: Vec<Finding>,
    /// Rules that could not be decided, with the fact that is missing.
    not_decided: BTreeMap<&'static str, &'static str>,
}

pub fn run(args: &Args, screen: &mut Screen<'_>) -> Result<Outcome, CliError> {
    let Checked { repository, hosts, mut findings, .. } = check::read(&args.dir)?;
    let wanted = wanted(args, &repository, &hosts)?;
    let observed = if args.host_file.is_empty() {
        observed::from_coordinator(&args.remote.client()?, wanted.iter(), || ())?
    } else {
        observed::from_files(&args.host_file, &args.host)?
    };
    let targets: Vec<HostId> =
        if args.host_file.is_empty() { wanted } else { observed.keys().cloned().collect() };
    let plans = plans(&targets, &hosts, &observed, &mut findings);
    let judged = judge(&repository, &hosts, &observed, &plans, &findings);
    findings.extend(judged.findings.iter().cloned());
    let classes = classes(&plans);
    let errors = findings::settle(&mut findings);
    match screen.form {
        Form::Json => {
            let Judged { already, waived, unknown: not_decided, .. } = judged;
            screen.json(&Planned { classes, findings, already, waived, not_decided })?;
        }
        Form::Text => {
            for class in &classes {
                print_class(class, args.inverse, screen)?;
            }
            findings::print(&findings, screen)?;
            screen.line(format_args!("{}{}", summary(&classes, &findings), findings::beside(&judged)))?;
        }
    }
    Ok(Outcome::of_errors(errors))
}

/// The hosts to plan: those named, else all of the repository.
fn wanted(
    args: &Args,
    repository: &Repository,
    hosts: &BTreeMap<HostId, ResolvedHost>,
) -> Result<Vec<HostId>, CliError> {
    if let Some(unknown) = args.host.iter().find(|host| !hosts.contains_key(*host)) {
        let groups: Vec<&str> = repository.groups.keys().map(|group| group.as_str()).collect();
        let message =
            format!("host `{unknown}` is in no group of the repository (groups: {})", groups.join(", "));
        return Err(CliError::Usage(message));
    }
    Ok(if args.host.is_empty() { hosts.keys().cloned().collect() } else { args.host.clone() })
}

/// Plans of the hosts that can be planned; why the others cannot is found.
fn plans<'a>(
    targets: &'a [HostId],
    hosts: &BTreeMap<HostId, ResolvedHost>,
    observed: &Observed,
    findings: &mut Vec<Finding>,
) -> BTreeMap<&'a HostId, Plan> {
    let mut plans = BTreeMap::new();
    for host in targets {
        let Some(resolved) = hosts.get(host) else {
            let message = "host is in no group of the repository";
            let finding = Finding::error(NOT_OBSERVED, Component::Host, message).on_host(host);
            findings.push(finding.hint("add it to a group, or name the file's host with --host"));
            continue;
        };
        let Some(observed) = observed.get(host) else {
            let message = "not planned: the coordinator has not seen this host yet";
            let finding = Finding::warning(NOT_OBSERVED, Component::Host, message).on_host(host);
            findings.push(finding.hint("start its agent, or give --host-file"));
            continue;
        };
        // Without a desired state there are errors that say why.
        let Some(desired) = &resolved.desired else { continue };
        let planned = plan(desired, observed);
        findings.extend(planned.findings.iter().map(|finding| finding.clone().on_host(host)));
        if !planned.is_refused() {
            plans.insert(host, planned.plan);
        }
    }
    plans
}

/// What the best-practice rules say of the planned hosts.
fn judge(
    repository: &Repository,
    hosts: &BTreeMap<HostId, ResolvedHost>,
    observed: &Observed,
    plans: &BTreeMap<&HostId, Plan>,
    told: &[Finding],
) -> Judged {
    let pairs = plans.iter().filter_map(|(host, plan)| Some((*host, observed.get(*host)?, plan)));
    let planned = pairs.map(|(host, observed, plan)| (host, engine::rules::Planned { observed, plan }));
    let today = time::today();
    of_hosts(repository, hosts, &planned.collect(), Asking { today: Some(&today), told, rollout: None })
}

fn classes(plans: &BTreeMap<&HostId, Plan>) -> Vec<Class> {
    let mut by_digest: BTreeMap<&PlanDigest, Class> = BTreeMap::new();
    for (host, plan) in plans {
        let class = by_digest.entry(&plan.digest).or_insert_with(|| Class {
            hosts: Vec::new(),
            disruption: plan.disruption,
            digest: plan.digest.clone(),
            steps: plan.steps.iter().map(StepView::from).collect(),
        });
        class.hosts.push((*host).clone());
    }
    let mut classes: Vec<Class> = by_digest.into_values().collect();
    classes.sort_by(|a, b| a.hosts.cmp(&b.hosts));
    classes
}

fn print_class(class: &Class, inverse: bool, screen: &mut Screen<'_>) -> Result<(), CliError> {
    let shown: Vec<&str> = class.hosts.iter().take(HOSTS_SHOWN_MAX).map(HostId::as_str).collect();
    let more = class.hosts.len().saturating_sub(HOSTS_SHOWN_MAX);
    let more = if more > 0 { format!(" and {more} more") } else { String::new() };
    let steps = findings::plural(class.steps.len(), "step");
    screen.line(format_args!(
        "{}{more}: {steps}, worst disruption {}",
        shown.join(", "),
        class.disruption
    ))?;
    for (number, step) in class.steps.iter().enumerate() {
        let mark = match step.disruption {
            Disruption::None => String::new(),
            worse => format!("  # {worse}"),
        };
        screen.line(format_args!("  {:>3}. {}{mark}", number + 1, step.esxcli))?;
        for line in step.inverse.iter().filter(|_| inverse) {
            screen.line(format_args!("       back: {line}"))?;
        }
    }
    screen.line("")
}

fn summary(classes: &[Class], found: &[Finding]) -> String {
    let hosts = |steps: bool| {
        let of = classes.iter().filter(|class| class.steps.is_empty() != steps);
        of.map(|class| class.hosts.len()).sum::<usize>()
    };
    let changed = findings::plural(hosts(true), "host");
    format!("{changed} would change, {} already as desired; {}", hosts(false), findings::counted(found))
}
