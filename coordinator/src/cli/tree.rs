//! A working tree as the coordinator would see it once committed, read without following or running anything.
//!
//! Owns: the same refusals as `repo` (links, executables, submodules, names, case clashes, sizes), on a file system.
//! Must not: interpret documents or follow links. Called by the verbs that read a repository.

use super::failure::CliError;
use crate::repo::{Refusal, RefusedEntry, RepoLimits};
use engine::documents::SITE_FILE;
use model::{Component, Finding, Span};
use std::collections::{BTreeMap, BTreeSet};
use std::fs::{self, File, Metadata};
use std::io::Read;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

/// Rule id of every entry that cannot be state.
pub const REFUSED_ENTRY: &str = "REPO-001";
/// Rule id of a tree that is too large to be read.
pub const TREE_LIMIT: &str = "REPO-002";
/// Directories at the root whose whole content is state.
const STATE_DIRECTORIES: [&str; 2] = ["groups", "rfcs"];
/// Git's and the forges' own names that do no harm because nothing here acts on them.
const HARMLESS: [&str; 4] = [".gitignore", ".gitattributes", ".gitlab-ci.yml", ".github"];

/// A working tree.
#[derive(Debug, Default)]
pub struct Tree {
    /// State files by path.
    pub files: BTreeMap<String, Vec<u8>>,
    /// Entries that are not accepted.
    pub findings: Vec<Finding>,
}

/// An entry that is not accepted, as a finding.
#[must_use]
pub fn refused_finding(entry: &RefusedEntry) -> Finding {
    let span = Span { file: entry.path.clone(), line: 1, column: 1 };
    let reason = entry.reason.to_string();
    let finding = match reason.split_once(": ") {
        Some((problem, hint)) => refused(format!("`{}` {problem}", entry.path)).hint(hint),
        None => refused(format!("`{}` {reason}", entry.path)),
    };
    finding.at(span)
}

fn refused(message: String) -> Finding {
    Finding::error(REFUSED_ENTRY, Component::Repository, message)
}

/// Reads the state files below `dir`.
pub fn read(dir: &Path) -> Result<Tree, CliError> {
    if !dir.is_dir() {
        return Err(CliError::Usage(format!(
            "{} is no folder: name a configuration repository",
            dir.display()
        )));
    }
    let mut walk =
        Walk { limits: RepoLimits::default(), entries: 0, bytes: 0, full: false, tree: Tree::default() };
    walk.root(dir)?;
    Ok(walk.tree)
}

struct Entry {
    name: Vec<u8>,
    path: PathBuf,
    facts: Metadata,
}

impl Entry {
    fn shown(&self, parent: &str) -> String {
        let name = String::from_utf8_lossy(&self.name).escape_debug().to_string();
        if parent.is_empty() { name } else { format!("{parent}/{name}") }
    }
}

struct Walk {
    limits: RepoLimits,
    entries: usize,
    bytes: u64,
    full: bool,
    tree: Tree,
}

impl Walk {
    fn root(&mut self, dir: &Path) -> Result<(), CliError> {
        let entries = list(dir)?;
        let clashes = clashing(&entries);
        for entry in &entries {
            let folded = entry.name.to_ascii_lowercase();
            let known = std::iter::once(SITE_FILE).chain(STATE_DIRECTORIES);
            let Some(expected) = known.into_iter().find(|name| name.as_bytes() == folded) else {
                // A committed `.gitmodules` is refused; `.git` itself is the working copy's.
                if entry.name != b".git" && is_git_name(&entry.name) {
                    self.refuse(entry, "", Refusal::GitName);
                }
                continue;
            };
            let wants_directory = expected != SITE_FILE;
            if clashes.contains(&folded) {
                self.refuse(entry, "", Refusal::CaseClash);
            } else if entry.name != expected.as_bytes() {
                self.refuse(entry, "", Refusal::WrongCase { expected });
            } else if !entry.facts.is_symlink() && entry.facts.is_dir() != wants_directory {
                let expected = if wants_directory { "a directory" } else { "a file" };
                self.refuse(entry, "", Refusal::WrongKind { expected });
            } else {
                self.state(entry, "", 1)?;
            }
        }
        Ok(())
    }

