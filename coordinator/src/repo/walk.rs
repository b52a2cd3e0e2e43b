//! The one bounded walk over a commit's tree: which entries are state, which are refused and why.
//!
//! Owns the rules for hostile trees (modes, names, case clashes, depth, counts). Must not: read file contents.
//! Called by: `snapshot` and `diff`, so both see the same files.

use std::collections::BTreeMap;
use std::fmt;

use git2::{ErrorCode, ObjectType, Odb, Oid, Repository, Tree};

use super::error::{SnapshotError, printable};
use super::ident::{CommitId, TreeId};
use super::settings::RepoLimits;

/// The file at the root that is state.
const STATE_FILE: &str = "pointsman.yaml";
/// The directories at the root whose whole content is state.
const STATE_DIRECTORIES: [&str; 2] = ["groups", "rfcs"];
/// Git's and the forges' own names, which are not state and do no harm because nothing here acts on them.
const HARMLESS_GIT_NAMES: [&str; 4] = [".gitignore", ".gitattributes", ".gitlab-ci.yml", ".github"];
/// Bytes of one tree object: above 10,000 entries with the longest names allowed.
const TREE_BYTES: usize = 4 * 1024 * 1024;

/// Bytes of one commit object.
pub(super) const COMMIT_BYTES: usize = 1024 * 1024;

const MODE_FILE: u32 = 0o100_644;
const MODE_EXECUTABLE: u32 = 0o100_755;
const MODE_DIRECTORY: u32 = 0o040_000;
const MODE_SYMLINK: u32 = 0o120_000;
const MODE_SUBMODULE: u32 = 0o160_000;

/// An entry that is not accepted as state. It is a finding by path, never skipped in silence.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RefusedEntry {
    /// Path from the root; unusual characters are escaped.
    pub path: String,
    /// Why.
    pub reason: Refusal,
}

/// Why an entry is not accepted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Refusal {
    /// Mode 120000.
    Symlink,
    /// Mode 160000.
    Submodule,
    /// Mode 100755.
    Executable,
    /// Any other mode than 100644 and 040000.
    Mode(u32),
    /// The name has characters outside `[A-Za-z0-9._-]`, or is `.` or `..`.
    Name,
    /// The name is not UTF-8.
    NotUtf8,
    /// A `.git...` name that Git itself could act on.
    GitName,
    /// Two entries of one directory differ in case only (or not at all).
    CaseClash,
    /// A state name at the root in other case, which would otherwise be ignored.
    WrongCase {
        /// The name that is read.
        expected: &'static str,
    },
    /// A directory where a file belongs, or the reverse.
    WrongKind {
        /// `a file` or `a directory`.
        expected: &'static str,
    },
    /// More path components than allowed.
    TooDeep {
        /// The limit.
        limit: usize,
    },
    /// A file larger than allowed.
    TooBig {
        /// Its size.
        bytes: u64,
        /// The limit.
        limit: u64,
    },
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Symlink => f.write_str("is a symbolic link: commit the file itself"),
            Self::Submodule => f.write_str("is a submodule: commit the files themselves"),
            Self::Executable => f.write_str("is executable (100755): commit it with mode 100644"),
            Self::Mode(mode) => write!(f, "has mode {mode:06o}: only 100644 and directories are accepted"),
            Self::Name => f.write_str("has a name outside [A-Za-z0-9._-]: rename it"),
            Self::NotUtf8 => f.write_str("has a name that is not UTF-8: rename it"),
            Self::GitName => f.write_str("has a name reserved for Git: remove it"),
            Self::CaseClash => {
                f.write_str("clashes with another entry that differs in case only: rename one")
            }
            Self::WrongCase { expected } => write!(f, "is read only as `{expected}`: rename it"),
            Self::WrongKind { expected } => write!(f, "must be {expected}"),
            Self::TooDeep { limit } => write!(f, "is more than {limit} levels deep: move it up"),
            Self::TooBig { bytes, limit } => write!(f, "has {bytes} bytes, more than {limit}: split it"),
        }
    }
}

/// State files by path, before they are read.
pub(super) struct Listing {
    pub(super) tree: TreeId,
    pub(super) files: BTreeMap<String, Oid>,
    pub(super) refused: Vec<RefusedEntry>,
    pub(super) ignored: usize,
}

/// Lists the state files of `commit`.
pub(super) fn list(
    repo: &Repository,
    commit: CommitId,
    limits: &RepoLimits,
) -> Result<Listing, SnapshotError> {
    let odb = repo.odb().map_err(|error| corrupt(commit, &error))?;
    let tree = tree_of(repo, &odb, commit)?;
    let listing =
        Listing { tree: TreeId::new(tree), files: BTreeMap::new(), refused: Vec::new(), ignored: 0 };
    let mut walk = Walk { repo, odb, commit, limits, entries: 0, listing };
    walk.root(tree)?;
    Ok(walk.listing)
}

