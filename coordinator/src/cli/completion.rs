//! `pointsman completion SHELL`: completion for bash, zsh and fish.

use super::failure::{CliError, Outcome};
use super::screen::Screen;
use clap::{CommandFactory, ValueEnum};
use clap_complete::Shell;

/// A shell.
#[derive(Debug, Clone, Copy, ValueEnum)]
enum Which {
    Bash,
    Zsh,
    Fish,
}

/// Arguments.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// The shell to print completion for.
    shell: Which,
}

pub fn run(args: &Args, screen: &mut Screen<'_>) -> Result<Outcome, CliError> {
    let shell = match args.shell {
        Which::Bash => Shell::Bash,
        Which::Zsh => Shell::Zsh,
        Which::Fish => Shell::Fish,
    };
    let mut text = Vec::new();
    clap_complete::generate(shell, &mut super::Cli::command(), "pointsman", &mut text);
    screen.out.write_all(&text)?;
    Ok(Outcome::Clean)
}
