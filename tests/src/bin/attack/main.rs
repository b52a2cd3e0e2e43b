//! `attack`: an evil forge, an evil agent and an evil coordinator against the real programs and simulated hosts.
//!
//! Owns: the command line, the order of the attacks, the lines that are printed. Must not decide anything about the
//! product. Called by `cargo xtask attack` and by a system test. Prints one JSON object per attack and one summary; ends
//! with 0 when every attack was refused as expected, is on record and changed no host, 1 otherwise, 2 on wrong usage.
#![expect(clippy::print_stdout, clippy::print_stderr, reason = "verdicts go to standard output")]

mod agent;
mod coordinator;
mod forge;
mod identity;
mod line;
mod proof;
mod release;
mod server;
mod stage;
mod verdict;
mod wire;

use anyhow::{Context, Result};
use stage::{Stage, play};
use std::path::PathBuf;
use std::process::ExitCode;
use tests::lab::Programs;
use verdict::{Evil, Verdict, summary};

const USAGE: &str = "usage: attack [--only PREFIX] [--keep FOLDER] [--commit C]";

/// What was asked.
#[derive(Default)]
struct Asked {
    only: Option<String>,
    keep: Option<PathBuf>,
    commit: String,
}

fn asked(arguments: impl IntoIterator<Item = String>) -> Option<Asked> {
    let mut asked = Asked { commit: "unknown".to_owned(), ..Asked::default() };
    let mut arguments = arguments.into_iter();
    while let Some(argument) = arguments.next() {
        match argument.as_str() {
            "--only" => asked.only = Some(arguments.next()?),
            "--keep" => asked.keep = Some(arguments.next()?.into()),
            "--commit" => asked.commit = arguments.next()?,
            _ => return None,
        }
    }
    Some(asked)
}

fn main() -> ExitCode {
    let Some(asked) = asked(std::env::args().skip(1)) else {
        eprintln!("{USAGE}");
        return ExitCode::from(2);
    };
    match run(&asked) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::from(1),
        Err(error) => {
            eprintln!("attack: {error:#}");
            ExitCode::from(1)
        }
    }
}

fn show(verdict: &Verdict) {
    println!("{}", verdict.line());
}

fn run(asked: &Asked) -> Result<bool> {
    let temporary = tempfile::tempdir().context("no temporary folder")?;
    let root = asked.keep.clone().unwrap_or_else(|| temporary.path().to_owned());
    let mut stage = Stage::set(&root, Programs::beside_this_program()?, asked.only.clone())?;
    play(&mut stage, Evil::Forge, forge::ATTACKS, show)?;
    let mut outside = agent::Outside::new(stage)?;
    play(&mut outside, Evil::Agent, agent::ATTACKS, show)?;
    play(&mut outside, Evil::Agent, identity::ATTACKS, show)?;
    let mut inside = coordinator::Inside::new(outside.stage)?;
    play(&mut inside, Evil::Coordinator, coordinator::ATTACKS, show)?;
    play(&mut inside, Evil::Coordinator, identity::OF_THE_COORDINATOR, show)?;
    play(&mut inside, Evil::Coordinator, proof::ATTACKS, show)?;
    let taken = inside.control()?;
    inside.stage.controls.push(("the genuine order is taken", taken));
    play(&mut inside, Evil::Coordinator, coordinator::AFTER_AN_ORDER, show)?;
    let Stage { verdicts, controls, .. } = inside.stage;
    println!("{}", summary(&verdicts, &controls, &asked.commit));
    Ok(verdicts.iter().all(Verdict::is_good) && controls.iter().all(|(_, good)| *good))
}
