//! One simulated host in this process: the product's grammar on one side, the simulator on the other.

use anyhow::{Context, anyhow};
use esxcli::observe::{Answers, assemble, detail_queries, fingerprint_queries};
use esxcli::{Formatter, Query, QueryError};
use model::{ObservedNetwork, Operation, Plan, Wall};
use simulator::Host;

/// Rounds of reads an observation may take before something is wrong.
const ROUNDS_MAX: usize = 5;

fn ask(host: &mut Host, query: &Query, formatter: Formatter) -> Result<esxcli::Value, QueryError> {
    let argv = query.argv(formatter).map_err(|error| QueryError::NotRun { reason: error.to_string() })?;
    let output = host.run(&argv);
    query.read(formatter, Some(output.exit_code), &output.stdout, &output.stderr)
}

/// Reads the whole host as the agent does; also tells how many calls it took.
///
/// # Errors
/// When the reads never come to an end.
pub fn observe(host: &mut Host, formatter: Formatter) -> anyhow::Result<(ObservedNetwork, usize)> {
    let mut answers = Answers::new();
    let mut next = fingerprint_queries();
    for _ in 0..ROUNDS_MAX {
        for query in std::mem::take(&mut next) {
            let answer = ask(host, &query, formatter);
            answers.insert(query, answer);
        }
        next = detail_queries(&answers);
        if next.is_empty() {
            let calls = answers.len();
            return Ok((assemble(&answers, Wall(0)), calls));
        }
    }
    Err(anyhow!("observation asks for more reads after {ROUNDS_MAX} rounds: {next:?}"))
}

/// Runs one operation as the agent would.
///
/// # Errors
/// When the operation cannot be spelled, or the host refuses it.
pub fn run(host: &mut Host, operation: &Operation) -> anyhow::Result<()> {
    let argv = esxcli::argv(operation).with_context(|| format!("{operation:?}"))?;
    let output = host.run(&argv);
    match esxcli::classify(Some(output.exit_code), &output.stdout, &output.stderr) {
        None => Ok(()),
        Some(failure) => Err(anyhow!("{}: {failure:?}", esxcli::display(&argv))),
    }
}

/// Runs every step of a plan.
///
/// # Errors
/// At the first step the host refuses.
pub fn apply(host: &mut Host, plan: &Plan) -> anyhow::Result<()> {
    plan.steps.iter().try_for_each(|step| run(host, &step.operation))
}

/// Runs every inverse of a plan, last step first.
///
/// # Errors
/// At the first call the host refuses.
pub fn roll_back(host: &mut Host, plan: &Plan) -> anyhow::Result<()> {
    plan.steps.iter().rev().flat_map(|step| &step.inverse).try_for_each(|operation| run(host, operation))
}
