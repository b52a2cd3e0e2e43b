//! `pointsman-agent`: reads the live network of one host, applies orders, rolls back by itself.
//!
//! Owns: arguments, settings, logging, exit code. Must not: hold logic of its own.
#![expect(clippy::print_stdout, reason = "the command line prints its results")]

mod agent;
mod approval;
mod console;
mod drift;
mod guard;
mod host;
mod journal;
mod link;
mod settings;
mod status;
mod work;

use approval::pins::Replace;
use clap::{Parser, Subcommand};
use console::exit::Code;
use console::holds::Kind;
use console::rollback::{Consent, rollback};
use console::verbs::Form;
use console::{approvers, exit, verbs};
use host::boot::{Clock, boot_id};
use host::observe::{Depth, Observer};
use settings::Settings;
use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

/// Where the settings are when nothing is said.
const CONFIG_DEFAULT: &str = "/etc/pointsman/agent.toml";
/// Stack of the threads that resolve names.
const RUNTIME_STACK_BYTES: usize = 256 * 1024;
/// Threads that resolve names at the same time.
const RUNTIME_THREADS_MAX: usize = 2;

/// The Pointsman agent of one host.
///
/// `status`, `plan`, `log`, `doctor`, `approvers`, `freeze`, `pin`, `release` and `rollback` work with no network, with and without a
/// running agent.
#[derive(Parser)]
#[command(name = "pointsman-agent", version, after_help = exit::HELP)]
struct Arguments {
    /// Settings file.
    #[arg(long, global = true, default_value = CONFIG_DEFAULT)]
    config: PathBuf,
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Subcommand)]
enum Verb {
    /// Guards the agent: starts it, ends it when it hangs, starts it again. Killing it is safe at any time.
    Run,
    /// Is the agent, without a guard; `run` starts it.
    Work {
        /// A guard listens on standard output and holds standard input open.
        #[arg(long, hide = true)]
        guarded: bool,
    },
    /// Makes a key and gets a certificate for it with a one-time token, which also tells which authority to trust.
    Enrol {
        /// The token.
        #[arg(long, conflicts_with = "token_file")]
        token: Option<String>,
        /// A file with the token, which keeps it out of the list of processes.
        #[arg(long)]
        token_file: Option<PathBuf>,
        /// How long to wait for an operator who approves the key, in seconds.
        #[arg(long, default_value_t = 3600, value_parser = clap::value_parser!(u64).range(0..=link::enrol::WAIT_SECS_MAX))]
        wait: u64,
    },
    /// Says how this host stands.
    Status {
        /// For programs.
        #[arg(long)]
        json: bool,
    },
    /// Shows the steps of the open change, or what would repair drift now. Changes nothing.
    Plan {
        /// For programs.
        #[arg(long)]
        json: bool,
    },
    /// Undoes the open change; when none is open, the last committed one.
    Rollback {
        /// The last change; there is no other choice, it is said so that nobody does it by mistake.
        #[arg(long, required = true)]
        last: bool,
        /// Asks no question.
        #[arg(long)]
        yes: bool,
        /// Why, for the record.
        #[arg(long)]
        reason: Option<String>,
        /// No agent runs; only needed where that cannot be proven.
        #[arg(long)]
        agent_stopped: bool,
        #[arg(long, hide = true)]
        detached: bool,
    },
    /// Takes no order and starts no further step, until `release`.
    Freeze {
        /// Why.
        reason: String,
    },
    /// Takes no order, until `release`.
    Pin {
        /// Why.
        reason: String,
    },
    /// Ends freeze and pin.
    Release,
    /// Who may approve changes of this host.
    Approvers {
        #[command(subcommand)]
        verb: ApproversVerb,
    },
    /// Says what the journal holds.
    Log {
        /// For programs.
        #[arg(long)]
        json: bool,
    },
    /// Tries everything the agent relies on, for real.
    Doctor {
        /// For programs.
        #[arg(long)]
        json: bool,
    },
    /// Reads the host once and prints it.
    Observe {
        /// The whole host description.
        #[arg(long)]
        json: bool,
    },
    /// Prints the version.
    Version,
}

