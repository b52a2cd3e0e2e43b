//! `pointsman serve`: the coordinator itself, until it is told to end. Owns: its log on standard error.

use super::failure::{CliError, Outcome};
use super::screen::{Form, Screen};
use crate::settings::Settings;
use std::path::PathBuf;
use tracing_subscriber::EnvFilter;

/// Arguments.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Settings file.
    #[arg(long)]
    config: Option<PathBuf>,
    /// What to log, e.g. `warn` or `info,coordinator::fleet=debug`; as JSON lines with --json.
    #[arg(long, default_value = "info")]
    log: String,
}

pub fn run(args: &Args, screen: &Screen<'_>) -> Result<Outcome, CliError> {
    let filter = EnvFilter::try_new(&args.log)
        .map_err(|error| CliError::Usage(format!("--log `{}` is not usable: {error}", args.log)))?;
    let log = tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr).with_ansi(false);
    let set_up = match screen.form {
        Form::Json => log.json().try_init(),
        Form::Text => log.try_init(),
    };
    set_up.map_err(CliError::failed)?;
    let settings = Settings::load(&Settings::file(args.config.clone())).map_err(CliError::failed)?;
    let runtime =
        tokio::runtime::Builder::new_multi_thread().enable_all().build().map_err(CliError::failed)?;
    let served = runtime.block_on(crate::app::serve(settings));
    served.map_err(|error| CliError::Failed(format!("{:#}", anyhow::Error::from(error))))?;
    Ok(Outcome::Clean)
}
