//! An exported audit trail, checked without a coordinator: chain, order, gaps, receipts, end.
//!
//! Owns: the form of an export and its check. Must not: ask anybody. Called by `audit export` and `audit verify FILE`.

use super::super::failure::CliError;
use crate::store::audit::{AuditRecord, ChainWalk};
use crate::trust::{Evidence, Receipt, ReceiptError, TrustedAuthorities};
use model::{ApplyOutcome, HostId, KeyFingerprint, Wall};
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};
use std::io::{BufRead, Read};

/// Longest line of an export that is read, in bytes: an outcome and its evidence are far below.
const LINE_BYTES_MAX: u64 = 2 * 1024 * 1024;
/// How an order ends on a host: entries that must carry a receipt.
const ENDS: [&str; 5] = [
    "host.committed",
    "host.rolled_back",
    "host.rolled_back_unverified",
    "host.failed_mixed",
    "host.refused",
];

/// The last line of an export.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct EndLine {
    /// The end of the chain.
    pub head: Head,
}

/// The end of a chain.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Head {
    /// Number of the last entry.
    pub sequence: i64,
    /// Its hash.
    pub hash: String,
}

/// What a check found.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(tag = "verdict", rename_all = "snake_case")]
pub enum FileVerdict {
    /// Nothing was changed, added or taken out.
    Intact {
        /// Entries.
        entries: u64,
        /// Receipts of hosts among them, all checked.
        receipts: u64,
        /// The end of the chain.
        head: Head,
        /// The entry whose hash was kept elsewhere, when one was named.
        kept: Option<i64>,
    },
    /// Something does not fit.
    Broken {
        /// The first line that does not fit, from 1.
        line: u64,
        /// What does not fit.
        detail: String,
    },
}

/// What a check compares with.
#[derive(Default)]
pub struct Trusted {
    /// A hash that was kept elsewhere.
    pub head: Option<String>,
    /// Authorities whose hosts are believed; without them receipts are checked by the certificates they bring.
    pub authorities: Option<TrustedAuthorities>,
}

/// One line.
#[derive(Deserialize)]
#[serde(untagged)]
enum Line {
    End(EndLine),
    Entry(Box<AuditRecord>),
}

struct Check<'a> {
    trusted: &'a Trusted,
    walk: ChainWalk,
    receipts: u64,
    /// The keys that each host was let in with, so far.
    keys: BTreeMap<String, BTreeSet<KeyFingerprint>>,
    kept: Option<i64>,
    end: Option<Head>,
}

/// Checks an export line by line.
pub fn verify(mut lines: impl BufRead, trusted: &Trusted) -> Result<FileVerdict, CliError> {
    let mut check = Check {
        trusted,
        walk: ChainWalk::default(),
        receipts: 0,
        keys: BTreeMap::new(),
        kept: None,
        end: None,
    };
    let mut number = 0;
    loop {
        let mut line = Vec::new();
        let read =
            (&mut lines).take(LINE_BYTES_MAX).read_until(b'\n', &mut line).map_err(CliError::failed)?;
        if read == 0 {
            break;
        }
        number += 1;
        if let Err(detail) = check.line(&line) {
            return Ok(FileVerdict::Broken { line: number, detail });
        }
    }
    Ok(match check.finish() {
        Ok(verdict) => verdict,
        Err(detail) => FileVerdict::Broken { line: number + 1, detail },
    })
}