#[derive(Subcommand)]
enum ApproversVerb {
    /// Trusts the people of this file from now on.
    Pin {
        /// An approver set in JSON.
        file: PathBuf,
        /// Also when another set is pinned.
        #[arg(long)]
        replace: bool,
    },
    /// Shows who is trusted.
    Show {
        /// For programs.
        #[arg(long)]
        json: bool,
    },
}

fn main() -> ExitCode {
    if let Some((program, config)) = guard::own_arguments(std::env::args_os()) {
        return ended(guard::run(&program, &config).map(|()| Code::Fine));
    }
    let Arguments { config, verb } = Arguments::parse_from(own_arguments());
    ended(execute(verb, &config))
}

fn ended(result: anyhow::Result<Code>) -> ExitCode {
    match result {
        Ok(code) => code.into(),
        Err(error) => {
            let text = format!("pointsman-agent: {error:#}\n");
            // Nothing can be done when even that does not work.
            let _ = std::io::Write::write_all(&mut std::io::stderr(), text.as_bytes());
            Code::Error.into()
        }
    }
}

/// The host's own exec parameters (`++group=...`) stand right after the program's name.
fn own_arguments() -> impl Iterator<Item = OsString> {
    let exec_parameter = |argument: &OsString| argument.to_string_lossy().starts_with("++");
    let mut arguments = std::env::args_os();
    let program = arguments.next();
    program.into_iter().chain(arguments.skip_while(exec_parameter))
}

/// This program: as the settings say, or by the name it was called. A host does not tell otherwise.
fn own_program(settings: &Settings) -> OsString {
    let said = settings.program.clone().map(PathBuf::into_os_string);
    said.or_else(|| std::env::args_os().next()).unwrap_or_else(|| "pointsman-agent".into())
}

fn execute(verb: Verb, config: &Path) -> anyhow::Result<Code> {
    match verb {
        Verb::Run => {
            let program = own_program(&Settings::load(config)?);
            return Err(guard::become_guard(&program, config));
        }
        Verb::Work { guarded } => work::work(prepare(config)?, guarded)?,
        Verb::Enrol { token, token_file, wait } => {
            let settings = prepare(config)?;
            let token = read_token(token, token_file)?;
            let machine = host::identity::system_uuid(&settings);
            let told = |words: &str| println!("{words}");
            let wait = std::time::Duration::from_secs(wait);
            runtime()?.block_on(link::enrol::enrol(&settings, token, machine, wait, told))?;
            println!("{} is enrolled", settings.host_id);
        }
        Verb::Observe { json } => observe(&prepare(config)?, json)?,
        Verb::Version => println!("pointsman-agent {}", env!("CARGO_PKG_VERSION")),
        Verb::Status { json } => return verbs::status(&at_console(config)?, form(json)),
        Verb::Plan { json } => return verbs::plan(&at_console(config)?, form(json)),
        Verb::Log { json } => return verbs::log(&at_console(config)?, form(json)),
        Verb::Doctor { json } => return verbs::doctor(&at_console(config)?, form(json)),
        Verb::Freeze { reason } => return verbs::hold(&at_console(config)?, Kind::Freeze, reason),
        Verb::Pin { reason } => return verbs::hold(&at_console(config)?, Kind::Pin, reason),
        Verb::Release => return verbs::release(&at_console(config)?),
        Verb::Approvers { verb: ApproversVerb::Pin { file, replace } } => {
            let replace = if replace { Replace::Yes } else { Replace::No };
            return approvers::pin(&at_console(config)?, &file, replace);
        }
        Verb::Approvers { verb: ApproversVerb::Show { json } } => {
            return approvers::show(&at_console(config)?, form(json));
        }
        Verb::Rollback { last: _, yes, reason, agent_stopped, detached } => {
            return rollback(&at_console(config)?, reason, Consent { yes, agent_stopped, detached });
        }
    }
    Ok(Code::Fine)
}

fn form(json: bool) -> Form {
    if json { Form::Json } else { Form::Text }
}

fn prepare(config: &Path) -> anyhow::Result<Settings> {
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

/// For a person at the console: warnings only, in words.
fn at_console(config: &Path) -> anyhow::Result<Settings> {
    let settings = Settings::load(config)?;
    tracing_subscriber::fmt()
        .without_time()
        .with_target(false)
        .with_ansi(false)
        .with_max_level(tracing::Level::WARN)
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
