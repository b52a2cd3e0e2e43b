//! Runs the parsers over a folder of recorded outputs.
//!
//! `POINTSMAN_FIXTURES=DIR cargo test -p esxcli fixtures` tries another folder than the shared one.
//! A file no command claims is reported, one that fails is an error, and all errors are listed at
//! the end. The naming of the files is documented in `esxcli::recordings`.

use esxcli::recordings::{Claim, claim, recorded_failure};
use esxcli::records::RecordError;
use esxcli::typed::{Typed, check};
use esxcli::{Formatter, Query, Value, output};
use std::path::{Path, PathBuf};

/// Where the shared recordings are, relative to this crate.
const SHARED_FIXTURES: &str = "../../shared/fixtures/esxcli";
/// A table of literal messages that some folders hold.
const MESSAGE_TABLE: &str = "runtime-errors.tsv";

fn folder() -> PathBuf {
    match std::env::var_os("POINTSMAN_FIXTURES") {
        Some(dir) if !dir.is_empty() => {
            let dir = PathBuf::from(dir);
            // cargo runs tests in the crate's folder; a relative path is meant from the workspace too.
            let from_workspace = Path::new(env!("CARGO_MANIFEST_DIR")).join("..").join(&dir);
            if !dir.is_dir() && from_workspace.is_dir() { from_workspace } else { dir }
        }
        _ => Path::new(env!("CARGO_MANIFEST_DIR")).join(SHARED_FIXTURES),
    }
}

/// Every file below `dir` as (name, text), sorted by path.
fn files(dir: &Path) -> std::io::Result<Vec<(String, String)>> {
    let mut found = Vec::new();
    let mut pending = vec![dir.to_owned()];
    while let Some(next) = pending.pop() {
        for entry in std::fs::read_dir(&next)? {
            let path = entry?.path();
            if path.is_dir() {
                pending.push(path);
                continue;
            }
            let bytes = std::fs::read(&path)?;
            let name = path.file_name().map(|n| n.to_string_lossy().into_owned()).unwrap_or_default();
            found.push((path.clone(), name, String::from_utf8_lossy(&bytes).into_owned()));
        }
    }
    found.sort();
    Ok(found.into_iter().map(|(_, name, text)| (name, text)).collect())
}

enum Verdict {
    Parsed(String),
    Unclaimed(String),
    Failed(String),
}

fn judge(name: &str, text: &str) -> Verdict {
    if name == MESSAGE_TABLE {
        return judge_messages(text);
    }
    match claim(name) {
        Claim::Unclaimed { reason } => Verdict::Unclaimed(reason.to_owned()),
        Claim::Failure { .. } => judge_failure(text),
        Claim::Generic { command, formatter } => match output::parse(&command, formatter, text) {
            Ok(value) => Verdict::Parsed(format!("{} as generic records", count(&value))),
            Err(error) => Verdict::Failed(error.to_string()),
        },
        Claim::Read { query, formatter, .. } => judge_read(&query, formatter, text),
    }
}

fn judge_read(query: &Query, formatter: Formatter, text: &str) -> Verdict {
    let value = match query.read(formatter, Some(0), text, "") {
        Ok(value) => value,
        Err(error) => return Verdict::Failed(error.to_string()),
    };
    match check(query.command, &value) {
        Ok(Typed::Records(records)) => Verdict::Parsed(format!("{records} typed records")),
        Ok(Typed::Generic) => Verdict::Parsed(format!("{} as generic records", count(&value))),
        // `--format-param=fields="A,B"` selects columns: such a csv is no complete record.
        Err(RecordError::MissingField { field, .. }) if formatter == Formatter::Csv => Verdict::Parsed(
            format!("{} as generic records (fields were selected, no {field})", count(&value)),
        ),
        Err(error) => Verdict::Failed(error.to_string()),
    }
}

fn judge_failure(text: &str) -> Verdict {
    let failure = recorded_failure(text);
    if failure.message().is_empty() || (text.trim().is_empty()) {
        return Verdict::Failed("a failure without any text".to_owned());
    }
    if failure.stdout != text {
        return Verdict::Failed("the raw text was not kept".to_owned());
    }
    Verdict::Parsed(failure.to_string())
}

fn judge_messages(text: &str) -> Verdict {
    let mut unknown = Vec::new();
    let mut known = 0;
    for message in text.lines().skip(1).filter_map(|line| line.split('\t').nth(1)) {
        match recorded_failure(message).kind {
            esxcli::FailureKind::Unknown => unknown.push(message.to_owned()),
            _ => known += 1,
        }
    }
    Verdict::Parsed(format!("{known} messages typed, {} kept as unknown text {unknown:?}", unknown.len()))
}

fn count(value: &Value) -> usize {
    match value {
        Value::List(items) => items.len(),
        _ => 1,
    }
}

#[test]
fn fixtures() {
    let dir = folder();
    if !dir.is_dir() {
        println!("skipped: no fixtures at {}", dir.display());
        return;
    }
    let (mut parsed, mut unclaimed, mut failed) = (0, Vec::new(), Vec::new());
    for (name, text) in files(&dir).expect("a readable folder") {
        match judge(&name, &text) {
            Verdict::Parsed(what) => {
                parsed += 1;
                println!("parsed     {name}: {what}");
            }
            Verdict::Unclaimed(why) => {
                println!("unclaimed  {name}: {why}");
                unclaimed.push(name);
            }
            Verdict::Failed(why) => {
                println!("FAILED     {name}: {why}");
                failed.push(format!("{name}: {why}"));
            }
        }
    }
    println!("{parsed} parsed, {} unclaimed, {} failed", unclaimed.len(), failed.len());
    assert!(failed.is_empty(), "{} recorded outputs failed:\n{}", failed.len(), failed.join("\n"));
}
