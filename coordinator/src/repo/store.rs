//! The mirror's directory: made once, locked while open, repaired after a process death, never someone else's.
//!
//! Must not: talk to a remote. Called by: `mirror` when it opens or rebuilds.

use std::fs::{self, File, OpenOptions, TryLockError};
use std::io;
use std::path::{Path, PathBuf};

use git2::{ConfigLevel, ErrorCode, Repository, RepositoryInitOptions};

use super::error::{OpenMirrorError, printable};

/// File that marks a directory as ours. It is made before anything else and carries the lock.
const MARKER: &str = "pointsman-mirror";
/// Set as the last step of creation: without it the creation was cut short.
const READY_KEY: &str = "pointsman.ready";
/// Directory levels below the mirror that are searched for leftovers.
const LEFTOVER_DEPTH: usize = 8;

/// How the mirror came to be what it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MirrorOrigin {
    /// The directory was new.
    Created,
    /// A usable mirror was found.
    Opened,
    /// An unusable mirror (cut short, damaged) was found and made anew; the next fetch fills it.
    Rebuilt,
}

/// An open, locked mirror directory.
pub(super) struct Store {
    pub(super) repo: Repository,
    pub(super) origin: MirrorOrigin,
    pub(super) lock: Lock,
}

/// One owner per mirror. The system releases the lock when the process ends, however it ends.
pub(super) struct Lock(File);

impl Drop for Lock {
    fn drop(&mut self) {
        // Closing is not enough: a child process that is just being started holds a copy of the file for a moment.
        if let Err(error) = self.0.unlock() {
            tracing::warn!(%error, "cannot release the lock of a mirror");
        }
    }
}

/// Opens or makes the mirror in `path` whose head is `reference`.
pub(super) fn open(path: &Path, reference: &str) -> Result<Store, OpenMirrorError> {
    let new = claim(path)?;
    let lock = lock(path)?;
    sweep(path);
    if new {
        let repo = create(path, reference)?;
        return Ok(Store { repo, origin: MirrorOrigin::Created, lock });
    }
    match usable(path, reference) {
        Ok(repo) => Ok(Store { repo, origin: MirrorOrigin::Opened, lock }),
        Err(error) => {
            tracing::warn!(mirror = %path.display(), reason = %printable(error.message()), "mirror is unusable, making it anew");
            let repo = remake(path, reference)?;
            Ok(Store { repo, origin: MirrorOrigin::Rebuilt, lock })
        }
    }
}

/// Empties the directory (except for the lock) and makes the mirror again.
pub(super) fn remake(path: &Path, reference: &str) -> Result<Repository, OpenMirrorError> {
    wipe(path).map_err(|error| storage(path, &error))?;
    create(path, reference)
}

/// Makes sure the directory exists and is ours; `true` when it had nothing of ours yet.
fn claim(path: &Path) -> Result<bool, OpenMirrorError> {
    fs::create_dir_all(path).map_err(|error| storage(path, &error))?;
    if path.join(MARKER).is_file() {
        return Ok(false);
    }
    let mut entries = fs::read_dir(path).map_err(|error| storage(path, &error))?;
    if entries.next().is_some() {
        return Err(OpenMirrorError::NotAMirror { path: path.to_owned() });
    }
    Ok(true)
}

fn lock(path: &Path) -> Result<Lock, OpenMirrorError> {
    let file = OpenOptions::new()
        .create(true)
        .append(true)
        .open(path.join(MARKER))
        .map_err(|error| storage(path, &error))?;
    match file.try_lock() {
        Ok(()) => Ok(Lock(file)),
        Err(TryLockError::WouldBlock) => Err(OpenMirrorError::InUse { path: path.to_owned() }),
        Err(TryLockError::Error(error)) => Err(storage(path, &error)),
    }
}

fn create(path: &Path, reference: &str) -> Result<Repository, OpenMirrorError> {
    init(path, reference).map_err(|error| OpenMirrorError::Storage {
        path: path.to_owned(),
        reason: printable(error.message()),
    })
}

fn init(path: &Path, reference: &str) -> Result<Repository, git2::Error> {
    let mut options = RepositoryInitOptions::new();
    options.bare(true).mkdir(false).external_template(false).initial_head(reference);
    let repo = Repository::init_opts(path, &options)?;
    let mut config = repo.config()?.open_level(ConfigLevel::Local)?;
    config.set_bool("core.fsyncObjectFiles", true)?;
    config.set_bool(READY_KEY, true)?;
    Ok(repo)
}

/// Opens a mirror that was completely made and whose head can be read.
fn usable(path: &Path, reference: &str) -> Result<Repository, git2::Error> {
    let repo = Repository::open_bare(path)?;
    let ready = repo.config()?.open_level(ConfigLevel::Local)?.get_bool(READY_KEY)?;
    if !ready {
        return Err(git2::Error::from_str("its creation was cut short"));
    }
    match repo.find_reference(reference) {
        Ok(head) => {
            let tree = head.peel_to_commit()?.tree_id();
            repo.find_tree(tree)?;
        }
        Err(error) if error.code() == ErrorCode::NotFound => {}
        Err(error) => return Err(error),
    }
    Ok(repo)
}

fn wipe(path: &Path) -> io::Result<()> {
    for entry in fs::read_dir(path)? {
        let entry = entry?;
        if entry.file_name() == MARKER {
            continue;
        }
        if entry.file_type()?.is_dir() {
            fs::remove_dir_all(entry.path())?;
        } else {
            fs::remove_file(entry.path())?;
        }
    }
    Ok(())
}

/// Removes what a killed fetch leaves: lock files that would block every later fetch, and unfinished packs.
/// Only the holder of the mirror's lock may call it. Best effort: a leftover that stays is met again by the fetch.
pub(super) fn sweep(path: &Path) {
    for leftover in leftovers(path, LEFTOVER_DEPTH) {
        if let Err(error) = fs::remove_file(&leftover) {
            tracing::warn!(file = %leftover.display(), %error, "cannot remove a leftover of an earlier fetch");
        }
    }
}

fn leftovers(directory: &Path, depth: usize) -> Vec<PathBuf> {
    let mut found = Vec::new();
    let Ok(entries) = fs::read_dir(directory) else { return found };
    for entry in entries.flatten() {
        let Ok(kind) = entry.file_type() else { continue };
        let name = entry.file_name();
        let name = name.to_string_lossy();
        if kind.is_dir() && depth > 0 {
            found.extend(leftovers(&entry.path(), depth - 1));
        } else if kind.is_file()
            && (name.ends_with(".lock") || name.contains("_git2_") || name.starts_with("tmp_obj"))
        {
            found.push(entry.path());
        }
    }
    found
}

fn storage(path: &Path, error: &io::Error) -> OpenMirrorError {
    OpenMirrorError::Storage { path: path.to_owned(), reason: error.to_string() }
}
