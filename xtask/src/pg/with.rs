//! The verb `with-pg`: runs one command while a throw-away PostgreSQL is up.
//!
//! Owns nothing but the order start, run, stop. Called by developers who test one crate.

use std::path::Path;
use std::process::Command;

use anyhow::{Context, bail};

use super::{Found, ThrowAway, URL_VARIABLE, find_or_install};
use crate::Outcome;
use crate::report::Report;

/// Runs `words` as a command in the workspace, with the server's URL in its environment.
pub fn run(root: &Path, words: &[String], report: &Report) -> anyhow::Result<Outcome> {
    let Some((program, args)) = words.split_first() else { bail!("no command given: with-pg -- COMMAND") };
    let bin = match find_or_install(report)? {
        Found::Bin(bin) => bin,
        Found::Missing(hint) => bail!(hint),
    };
    let server = ThrowAway::start(&bin)?;
    report.note(format_args!("{URL_VARIABLE}={}", server.url()));
    let mut command = Command::new(program);
    command.args(args).current_dir(root).env(URL_VARIABLE, server.url());
    let status = command.status().with_context(|| format!("cannot run {program}"))?;
    drop(server);
    if status.success() {
        return Ok(Outcome::Passed);
    }
    report.note(format_args!("{program} ended with {status}"));
    Ok(Outcome::Failed)
}
