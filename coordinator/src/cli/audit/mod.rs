//! `pointsman audit list|verify|export`: who did what, and whether the trail is whole.

mod offline;

use super::client::Remote;
use super::failure::{CliError, Outcome};
use super::screen::{Form, Screen};
use super::time::stamp;
use crate::api::views::{AuditVerdictView, AuditView, PageView};
use crate::store::audit::FIRST_PREVIOUS_HASH;
use crate::trust::TrustedAuthorities;
use offline::{EndLine, FileVerdict, Head, Trusted};
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use std::fs::File;
use std::io::{BufReader, BufWriter, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

/// Entries asked for at once by an export.
const EXPORT_ROWS: u32 = 500;

/// Arguments.
#[derive(Debug, clap::Args)]
pub struct Args {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Debug, clap::Subcommand)]
enum Verb {
    /// The newest entries, newest first.
    List {
        /// How many, 1 to 500.
        #[arg(long, default_value_t = 50)]
        limit: u32,
        #[command(flatten)]
        remote: Remote,
    },
    /// Walk the whole chain and say whether anything was changed, added or taken out.
    Verify {
        /// An export: it is checked with every receipt, and no coordinator is asked.
        file: Option<PathBuf>,
        /// A hash that an earlier export printed and that was kept elsewhere: the chain must hold it.
        #[arg(long, requires = "file")]
        head: Option<String>,
        /// Certificates of the authorities whose hosts are believed, PEM; without it receipts prove the host's key only.
        #[arg(long, requires = "file")]
        ca: Option<PathBuf>,
        #[command(flatten)]
        remote: Remote,
    },
    /// Write the whole trail as JSON lines, with the receipts of hosts; the last line is its head.
    Export {
        /// Where to; without it to the output.
        #[arg(long)]
        out: Option<PathBuf>,
        #[command(flatten)]
        remote: Remote,
    },
}

pub fn run(args: &Args, screen: &mut Screen<'_>) -> Result<Outcome, CliError> {
    match &args.verb {
        Verb::List { limit, remote } => list(*limit, remote, screen),
        Verb::Verify { file: None, remote, .. } => verify(remote, screen),
        Verb::Verify { file: Some(file), head, ca, .. } => {
            verify_file(file, head.as_deref(), ca.as_deref(), screen)
        }
        Verb::Export { out, remote } => export(out.as_deref(), remote, screen),
    }
}

fn list(limit: u32, remote: &Remote, screen: &mut Screen<'_>) -> Result<Outcome, CliError> {
    let page: PageView<AuditView> = remote.client()?.get(&format!("audit?limit={limit}"))?;
    match screen.form {
        Form::Json => screen.json(&page.items)?,
        Form::Text => {
            let rows = page.items.iter().map(|entry| {
                let AuditView { sequence, at, actor, action, subject, detail, .. } = entry;
                vec![
                    sequence.to_string(),
                    stamp(*at),
                    actor.clone(),
                    action.clone(),
                    subject.clone(),
                    short(detail),
                ]
            });
            let rows: Vec<Vec<String>> = rows.collect();
            screen.table(&["no", "at", "who", "what", "to", "more"], rows, "nothing was done yet")?;
        }
    }
    Ok(Outcome::Clean)
}

/// A detail without its evidence, which is for programs.
fn short(detail: &str) -> String {
    let fields: Result<serde_json::Map<String, serde_json::Value>, _> = serde_json::from_str(detail);
    let Ok(mut fields) = fields else { return detail.to_owned() };
    match fields.remove("evidence") {
        Some(_) => format!("{} (signed by the host)", serde_json::Value::Object(fields)),
        None => detail.to_owned(),
    }
}