fn tree_of(repo: &Repository, odb: &Odb<'_>, commit: CommitId) -> Result<Oid, SnapshotError> {
    let (bytes, kind) = odb.read_header(commit.oid()).map_err(|error| {
        if is_missing(&error) { SnapshotError::UnknownCommit { commit } } else { corrupt(commit, &error) }
    })?;
    if kind != ObjectType::Commit {
        return Err(SnapshotError::UnknownCommit { commit });
    }
    if bytes > COMMIT_BYTES {
        let reason = format!("its commit object has {bytes} bytes, more than {COMMIT_BYTES}");
        return Err(SnapshotError::Corrupt { commit, reason });
    }
    repo.find_commit(commit.oid()).map(|found| found.tree_id()).map_err(|error| corrupt(commit, &error))
}

pub(super) fn corrupt(commit: CommitId, error: &git2::Error) -> SnapshotError {
    SnapshotError::Corrupt { commit, reason: printable(error.message()) }
}

/// One entry, copied out of its tree.
struct Entry {
    name: Vec<u8>,
    mode: u32,
    id: Oid,
}

impl Entry {
    fn folded(&self) -> Vec<u8> {
        self.name.to_ascii_lowercase()
    }

    /// The path for people: everything unusual escaped.
    fn shown(&self, parent: &str) -> String {
        join(parent, &String::from_utf8_lossy(&self.name).escape_debug().to_string())
    }
}

struct Walk<'r> {
    repo: &'r Repository,
    odb: Odb<'r>,
    commit: CommitId,
    limits: &'r RepoLimits,
    entries: usize,
    listing: Listing,
}

impl Walk<'_> {
    fn root(&mut self, tree: Oid) -> Result<(), SnapshotError> {
        let entries = self.entries_of(tree, "")?;
        let clashes = clashes(&entries);
        for entry in entries {
            let folded = entry.folded();
            let Some(expected) = state_name(&folded) else {
                self.root_ignored(&entry)?;
                continue;
            };
            if clashes.contains_key(&folded) {
                self.refuse(&entry, "", Refusal::CaseClash);
            } else if entry.name != expected.as_bytes() {
                self.refuse(&entry, "", Refusal::WrongCase { expected });
            } else {
                let wanted = if expected == STATE_FILE { MODE_FILE } else { MODE_DIRECTORY };
                self.state(&entry, "", 1, Some(wanted))?;
            }
        }
        Ok(())
    }

    /// A root entry that is not state: a dangerous Git name is refused, the rest is only counted.
    fn root_ignored(&mut self, entry: &Entry) -> Result<(), SnapshotError> {
        if git_name(&entry.name) == GitName::Refused {
            self.refuse(entry, "", Refusal::GitName);
            return Ok(());
        }
        self.count(entry, 1)
    }

    /// An entry at or below a state name. `wanted` fixes the mode where the name does.
    fn state(
        &mut self,
        entry: &Entry,
        parent: &str,
        depth: usize,
        wanted: Option<u32>,
    ) -> Result<(), SnapshotError> {
        if let Some(reason) = refusal(entry, wanted) {
            self.refuse(entry, parent, reason);
            return Ok(());
        }
        if git_name(&entry.name) == GitName::Harmless {
            return self.count(entry, depth);
        }
        let limit = self.limits.depth;
        if depth > limit || (entry.mode == MODE_DIRECTORY && depth == limit) {
            self.refuse(entry, parent, Refusal::TooDeep { limit });
            return Ok(());
        }
        let path = join(parent, &String::from_utf8_lossy(&entry.name));
        if entry.mode == MODE_DIRECTORY {
            return self.directory(entry.id, &path, depth);
        }
        self.file(entry, parent, path)
    }

    fn directory(&mut self, tree: Oid, path: &str, depth: usize) -> Result<(), SnapshotError> {
        let entries = self.entries_of(tree, path)?;
        let clashes = clashes(&entries);
        for entry in entries {
            if clashes.contains_key(&entry.folded()) {
                self.refuse(&entry, path, Refusal::CaseClash);
            } else {
                self.state(&entry, path, depth + 1, None)?;
            }
        }
        Ok(())
    }

    fn file(&mut self, entry: &Entry, parent: &str, path: String) -> Result<(), SnapshotError> {
        let (bytes, kind) = self.odb.read_header(entry.id).map_err(|error| corrupt(self.commit, &error))?;
        let (bytes, limit) = (bytes as u64, self.limits.blob_bytes);
        if kind != ObjectType::Blob {
            self.refuse(entry, parent, Refusal::WrongKind { expected: "a file" });
        } else if bytes > limit {
            self.refuse(entry, parent, Refusal::TooBig { bytes, limit });
        } else {
            self.listing.files.insert(path, entry.id);
        }
        Ok(())
    }

    /// Counts what is not state, as deep as state may be; deeper is not looked at.
    fn count(&mut self, entry: &Entry, depth: usize) -> Result<(), SnapshotError> {
        self.listing.ignored += 1;
        if entry.mode != MODE_DIRECTORY || depth >= self.limits.depth {
            return Ok(());
        }
        for child in self.entries_of(entry.id, &entry.shown(""))? {
            self.count(&child, depth + 1)?;
        }
        Ok(())
    }

    /// The entries of one directory, counted against the limit before any of them is looked at.
    fn entries_of(&mut self, id: Oid, path: &str) -> Result<Vec<Entry>, SnapshotError> {
        let commit = self.commit;
        let (bytes, _) = self.odb.read_header(id).map_err(|error| corrupt(commit, &error))?;
        if bytes > TREE_BYTES {
            return Err(SnapshotError::TreeTooBig { commit, path: path.to_owned(), limit: TREE_BYTES });
        }
        let tree = self.repo.find_tree(id).map_err(|error| corrupt(commit, &error))?;
        self.entries += tree.len();
        if self.entries > self.limits.files {
            return Err(SnapshotError::TooManyFiles { commit, limit: self.limits.files });
        }
        Ok(copy(&tree))
    }

    fn refuse(&mut self, entry: &Entry, parent: &str, reason: Refusal) {
        self.listing.refused.push(RefusedEntry { path: entry.shown(parent), reason });
    }
}

