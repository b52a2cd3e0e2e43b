//! `pointsman rfc new TITLE`: an RFC document with the next number.

use super::failure::{CliError, Outcome};
use super::files::write_new;
use super::screen::{Form, Screen};
use super::tree;
use engine::documents::{parse_repository, scaffold};
use model::RfcId;
use std::path::PathBuf;

/// Arguments.
#[derive(Debug, clap::Args)]
pub struct Args {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Debug, clap::Subcommand)]
enum Verb {
    /// Write a new RFC document.
    New {
        /// One line that says what changes.
        title: String,
        /// The repository.
        #[arg(long, default_value = ".")]
        dir: PathBuf,
        /// Who writes it.
        #[arg(long, default_value = "author")]
        author: String,
    },
}

pub fn run(args: &Args, screen: &mut Screen<'_>) -> Result<Outcome, CliError> {
    let Verb::New { title, dir, author } = &args.verb;
    if title.trim().is_empty() {
        return Err(CliError::Usage("the title is empty: say in one line what changes".to_owned()));
    }
    let repository = parse_repository(&tree::read(dir)?.files);
    let next = repository.rfcs.keys().map(|id| id.0).max().unwrap_or(0).saturating_add(1);
    let (path, text) = scaffold::rfc(RfcId(next), title, author);
    write_new(dir, std::iter::once((path.as_str(), text.as_str())))?;
    match screen.form {
        Form::Json => screen.json(&serde_json::json!({ "rfc": next, "path": path }))?,
        Form::Text => screen.line(&path)?,
    }
    Ok(Outcome::Clean)
}