/// Writes every entry, oldest first, and the head.
fn export(out: Option<&Path>, remote: &Remote, screen: &mut Screen<'_>) -> Result<Outcome, CliError> {
    let client = remote.client()?;
    let mut file = match out {
        Some(path) => {
            let made = std::fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(path);
            Some(BufWriter::new(made.map_err(CliError::file("make", path))?))
        }
        None => None,
    };
    let mut head = Head { sequence: 0, hash: FIRST_PREVIOUS_HASH.to_owned() };
    let mut cursor: Option<String> = None;
    loop {
        let from = cursor.map(|cursor| format!("&cursor={cursor}")).unwrap_or_default();
        let page: PageView<AuditView> = client.get(&format!("audit/entries?limit={EXPORT_ROWS}{from}"))?;
        for entry in &page.items {
            put_line(file.as_mut(), screen, entry)?;
        }
        if let Some(last) = page.items.last() {
            head = Head { sequence: last.sequence, hash: last.hash.clone() };
        }
        cursor = page.next;
        if cursor.is_none() {
            break;
        }
    }
    put_line(file.as_mut(), screen, &EndLine { head: head.clone() })?;
    let Head { sequence, hash } = head;
    let said = format!("{sequence} entries, head {hash}: keep it elsewhere, for `audit verify --head`");
    match file {
        Some(mut file) => {
            file.flush()?;
            file.get_ref().sync_all()?;
            if screen.form == Form::Json {
                screen.json(&serde_json::json!({ "entries": sequence, "head": hash }))?;
            } else {
                screen.line(said)?;
            }
        }
        None => screen.remark(said)?,
    }
    Ok(Outcome::Clean)
}

fn put_line<T: serde::Serialize>(
    file: Option<&mut BufWriter<File>>,
    screen: &mut Screen<'_>,
    line: &T,
) -> Result<(), CliError> {
    let mut text = serde_json::to_vec(line)?;
    text.push(b'\n');
    match file {
        Some(file) => file.write_all(&text)?,
        None => screen.out.write_all(&text)?,
    }
    Ok(())
}

/// Checks an export without a coordinator.
fn verify_file(
    file: &Path,
    head: Option<&str>,
    ca: Option<&Path>,
    screen: &mut Screen<'_>,
) -> Result<Outcome, CliError> {
    let authorities = ca.map(authorities).transpose()?;
    let trusted = Trusted { head: head.map(str::to_owned), authorities };
    let opened = File::open(file).map_err(CliError::file("read", file))?;
    let verdict = offline::verify(BufReader::new(opened), &trusted)?;
    if screen.form == Form::Json {
        screen.json(&verdict)?;
    }
    let text = screen.form == Form::Text;
    match verdict {
        FileVerdict::Intact { entries, receipts, head, kept } => {
            if text {
                let Head { sequence: _, hash } = head;
                screen.line(format_args!(
                    "the audit trail is whole: {entries} entries, {receipts} receipts, head {hash}"
                ))?;
                if let Some(kept) = kept {
                    screen.line(format_args!("the hash kept elsewhere is that of entry {kept}"))?;
                }
                if trusted.authorities.is_none() {
                    screen.remark("whose keys signed was not checked: name the authority with --ca")?;
                }
            }
            Ok(Outcome::Clean)
        }
        FileVerdict::Broken { line, detail } => {
            if text {
                screen.line(format_args!("the audit trail is BROKEN at line {line}: {detail}"))?;
            }
            Ok(Outcome::Problems)
        }
    }
}

fn authorities(path: &Path) -> Result<TrustedAuthorities, CliError> {
    let unreadable = |error: rustls::pki_types::pem::Error| {
        CliError::Failed(format!("{} holds no certificates: {error}", path.display()))
    };
    let read: Result<Vec<_>, _> = CertificateDer::pem_file_iter(path).map_err(unreadable)?.collect();
    TrustedAuthorities::new(&read.map_err(unreadable)?).map_err(CliError::failed)
}

fn verify(remote: &Remote, screen: &mut Screen<'_>) -> Result<Outcome, CliError> {
    let verdict: AuditVerdictView = remote.client()?.get("audit/verify")?;
    if screen.form == Form::Json {
        screen.json(&verdict)?;
    }
    let text = screen.form == Form::Text;
    match verdict {
        AuditVerdictView::Intact { entries, head } => {
            if text {
                screen.line(format_args!("the audit trail is whole: {entries} entries, head {head}"))?;
            }
            Ok(Outcome::Clean)
        }
        AuditVerdictView::Broken { sequence, detail } => {
            if text {
                screen.line(format_args!("the audit trail is BROKEN at entry {sequence}: {detail}"))?;
            }
            Ok(Outcome::Problems)
        }
    }
}
