//! `pointsman ca init|show|renew|seal|import`: the certificate authority, in the coordinator's state folder.

use super::failure::{CliError, Outcome};
use super::screen::{Form, Screen};
use super::time::{self, stamp};
use crate::settings::Settings;
use crate::trust::{Authority, ForeignAuthority};
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
    Init {
        /// Write the root's key into this folder and not beside the coordinator: keep it offline.
        #[arg(long)]
        offline_root: Option<PathBuf>,
        #[command(flatten)]
        config: Config,
    },
    /// Show its certificate and fingerprint.
    Show(Config),
    /// Make a new intermediate certificate below the root; start the coordinator again to use it.
    Renew {
        /// Folder with the root's key, when it is kept elsewhere.
        #[arg(long)]
        offline_root: Option<PathBuf>,
        #[command(flatten)]
        config: Config,
    },
    /// Seal the keys with the passphrase of the settings (`ca_passphrase_file`).
    Seal(Config),
    /// Take over an intermediate certificate of another authority.
    Import {
        /// The certificate that signs, PEM.
        #[arg(long)]
        certificate: PathBuf,
        /// Its private key, PEM (PKCS#8).
        #[arg(long)]
        key: PathBuf,
        /// The root that hosts are to trust, PEM.
        #[arg(long)]
        root: PathBuf,
        #[command(flatten)]
        config: Config,
    },
}

#[derive(Debug, clap::Args)]
struct Config {
    /// Settings file.
    #[arg(long)]
    config: Option<PathBuf>,
}

impl Config {
    fn settings(&self) -> Result<Settings, CliError> {
        Settings::load(&Settings::file(self.config.clone())).map_err(CliError::failed)
    }
}

pub fn run(args: &Args, screen: &mut Screen<'_>) -> Result<Outcome, CliError> {
    let now = time::now();
    let authority = match &args.verb {
        Verb::Init { offline_root, config } => {
            let settings = config.settings()?;
            settings.authority_files().create(&settings.trust_domain, offline_root.as_deref(), now)
        }
        Verb::Show(config) => config.settings()?.authority_files().open(),
        Verb::Renew { offline_root, config } => {
            config.settings()?.authority_files().renew_intermediate(offline_root.as_deref(), now)
        }
        Verb::Seal(config) => {
            let settings = config.settings()?;
            let files = settings.authority_files();
            let sealed = files.seal(&settings.order_key_file()).map_err(CliError::failed)?;
            screen.remark(format_args!("{sealed} keys sealed"))?;
            files.open()
        }
        Verb::Import { certificate, key, root, config } => {
            let settings = config.settings()?;
            let from =
                ForeignAuthority { certificate: certificate.clone(), key: key.clone(), root: root.clone() };
            settings.authority_files().import(&from, &settings.trust_domain, now)
        }
    };
    show(&authority.map_err(CliError::failed)?, screen)?;
    Ok(Outcome::Clean)
}

fn show(authority: &Authority, screen: &mut Screen<'_>) -> Result<(), CliError> {
    let (domain, fingerprint) = (authority.trust_domain(), authority.fingerprint());
    let until = authority.intermediate_expires().map_err(CliError::failed)?;
    match screen.form {
        Form::Json => screen.json(&serde_json::json!({
            "trust_domain": domain,
            "sha256": fingerprint,
            "certificate": authority.root_pem(),
            "intermediate_expires": until,
        })),
        Form::Text => {
            screen.line(format_args!("trust domain  {domain}"))?;
            screen.line(format_args!("sha256        {fingerprint}"))?;
            screen.line(format_args!("signs until   {}", stamp(until)))?;
            screen.line(authority.root_pem().trim_end())
        }
    }
}
