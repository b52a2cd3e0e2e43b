//! `pointsman-agent`: reads the live network of one host, applies orders, rolls back by itself.
//!
//! Owns: arguments, settings, logging, exit code. Must not: hold logic of its own.
#![expect(clippy::print_stdout, reason = "the command line prints its results")]

mod agent;
mod drift;
mod host;
mod journal;
mod link;
mod settings;
mod status;

use clap::{Parser, Subcommand};
use host::boot::{Clock, boot_id};
use host::observe::{Depth, Observer};
use settings::Settings;
use std::path::PathBuf;
use std::process::ExitCode;

/// Stack of the threads that resolve names.
const RUNTIME_STACK_BYTES: usize = 256 * 1024;
/// Threads that resolve names at the same time.
const RUNTIME_THREADS_MAX: usize = 2;

/// The Pointsman agent of one host.
#[derive(Parser)]
#[command(name = "pointsman-agent", version)]
struct Arguments {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Subcommand)]
enum Verb {
    /// Runs until it is killed; that is safe at any time.
    Run {
        /// Settings file.
        #[arg(long)]
        config: PathBuf,
    },
    /// Makes a key and gets a certificate for it with a one-time token.
    Enrol {
        /// Settings file.
        #[arg(long)]
        config: PathBuf,
        /// The token.
        #[arg(long, conflicts_with = "token_file")]
        token: Option<String>,
        /// A file with the token, which keeps it out of the list of processes.
        #[arg(long)]
        token_file: Option<PathBuf>,
    },
    /// Says what the journal of this host holds.
    Status {
        /// Settings file.
        #[arg(long)]
        config: PathBuf,
        /// For programs.
        #[arg(long)]
        json: bool,
    },
    /// Reads the host once and prints it.
    Observe {
        /// Settings file.
        #[arg(long)]
        config: PathBuf,
        /// The whole host description.
        #[arg(long)]
        json: bool,
    },
    /// Prints the version.
    Version,
}

fn main() -> ExitCode {
    match execute(Arguments::parse().verb) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            let text = format!("pointsman-agent: {error:#}\n");
            // Nothing can be done when even that does not work.
            let _ = std::io::Write::write_all(&mut std::io::stderr(), text.as_bytes());
            ExitCode::FAILURE
        }
    }
}

fn execute(verb: Verb) -> anyhow::Result<()> {
    match verb {
        Verb::Run { config } => {
            let settings = prepare(&config)?;
            let clock = Clock::new();
            let boot = boot_id(settings.boot_id_file.as_deref(), &clock);
            runtime()?.block_on(agent::run(settings, clock, boot))
        }
        Verb::Enrol { config, token, token_file } => {
            let settings = prepare(&config)?;
            let token = read_token(token, token_file)?;
            runtime()?.block_on(link::enrol::enrol(&settings, token))?;
            println!("{} is enrolled", settings.host_id);
            Ok(())
        }
        Verb::Status { config, json } => {
            let status = status::status(&prepare(&config)?)?;
            let text = if json { serde_json::to_string_pretty(&status)? } else { status.text() };
            println!("{}", text.trim_end());
            Ok(())
        }
        Verb::Observe { config, json } => observe(&prepare(&config)?, json),
        Verb::Version => {
            println!("pointsman-agent {}", env!("CARGO_PKG_VERSION"));
            Ok(())
        }
    }
}

fn prepare(config: &std::path::Path) -> anyhow::Result<Settings> {
    let settings = Settings::load(config)?;
    tracing_subscriber::fmt()
        .json()
        .flatten_event(true)
        .with_target(false)
        .with_max_level(settings.log_level)
        .with_writer(std::io::stderr)
        .init();
    Ok(settings)
}

/// One thread for everything asynchronous; a few more only to resolve names.
fn runtime() -> std::io::Result<tokio::runtime::Runtime> {
    tokio::runtime::Builder::new_current_thread()
        .enable_io()
        .enable_time()
        .thread_stack_size(RUNTIME_STACK_BYTES)
        .max_blocking_threads(RUNTIME_THREADS_MAX)
        .build()
}

fn read_token(token: Option<String>, file: Option<PathBuf>) -> anyhow::Result<String> {
    match (token, file) {
        (Some(token), _) => Ok(token),
        (None, Some(path)) => {
            let text = std::fs::read_to_string(&path)
                .map_err(|error| anyhow::anyhow!("{}: {error}", path.display()))?;
            Ok(text.trim().to_owned())
        }
        (None, None) => anyhow::bail!("give the token with --token or --token-file"),
    }
}

fn observe(settings: &Settings, json: bool) -> anyhow::Result<()> {
    let clock = Clock::new();
    let boot = boot_id(settings.boot_id_file.as_deref(), &clock);
    let (result, calls) = Observer::new(settings).observe(Depth::Full, &boot, clock.now().wall);
    let observed = result?;
    if json {
        println!("{}", serde_json::to_string_pretty(&observed)?);
        return Ok(());
    }
    let count = |known: Option<usize>| known.map_or_else(|| "unreadable".to_owned(), |n| n.to_string());
    println!("{} {} ({calls} esxcli calls)", observed.facts.hostname, observed.facts.version);
    println!("switches: {}", count(observed.vswitches.read().map(|all| all.len())));
    println!("port groups: {}", count(observed.port_groups.read().map(|all| all.len())));
    println!("VMkernel adapters: {}", count(observed.vmkernels.read().map(|all| all.len())));
    println!("physical NICs: {}", count(observed.nics.read().map(|all| all.len())));
    Ok(())
}
