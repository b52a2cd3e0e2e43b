//! `pointsman init [DIR] [--group NAME]`: a configuration repository to start from.

use super::failure::{CliError, Outcome};
use super::files::write_new;
use super::screen::{Form, Screen};
use engine::documents::scaffold;
use model::HostGroupId;
use std::path::PathBuf;

/// Folder of the group in the scaffold.
const EXAMPLE: &str = "groups/example/";

/// Arguments.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Where to make it.
    #[arg(default_value = ".")]
    dir: PathBuf,
    /// Name of the first group.
    #[arg(long, default_value = "example")]
    group: HostGroupId,
}

pub fn run(args: &Args, screen: &mut Screen<'_>) -> Result<Outcome, CliError> {
    let folder = format!("groups/{}/", args.group);
    let files: Vec<(String, String)> = scaffold::repository()
        .into_iter()
        .map(|(path, text)| match path.strip_prefix(EXAMPLE) {
            Some(rest) => (format!("{folder}{rest}"), text),
            None => (path, text),
        })
        .collect();
    write_new(&args.dir, files.iter().map(|(path, text)| (path.as_str(), text.as_str())))?;
    let paths: Vec<&String> = files.iter().map(|(path, _)| path).collect();
    match screen.form {
        Form::Json => screen.json(&paths)?,
        Form::Text => {
            for path in paths {
                screen.line(path)?;
            }
            screen.remark(
                "Edit these files, then run `pointsman check`; live hosts come in with `pointsman import`.",
            )?;
        }
    }
    Ok(Outcome::Clean)
}
