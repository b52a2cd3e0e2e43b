//! The program `pointsman`: the server and the operator's verbs, one file per verb.
//!
//! Owns: the command line, exit codes, tables and JSON for people and programs. Must not: decide anything about
//! networks (`engine` does) or touch the database (the API does). Called by `main`.

mod api_token;
mod approve;
mod approvers;
mod audit;
mod ca;
mod changes;
mod check;
mod client;
mod completion;
mod drift;
mod failure;
mod files;
mod findings;
mod host;
mod hosts;
mod identity;
pub mod import;
mod init;
mod login;
mod observed;
mod pack;
mod password;
mod plan;
mod resync;
mod review;
mod rfc;
mod rfcs;
mod rollout;
mod rollouts;
mod screen;
mod serve;
mod sessions;
mod sign;
mod status;
mod sync;
mod time;
mod token;
pub mod tree;
mod user;
mod verify;
mod watch;

#[cfg(test)]
mod tests;

use clap::{Parser, Subcommand};
use failure::{CliError, Outcome};
use screen::{Form, Screen, Surface};
use std::ffi::OsString;
use std::io::{IsTerminal, Write};
use std::process::ExitCode;

/// Shown below every help text.
const EXIT_CODES: &str = "Exit codes: 0 all is well, 1 problems were found or something failed, 2 wrong usage, \
                          3 the coordinator cannot be reached.";

/// GitOps for the networking of ESXi hosts.
#[derive(Debug, Parser)]
#[command(name = "pointsman", version, after_help = EXIT_CODES)]
struct Cli {
    /// Print JSON for programs.
    #[arg(long, global = true)]
    json: bool,
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Debug, Subcommand)]
enum Verb {
    /// Run the coordinator.
    Serve(serve::Args),
    /// Make, show, renew, seal or import the certificate authority.
    Ca(ca::Args),
    /// Make one-time enrolment tokens.
    Token(token::Args),
    /// Start a configuration repository.
    Init(init::Args),
    /// Start an RFC document.
    Rfc(rfc::Args),
    /// Check a configuration repository without any host.
    Check(check::Args),
    /// Show what the documents would do to hosts, call by call.
    Plan(plan::Args),
    /// Show what would become of the fleet if a branch were merged now.
    Review(review::Args),
    /// Write the documents of live hosts, so that the first plan is empty.
    Import(import::Args),
    /// List hosts.
    Hosts(hosts::Args),
    /// Show one host, or decide who may be one.
    Host(host::Args),
    /// List RFCs.
    Rfcs(rfcs::Args),
    /// List changes, or show one with its plans.
    Changes(changes::Args),
    /// Show what approvers sign of a change, and sign it.
    Approve(approve::Args),
    /// Check a pack of a change without any coordinator.
    Verify(verify::Args),
    /// List, bring, or rotate approver sets.
    Approvers(approvers::Args),
    /// List rollouts.
    Rollouts(rollouts::Args),
    /// Show, watch, pause, resume, abort or extend a rollout.
    Rollout(rollout::Args),
    /// List open drift.
    Drift(drift::Args),
    /// Read or verify the audit trail.
    Audit(audit::Args),
    /// Sign in at the coordinator.
    Login(login::LoginArgs),
    /// Sign out.
    Logout(login::Args),
    /// Show who you are for the coordinator.
    Whoami(login::Args),
    /// Make, list and change users.
    User(user::Args),
    /// Make, list and revoke tokens for programs.
    ApiToken(api_token::Args),
    /// Show how the coordinator is.
    Status(status::Args),
    /// Ask the coordinator to read the repository now.
    Sync(sync::Args),
    /// Ask the coordinator to look at every pull request of the forge now.
    Resync(resync::Args),
    /// Print completion for a shell.
    Completion(completion::Args),
}

/// Runs the program with its arguments, the program's name first.
pub fn run(arguments: impl IntoIterator<Item = OsString>) -> ExitCode {
    let stdout = std::io::stdout();
    let surface = if stdout.is_terminal() { Surface::Terminal } else { Surface::Plain };
    let code = run_on(arguments, surface, &mut stdout.lock(), &mut std::io::stderr());
    ExitCode::from(code)
}

/// Runs the program on these outputs and gives the exit code.
fn run_on(
    arguments: impl IntoIterator<Item = OsString>,
    surface: Surface,
    out: &mut dyn Write,
    err: &mut dyn Write,
) -> u8 {
    let cli = match Cli::try_parse_from(arguments) {
        Ok(cli) => cli,
        Err(error) => {
            let to: &mut dyn Write = if error.use_stderr() { err } else { out };
            // Nothing can be told when even this cannot be written.
            let _ = write!(to, "{}", error.render());
            return if error.use_stderr() { failure::USAGE } else { failure::OK };
        }
    };
    let form = if cli.json { Form::Json } else { Form::Text };
    let mut screen = Screen { out, err, form, surface };
    let result = dispatch(cli.verb, &mut screen);
    let flushed = screen.out.flush();
    match result {
        Ok(Outcome::Clean) if flushed.is_err() => failure::PROBLEMS,
        Ok(Outcome::Clean) => failure::OK,
        Ok(Outcome::Problems) => failure::PROBLEMS,
        Err(error) => {
            if !error.is_closed_pipe() {
                let _ = writeln!(screen.err, "pointsman: {error}");
            }
            error.exit_code()
        }
    }
}

fn dispatch(verb: Verb, screen: &mut Screen<'_>) -> Result<Outcome, CliError> {
    match verb {
        Verb::Serve(args) => serve::run(&args, screen),
        Verb::Ca(args) => ca::run(&args, screen),
        Verb::Token(args) => token::run(args, screen),
        Verb::Init(args) => init::run(&args, screen),
        Verb::Rfc(args) => rfc::run(&args, screen),
        Verb::Check(args) => check::run(&args, screen),
        Verb::Plan(args) => plan::run(&args, screen),
        Verb::Review(args) => review::run(&args, screen),
        Verb::Import(args) => import::run(&args, screen),
        Verb::Hosts(args) => hosts::run(&args, screen),
        Verb::Host(args) => host::run(&args, screen),
        Verb::Rfcs(args) => rfcs::run(&args, screen),
        Verb::Changes(args) => changes::run(&args, screen),
        Verb::Approve(args) => approve::run(&args, screen),
        Verb::Verify(args) => verify::run(&args, screen),
        Verb::Approvers(args) => approvers::run(&args, screen),
        Verb::Rollouts(args) => rollouts::run(&args, screen),
        Verb::Rollout(args) => rollout::run(&args, screen),
        Verb::Drift(args) => drift::run(&args, screen),
        Verb::Audit(args) => audit::run(&args, screen),
        Verb::Login(args) => login::login(&args, screen),
        Verb::Logout(args) => login::logout(&args, screen),
        Verb::Whoami(args) => login::whoami(&args, screen),
        Verb::User(args) => user::run(args, screen),
        Verb::ApiToken(args) => api_token::run(args, screen),
        Verb::Status(args) => status::run(&args, screen),
        Verb::Sync(args) => sync::run(&args, screen),
        Verb::Resync(args) => resync::run(&args, screen),
        Verb::Completion(args) => completion::run(&args, screen),
    }
}