fn copy(tree: &Tree<'_>) -> Vec<Entry> {
    tree.iter()
        .map(|entry| Entry {
            name: entry.name_bytes().to_vec(),
            mode: entry.filemode_raw().cast_unsigned(),
            id: entry.id(),
        })
        .collect()
}

/// Names that occur more than once when case is ignored.
fn clashes(entries: &[Entry]) -> BTreeMap<Vec<u8>, usize> {
    let mut seen: BTreeMap<Vec<u8>, usize> = BTreeMap::new();
    for entry in entries {
        *seen.entry(entry.folded()).or_default() += 1;
    }
    seen.retain(|_, times| *times > 1);
    seen
}

fn state_name(folded: &[u8]) -> Option<&'static str> {
    std::iter::once(STATE_FILE).chain(STATE_DIRECTORIES).find(|name| name.as_bytes() == folded)
}

/// What is wrong with an entry by itself; the mode comes first because it is the most dangerous.
fn refusal(entry: &Entry, wanted: Option<u32>) -> Option<Refusal> {
    match entry.mode {
        MODE_FILE | MODE_DIRECTORY => {}
        MODE_SYMLINK => return Some(Refusal::Symlink),
        MODE_SUBMODULE => return Some(Refusal::Submodule),
        MODE_EXECUTABLE => return Some(Refusal::Executable),
        other => return Some(Refusal::Mode(other)),
    }
    if let Some(wanted) = wanted.filter(|wanted| *wanted != entry.mode) {
        let expected = if wanted == MODE_FILE { "a file" } else { "a directory" };
        return Some(Refusal::WrongKind { expected });
    }
    if git_name(&entry.name) == GitName::Refused {
        return Some(Refusal::GitName);
    }
    if std::str::from_utf8(&entry.name).is_err() {
        return Some(Refusal::NotUtf8);
    }
    let plain = |byte: &u8| byte.is_ascii_alphanumeric() || b"._-".contains(byte);
    let dots = matches!(entry.name.as_slice(), b"" | b"." | b"..");
    (dots || !entry.name.iter().all(plain)).then_some(Refusal::Name)
}

#[derive(PartialEq, Eq)]
enum GitName {
    No,
    Harmless,
    Refused,
}

fn git_name(name: &[u8]) -> GitName {
    if HARMLESS_GIT_NAMES.iter().any(|harmless| harmless.as_bytes() == name) {
        return GitName::Harmless;
    }
    if name.to_ascii_lowercase().starts_with(b".git") { GitName::Refused } else { GitName::No }
}

fn join(parent: &str, name: &str) -> String {
    if parent.is_empty() { name.to_owned() } else { format!("{parent}/{name}") }
}

/// Whether libgit2 says that an object is not there.
pub(super) fn is_missing(error: &git2::Error) -> bool {
    error.code() == ErrorCode::NotFound
}
