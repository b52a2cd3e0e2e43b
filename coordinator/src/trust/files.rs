//! Files of the authority: written whole or not at all, keys for the owner only.

use super::TrustError;
use std::fs::{self, File, OpenOptions};
use std::io::{ErrorKind, Write};
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

/// Who may read a new file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Audience {
    /// Only the owner: mode 0600.
    Owner,
    /// Everybody: mode 0644.
    Everybody,
}

impl Audience {
    fn mode(self) -> u32 {
        match self {
            Self::Owner => 0o600,
            Self::Everybody => 0o644,
        }
    }
}

fn failed(action: &'static str, path: &Path) -> impl FnOnce(std::io::Error) -> TrustError {
    let path = path.to_owned();
    move |source| TrustError::File { action, path, source }
}

fn temporary_for(path: &Path) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(".new");
    PathBuf::from(name)
}

/// Writes a file in place of the one that may be there: the old or the new one, never half of one.
pub(super) fn replace(path: &Path, content: &[u8], audience: Audience) -> Result<(), TrustError> {
    let temporary = temporary_for(path);
    remove_if_there(&temporary)?;
    write_new(&temporary, content, audience)?;
    fs::rename(&temporary, path).map_err(failed("replace", path))?;
    sync_folder_of(path)
}

fn remove_if_there(path: &Path) -> Result<(), TrustError> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != ErrorKind::NotFound => Err(failed("remove", path)(error)),
        _ => Ok(()),
    }
}

fn write_new(path: &Path, content: &[u8], audience: Audience) -> Result<(), TrustError> {
    let mut file = OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(audience.mode())
        .open(path)
        .map_err(failed("create", path))?;
    file.write_all(content).and_then(|()| file.sync_all()).map_err(failed("write", path))
}

fn sync_folder_of(path: &Path) -> Result<(), TrustError> {
    let folder = path.parent().unwrap_or(Path::new("."));
    File::open(folder).and_then(|folder| folder.sync_all()).map_err(failed("sync", folder))
}

/// Writes a new file: complete and on disk under its name, or not there. Refuses an existing one.
pub(super) fn create(path: &Path, content: &[u8], audience: Audience) -> Result<(), TrustError> {
    let temporary = temporary_for(path);
    remove_if_there(&temporary)?;
    let result = write_then_link(&temporary, path, content, audience);
    let removed = fs::remove_file(&temporary).map_err(failed("remove", &temporary));
    result.and(removed)
}

fn write_then_link(
    temporary: &Path,
    path: &Path,
    content: &[u8],
    audience: Audience,
) -> Result<(), TrustError> {
    write_new(temporary, content, audience)?;
    // A link, unlike a rename, fails when the name is taken.
    fs::hard_link(temporary, path).map_err(|source| match source.kind() {
        ErrorKind::AlreadyExists => TrustError::AlreadyThere { path: path.to_owned() },
        _ => TrustError::File { action: "create", path: path.to_owned(), source },
    })?;
    sync_folder_of(path)
}

/// Makes a folder, for its owner only, when it is missing.
pub(super) fn make_folder(dir: &Path) -> Result<(), TrustError> {
    use std::os::unix::fs::DirBuilderExt;
    fs::DirBuilder::new().recursive(true).mode(0o700).create(dir).map_err(failed("create", dir))
}

/// Reads a file of the authority.
pub(super) fn read(path: &Path) -> Result<String, TrustError> {
    fs::read_to_string(path).map_err(|source| match source.kind() {
        ErrorKind::NotFound => TrustError::Missing { path: path.to_owned() },
        _ => TrustError::File { action: "read", path: path.to_owned(), source },
    })
}

/// Reads a key, unless others may read it too.
pub(super) fn read_key(path: &Path) -> Result<String, TrustError> {
    let content = read(path)?;
    let mode = fs::metadata(path).map_err(failed("look at", path))?.permissions().mode() & 0o777;
    if mode & 0o077 != 0 {
        return Err(TrustError::KeyExposed { path: path.to_owned(), mode });
    }
    Ok(content)
}
