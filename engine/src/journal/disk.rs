//! What the journal asks of a disk. A port: the agent brings the real one, simulators a virtual one.
//! Owns the contract; must not touch a file. Called by the journal only.

/// Why a disk did not do what it was asked.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("cannot {action} {name}: {detail}")]
pub struct DiskError {
    /// The file; for the directory itself, its name as the disk knows it.
    pub name: String,
    /// What was asked, as a verb: "read", "write", "sync".
    pub action: &'static str,
    /// What the system says.
    pub detail: String,
}

/// One flat directory. Names have no slashes.
///
/// A write or truncation may be lost, in whole or in parts, until `sync` of that file returned. The
/// making, renaming or removing of a name may be lost until `sync_dir` returned. Whatever was not
/// lost is seen by `read` at once.
pub trait Disk {
    /// The file from its beginning, at most `limit` bytes of it. None when there is no such file.
    fn read(&mut self, name: &str, limit: u64) -> Result<Option<Vec<u8>>, DiskError>;
    /// Writes at a place; makes the file when it is missing, also when there are no bytes to write.
    fn write_at(&mut self, name: &str, offset: u64, bytes: &[u8]) -> Result<(), DiskError>;
    /// Cuts an existing file to a length that it has.
    fn truncate(&mut self, name: &str, length: u64) -> Result<(), DiskError>;
    /// Makes the contents of a file durable.
    fn sync(&mut self, name: &str) -> Result<(), DiskError>;
    /// Gives a file another name; a file that had that name is gone. Never half done.
    fn rename(&mut self, from: &str, to: &str) -> Result<(), DiskError>;
    /// Removes a file; a missing one is fine.
    fn remove(&mut self, name: &str) -> Result<(), DiskError>;
    /// Makes names durable; best effort on hosts that cannot.
    fn sync_dir(&mut self) -> Result<(), DiskError>;
}

impl<D: Disk + ?Sized> Disk for &mut D {
    fn read(&mut self, name: &str, limit: u64) -> Result<Option<Vec<u8>>, DiskError> {
        (**self).read(name, limit)
    }
    fn write_at(&mut self, name: &str, offset: u64, bytes: &[u8]) -> Result<(), DiskError> {
        (**self).write_at(name, offset, bytes)
    }
    fn truncate(&mut self, name: &str, length: u64) -> Result<(), DiskError> {
        (**self).truncate(name, length)
    }
    fn sync(&mut self, name: &str) -> Result<(), DiskError> {
        (**self).sync(name)
    }
    fn rename(&mut self, from: &str, to: &str) -> Result<(), DiskError> {
        (**self).rename(from, to)
    }
    fn remove(&mut self, name: &str) -> Result<(), DiskError> {
        (**self).remove(name)
    }
    fn sync_dir(&mut self) -> Result<(), DiskError> {
        (**self).sync_dir()
    }
}

/// Makes a small file durable: a temporary file, synced, renamed, the directory synced, read back.
pub fn replace_file<D: Disk>(disk: &mut D, name: &str, bytes: &[u8]) -> Result<(), DiskError> {
    let temporary = format!("{name}.new");
    disk.remove(&temporary)?;
    disk.write_at(&temporary, 0, bytes)?;
    disk.sync(&temporary)?;
    disk.rename(&temporary, name)?;
    disk.sync_dir()?;
    let limit = u64::try_from(bytes.len()).unwrap_or(u64::MAX).saturating_add(1);
    if disk.read(name, limit)?.as_deref() == Some(bytes) {
        return Ok(());
    }
    let detail = "what was written does not read back".to_owned();
    Err(DiskError { name: name.to_owned(), action: "verify", detail })
}
