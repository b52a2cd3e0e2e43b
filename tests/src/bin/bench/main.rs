//! `bench`: measures what issue and README promise about speed and size; one JSON object per line.
//!
//! Owns: the scenarios and their targets. Must not decide anything about the product. Called by `cargo xtask bench`,
//! which builds the programs the lab figures need. Ends with 0 when every target is met, 1 when one is missed or a
//! scenario fails, 2 on wrong usage.
#![expect(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "figures go to standard output, failures to standard error"
)]

mod figure;
mod labs;
mod many;
mod network;
mod one;
mod reads;

use figure::{Figure, Origin};
use std::path::PathBuf;
use std::process::ExitCode;

const USAGE: &str = "usage: bench plan|observe
       bench apply_calls|demo --programs DIR [--esxcli FILE] [--hosts N]
       bench agent --programs DIR [--esxcli FILE] --agent FILE";
/// Simulated hosts of `bench demo` when none are named.
const DEMO_HOSTS: usize = 100;

/// What was asked.
#[derive(Debug, PartialEq, Eq)]
struct Request {
    bench: String,
    programs: Option<PathBuf>,
    /// Another simulated esxcli than the one among the programs.
    esxcli: Option<PathBuf>,
    agent: Option<PathBuf>,
    hosts: usize,
}

fn request(arguments: impl IntoIterator<Item = String>) -> Option<Request> {
    let mut arguments = arguments.into_iter();
    let bench = arguments.next()?;
    let mut request = Request { bench, programs: None, esxcli: None, agent: None, hosts: DEMO_HOSTS };
    while let Some(option) = arguments.next() {
        let value = arguments.next()?;
        match option.as_str() {
            // Absolute, because the programs of a lab run in folders of their own.
            "--programs" => request.programs = Some(std::path::absolute(value).ok()?),
            "--esxcli" => request.esxcli = Some(std::path::absolute(value).ok()?),
            "--agent" => request.agent = Some(std::path::absolute(value).ok()?),
            "--hosts" => request.hosts = value.parse().ok()?,
            _ => return None,
        }
    }
    Some(request)
}

fn measure(request: &Request) -> Option<anyhow::Result<Vec<Figure>>> {
    let figures = match request.bench.as_str() {
        "plan" => one::measure().and_then(|mut figures| {
            figures.extend(many::measure()?);
            Ok(figures)
        }),
        "observe" => reads::measure(),
        "apply_calls" | "demo" | "agent" => labs::measure(request)?,
        _ => return None,
    };
    Some(figures)
}

fn main() -> ExitCode {
    let asked = request(std::env::args().skip(1));
    let Some((request, measured)) =
        asked.and_then(|request| measure(&request).map(|measured| (request, measured)))
    else {
        eprintln!("{USAGE}");
        return ExitCode::from(2);
    };
    match measured {
        Ok(figures) => {
            let origin = Origin::here();
            for figure in &figures {
                println!("{}", figure.line(&request.bench, &origin));
            }
            if figures.iter().all(Figure::is_met) { ExitCode::SUCCESS } else { ExitCode::from(1) }
        }
        Err(error) => {
            eprintln!("bench {}: {error:#}", request.bench);
            ExitCode::from(1)
        }
    }
}

#[cfg(test)]
mod tests;