    fn state(&mut self, entry: &Entry, parent: &str, depth: usize) -> Result<(), CliError> {
        let harmless = HARMLESS.iter().any(|name| name.as_bytes() == entry.name);
        if self.full || (harmless && !entry.facts.is_symlink()) {
            return Ok(());
        }
        self.entries += 1;
        if self.entries > self.limits.files {
            let message =
                format!("the repository has more than {} entries: the rest was not read", self.limits.files);
            self.stop(message);
            return Ok(());
        }
        if let Some(reason) = refusal(entry) {
            self.refuse(entry, parent, reason);
            return Ok(());
        }
        let limit = self.limits.depth;
        let is_dir = entry.facts.is_dir();
        if depth > limit || (is_dir && depth == limit) {
            self.refuse(entry, parent, Refusal::TooDeep { limit });
            return Ok(());
        }
        if !is_dir {
            return self.file(entry, parent);
        }
        let path = entry.shown(parent);
        let entries = list(&entry.path)?;
        if entries.iter().any(|inner| inner.name == b".git") {
            self.refuse(entry, parent, Refusal::Submodule);
            return Ok(());
        }
        let clashes = clashing(&entries);
        for inner in &entries {
            if clashes.contains(&inner.name.to_ascii_lowercase()) {
                self.refuse(inner, &path, Refusal::CaseClash);
            } else {
                self.state(inner, &path, depth + 1)?;
            }
        }
        Ok(())
    }

    fn file(&mut self, entry: &Entry, parent: &str) -> Result<(), CliError> {
        let limit = self.limits.blob_bytes;
        if entry.facts.len() > limit {
            self.refuse(entry, parent, Refusal::TooBig { bytes: entry.facts.len(), limit });
            return Ok(());
        }
        let mut bytes = Vec::new();
        // The file may have grown since it was looked at.
        let file = File::open(&entry.path).map_err(CliError::file("open", &entry.path))?;
        file.take(limit + 1).read_to_end(&mut bytes).map_err(CliError::file("read", &entry.path))?;
        self.bytes += bytes.len() as u64;
        if self.bytes > self.limits.total_bytes {
            let message =
                format!("the state files exceed {} bytes: the rest was not read", self.limits.total_bytes);
            self.stop(message);
            return Ok(());
        }
        self.tree.files.insert(entry.shown(parent), bytes);
        Ok(())
    }

    fn stop(&mut self, message: String) {
        self.full = true;
        let finding = Finding::error(TREE_LIMIT, Component::Repository, message);
        self.tree.findings.push(finding.hint("keep only configuration in this repository"));
    }

    fn refuse(&mut self, entry: &Entry, parent: &str, reason: Refusal) {
        let refused = RefusedEntry { path: entry.shown(parent), reason };
        self.tree.findings.push(refused_finding(&refused));
    }
}

/// The entries of a directory in order of name, looked at but not followed.
fn list(dir: &Path) -> Result<Vec<Entry>, CliError> {
    let mut entries = Vec::new();
    for entry in fs::read_dir(dir).map_err(CliError::file("list", dir))? {
        let entry = entry.map_err(CliError::file("list", dir))?;
        let path = entry.path();
        let facts = path.symlink_metadata().map_err(CliError::file("look at", &path))?;
        entries.push(Entry { name: entry.file_name().as_bytes().to_vec(), path, facts });
    }
    entries.sort_by(|a, b| a.name.cmp(&b.name));
    Ok(entries)
}

/// Names, in lower case, that more than one entry has.
fn clashing(entries: &[Entry]) -> BTreeSet<Vec<u8>> {
    let mut seen = BTreeSet::new();
    entries
        .iter()
        .map(|entry| entry.name.to_ascii_lowercase())
        .filter(|name| !seen.insert(name.clone()))
        .collect()
}

fn is_git_name(name: &[u8]) -> bool {
    let harmless = HARMLESS.iter().any(|harmless| harmless.as_bytes() == name);
    !harmless && name.to_ascii_lowercase().starts_with(b".git")
}

/// What is wrong with an entry by itself; what it is comes first because that is the most dangerous.
fn refusal(entry: &Entry) -> Option<Refusal> {
    let mode = entry.facts.permissions().mode();
    if entry.facts.is_symlink() {
        return Some(Refusal::Symlink);
    }
    if !entry.facts.is_dir() && !entry.facts.is_file() {
        return Some(Refusal::Mode(mode));
    }
    if entry.facts.is_file() && mode & 0o111 != 0 {
        return Some(Refusal::Executable);
    }
    if is_git_name(&entry.name) {
        return Some(Refusal::GitName);
    }
    if std::str::from_utf8(&entry.name).is_err() {
        return Some(Refusal::NotUtf8);
    }
    let plain = |byte: &u8| byte.is_ascii_alphanumeric() || b"._-".contains(byte);
    (!entry.name.iter().all(plain)).then_some(Refusal::Name)
}