impl Check<'_> {
    fn line(&mut self, line: &[u8]) -> Result<(), String> {
        if self.end.is_some() {
            return Err("there is more after the end of the export".to_owned());
        }
        let text = line.strip_suffix(b"\n").ok_or("the line is cut off, or too long")?;
        match serde_json::from_slice(text) {
            Ok(Line::Entry(record)) => self.entry(&record),
            Ok(Line::End(EndLine { head })) => {
                if (head.sequence, head.hash.as_str()) != self.walk.head() {
                    return Err(format!(
                        "the end names entry {} and another hash than the chain",
                        head.sequence
                    ));
                }
                self.end = Some(head);
                Ok(())
            }
            Err(_) => Err("the line is neither an entry of the audit trail nor its end".to_owned()),
        }
    }

    fn entry(&mut self, record: &AuditRecord) -> Result<(), String> {
        self.walk.step(record)?;
        if self.trusted.head.as_ref() == Some(&record.hash) {
            self.kept = Some(record.sequence);
        }
        let told: serde_json::Value = serde_json::from_str(&record.detail)
            .map_err(|_| format!("the detail of entry {} is no JSON", record.sequence))?;
        if let Some(key) = key_let_in(&record.action, &told) {
            self.keys.entry(record.subject.clone()).or_default().insert(key);
        }
        let is_end = ENDS.contains(&record.action.as_str());
        match told.get("evidence") {
            Some(evidence) => {
                check_receipt(record, &told, evidence, self.trusted)
                    .and_then(|receipt| self.check_key(&record.subject, &receipt))
                    .map_err(|detail| format!("the receipt of entry {}: {detail}", record.sequence))?;
                self.receipts += 1;
                Ok(())
            }
            None if is_end => {
                Err(format!("entry {} says how an order ended, without the host's receipt", record.sequence))
            }
            None => Ok(()),
        }
    }

    /// Whoever holds the authority can certify any key for any host; that a host was let in with it is an entry of its own.
    fn check_key(&self, subject: &str, receipt: &Receipt) -> Result<(), String> {
        let key = receipt.key().map_err(|error| error.to_string())?;
        if self.keys.get(subject).is_some_and(|keys| keys.contains(&key)) {
            return Ok(());
        }
        Err(format!("it is of the key {key}, and no entry before says that the host was let in with it"))
    }

    fn finish(self) -> Result<FileVerdict, String> {
        let head = self.end.ok_or("the export has no end: entries are missing")?;
        if let (Some(wanted), None) = (&self.trusted.head, self.kept) {
            return Err(format!(
                "no entry has the hash {wanted} that was kept elsewhere: the chain was cut or written anew"
            ));
        }
        let entries = u64::try_from(head.sequence).unwrap_or_default();
        Ok(FileVerdict::Intact { entries, receipts: self.receipts, head, kept: self.kept })
    }
}

/// Checks the signature, whose it is, and that the entry says what was signed.
fn check_receipt(
    record: &AuditRecord,
    told: &serde_json::Value,
    evidence: &serde_json::Value,
    trusted: &Trusted,
) -> Result<Receipt, String> {
    let text = |error: ReceiptError| error.to_string();
    let evidence: Evidence = serde_json::from_value(evidence.clone()).map_err(|error| error.to_string())?;
    let receipt = Receipt::try_from(&evidence).map_err(text)?;
    receipt.check_signature().map_err(text)?;
    let host = record.subject.strip_prefix("host/").and_then(|id| HostId::new(id).ok());
    let host = host.ok_or_else(|| format!("`{}` is no host", record.subject))?;
    receipt.check_host(&host).map_err(text)?;
    if let Some(authorities) = &trusted.authorities {
        let at = Wall(u64::try_from(record.at).unwrap_or_default());
        authorities.check(&receipt, at).map_err(text)?;
    }
    let signed: ApplyOutcome =
        serde_json::from_str(&evidence.signed_outcome).map_err(|error| error.to_string())?;
    let ApplyOutcome { change, generation, kind, steps_run, esxcli_calls, approval } = &signed;
    let says = serde_json::json!({
        "change": change, "generation": generation, "outcome": kind, "steps_run": steps_run,
        "esxcli_calls": esxcli_calls, "approval": approval,
    });
    let differing = says
        .as_object()
        .into_iter()
        .flatten()
        .find(|(key, value)| told.get(key.as_str()).is_some_and(|said| said != *value));
    if let Some((key, _)) = differing {
        return Err(format!("the entry says another `{key}` than the host signed"));
    }
    if ENDS.contains(&record.action.as_str()) && record.action != format!("host.{}", kind.as_str()) {
        return Err(format!("the host signed `{}`", kind.as_str()));
    }
    Ok(receipt)
}

/// The key that an entry says a host was let in with.
fn key_let_in(action: &str, told: &serde_json::Value) -> Option<KeyFingerprint> {
    let lets_in = action == "host.enrolled" || (action == "host.approved" && told["source"] == "certificate");
    told["key"].as_str().filter(|_| lets_in)?.parse().ok()
}

#[cfg(test)]
mod tests;
