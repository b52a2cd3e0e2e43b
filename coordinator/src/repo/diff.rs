//! What lies between two commits: changed state files, the commits themselves, ancestry.
//!
//! Must not: read file contents. Called by: the task that follows the branch, to name and explain a change.

use std::collections::BTreeMap;

use git2::{ObjectType, Odb, Oid};

use super::error::{ReadCommitError, SnapshotError, printable};
use super::ident::CommitId;
use super::mirror::Mirror;
use super::walk::{self, COMMIT_BYTES};

/// Characters of a commit message that are kept.
const MESSAGE_CHARS: usize = 16 * 1024;
/// Characters of a summary, a name or an address that are kept.
const LINE_CHARS: usize = 400;

/// How a state file differs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum ChangeKind {
    /// Only in the new commit.
    Added,
    /// In both, with other content.
    Modified,
    /// Only in the old commit.
    Removed,
}

/// A state file that differs between two commits.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct ChangedPath {
    /// Path from the root.
    pub path: String,
    /// How it differs.
    pub kind: ChangeKind,
}

/// Facts about one commit. All texts were written by somebody else: printable and bounded, but not trusted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CommitInfo {
    /// Its name.
    pub id: CommitId,
    /// Its parents, the merged-into one first.
    pub parents: Vec<CommitId>,
    /// Author's name as written; nobody has verified it.
    pub author_name: String,
    /// Author's address as written; nobody has verified it.
    pub author_email: String,
    /// Author time, seconds since 1970 UTC, as written.
    pub time_unix_s: i64,
    /// First line of the message.
    pub summary: String,
    /// The message, without control characters except line breaks and tabs.
    pub message: String,
}

/// Commits of a range.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CommitRange {
    /// First-parent commits, newest first.
    pub commits: Vec<CommitInfo>,
    /// The range has more, older commits than were asked for.
    pub truncated: bool,
}

impl Mirror {
    /// The state files that differ, sorted by path. Refused and ignored entries are not compared; everything counts
    /// as added when there is no old commit.
    ///
    /// # Errors
    /// As [`Mirror::snapshot`].
    pub fn changed_paths(
        &self,
        old: Option<CommitId>,
        new: CommitId,
    ) -> Result<Vec<ChangedPath>, SnapshotError> {
        let mut before = match old {
            Some(old) => walk::list(self.repo(), old, self.limits())?.files,
            None => BTreeMap::new(),
        };
        let after = walk::list(self.repo(), new, self.limits())?.files;
        let mut changed = Vec::new();
        for (path, id) in after {
            match before.remove(&path) {
                None => changed.push(ChangedPath { path, kind: ChangeKind::Added }),
                Some(other) if other != id => changed.push(ChangedPath { path, kind: ChangeKind::Modified }),
                Some(_) => {}
            }
        }
        changed.extend(before.into_keys().map(|path| ChangedPath { path, kind: ChangeKind::Removed }));
        changed.sort();
        Ok(changed)
    }

    /// The first-parent commits that `new` has and `old` does not, newest first, at most `limit`.
    ///
    /// # Errors
    /// When a commit is unknown or damaged.
    pub fn commits_between(
        &self,
        old: Option<CommitId>,
        new: CommitId,
        limit: usize,
    ) -> Result<CommitRange, ReadCommitError> {
        let ids = self.ids_between(old, new, limit)?;
        let truncated = ids.len() > limit;
        let commits = ids
            .into_iter()
            .take(limit)
            .map(|id| self.commit_info(CommitId::new(id)))
            .collect::<Result<Vec<_>, _>>()?;
        Ok(CommitRange { commits, truncated })
    }

    /// Facts about one commit.
    ///
    /// # Errors
    /// When the commit is unknown, damaged or too big.
    pub fn commit_info(&self, id: CommitId) -> Result<CommitInfo, ReadCommitError> {
        let odb = self.repo().odb().map_err(|error| corrupt(id, &error))?;
        check_commit(&odb, id)?;
        let object = odb.read(id.oid()).map_err(|error| corrupt(id, &error))?;
        Ok(read_commit(id, object.data()))
    }

