//! `pointsman ca init|show`: the built-in certificate authority, in the coordinator's state folder.

use super::failure::{CliError, Outcome};
use super::screen::{Form, Screen};
use super::time;
use crate::settings::Settings;
use crate::trust::Authority;
use std::path::PathBuf;

/// Arguments.
#[derive(Debug, clap::Args)]
pub struct Args {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Debug, clap::Subcommand)]
enum Verb {
    /// Make the authority; refuses when there is one.
    Init(Config),
    /// Show its certificate and fingerprint.
    Show(Config),
}

#[derive(Debug, clap::Args)]
struct Config {
    /// Settings file.
    #[arg(long)]
    config: Option<PathBuf>,
}

pub fn run(args: &Args, screen: &mut Screen<'_>) -> Result<Outcome, CliError> {
    let (Verb::Init(config) | Verb::Show(config)) = &args.verb;
    let settings = Settings::load(&Settings::file(config.config.clone())).map_err(CliError::failed)?;
    let dir = settings.authority_dir();
    let authority = match &args.verb {
        Verb::Init(_) => Authority::create(&dir, &settings.trust_domain, time::now()),
        Verb::Show(_) => Authority::open(&dir),
    };
    let authority = authority.map_err(CliError::failed)?;
    let (domain, fingerprint) = (authority.trust_domain(), authority.fingerprint());
    match screen.form {
        Form::Json => screen.json(&serde_json::json!({
            "trust_domain": domain,
            "sha256": fingerprint,
            "certificate": authority.certificate_pem(),
        }))?,
        Form::Text => {
            screen.line(format_args!("trust domain  {domain}"))?;
            screen.line(format_args!("sha256        {fingerprint}"))?;
            screen.line(authority.certificate_pem().trim_end())?;
        }
    }
    Ok(Outcome::Clean)
}