    /// Whether `new` contains `old` (or is it): a branch that moves so was not rewritten.
    ///
    /// # Errors
    /// When a commit is unknown or damaged.
    pub fn is_ancestor(&self, old: CommitId, new: CommitId) -> Result<bool, ReadCommitError> {
        let odb = self.repo().odb().map_err(|error| corrupt(new, &error))?;
        check_commit(&odb, old)?;
        check_commit(&odb, new)?;
        if old == new {
            return Ok(true);
        }
        self.repo().graph_descendant_of(new.oid(), old.oid()).map_err(|error| corrupt(new, &error))
    }

    /// Up to `limit + 1` names, so that the caller sees whether there are more.
    fn ids_between(
        &self,
        old: Option<CommitId>,
        new: CommitId,
        limit: usize,
    ) -> Result<Vec<Oid>, ReadCommitError> {
        let odb = self.repo().odb().map_err(|error| corrupt(new, &error))?;
        check_commit(&odb, new)?;
        if let Some(old) = old {
            check_commit(&odb, old)?;
        }
        let names = || -> Result<Vec<Oid>, git2::Error> {
            let mut walk = self.repo().revwalk()?;
            walk.push(new.oid())?;
            if let Some(old) = old {
                walk.hide(old.oid())?;
            }
            walk.simplify_first_parent()?;
            walk.take(limit.saturating_add(1)).collect()
        };
        names().map_err(|error| corrupt(new, &error))
    }
}

fn corrupt(commit: CommitId, error: &git2::Error) -> ReadCommitError {
    ReadCommitError::Corrupt { commit, reason: printable(error.message()) }
}

/// Refuses what is missing, no commit, or too big to be read.
fn check_commit(odb: &Odb<'_>, commit: CommitId) -> Result<(), ReadCommitError> {
    let (bytes, kind) = odb.read_header(commit.oid()).map_err(|error| {
        if walk::is_missing(&error) {
            ReadCommitError::UnknownCommit { commit }
        } else {
            corrupt(commit, &error)
        }
    })?;
    if kind != ObjectType::Commit {
        return Err(ReadCommitError::UnknownCommit { commit });
    }
    if bytes > COMMIT_BYTES {
        return Err(ReadCommitError::TooBig { commit, bytes, limit: COMMIT_BYTES });
    }
    Ok(())
}

/// Reads a commit object by hand: libgit2's own accessors assume a well-formed author, which a hostile commit lacks.
fn read_commit(id: CommitId, data: &[u8]) -> CommitInfo {
    let text = String::from_utf8_lossy(data);
    let (header, message) = text.split_once("\n\n").unwrap_or((text.as_ref(), ""));
    let mut info = CommitInfo {
        id,
        parents: Vec::new(),
        author_name: String::new(),
        author_email: String::new(),
        time_unix_s: 0,
        summary: line(message.lines().find(|line| !line.trim().is_empty()).unwrap_or("")),
        message: paragraph(message),
    };
    for field in header.lines() {
        if let Some(parent) = field.strip_prefix("parent ") {
            info.parents.extend(parent.parse::<CommitId>());
        } else if let Some(author) = field.strip_prefix("author ") {
            (info.author_name, info.author_email, info.time_unix_s) = read_author(author);
        }
    }
    info
}

/// `Name <address> seconds zone`, any part of which may be missing.
fn read_author(author: &str) -> (String, String, i64) {
    let (name, rest) = author.split_once('<').unwrap_or((author, ""));
    let (email, when) = rest.split_once('>').unwrap_or((rest, ""));
    let seconds = when.split_whitespace().next().and_then(|seconds| seconds.parse().ok()).unwrap_or(0);
    (line(name), line(email), seconds)
}

fn line(text: &str) -> String {
    text.trim().chars().filter(|c| !deceives(*c)).take(LINE_CHARS).collect()
}

fn paragraph(text: &str) -> String {
    let kept = text.chars().filter(|c| matches!(c, '\n' | '\t') || !deceives(*c));
    kept.take(MESSAGE_CHARS).collect::<String>().trim_end().to_owned()
}

/// Control characters, and the ones that reorder the text around them.
fn deceives(c: char) -> bool {
    c.is_control() || matches!(c, '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}
