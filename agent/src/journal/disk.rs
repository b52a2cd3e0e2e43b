//! The real disk: one directory through the standard library.
//!
//! Owns: open files, and that every sync is a full one. Must not: know what is written. Hosts have no
//! reliable `fdatasync` and no `flock`: neither is used.

use engine::journal::{Disk, DiskError};
use std::fs::{File, OpenOptions};
use std::io::{ErrorKind, Read, Result, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

/// One directory. Made when the first file is written.
#[derive(Debug)]
pub struct StdDisk {
    dir: PathBuf,
    /// The file that was written last: the system tells a write that failed late only to the handle
    /// that made it.
    written: Option<(String, File)>,
}

impl StdDisk {
    /// A disk that keeps its files in this directory.
    #[must_use]
    pub fn new(dir: &Path) -> Self {
        let here = dir.as_os_str().is_empty();
        Self { dir: if here { PathBuf::from(".") } else { dir.to_owned() }, written: None }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.dir.join(name)
    }

    fn error(&self, name: &str, action: &'static str) -> impl FnOnce(std::io::Error) -> DiskError + use<> {
        let name = self.path(name).display().to_string();
        move |error| DiskError { name, action, detail: error.to_string() }
    }

    /// The handle that wrote this file, or a new one.
    fn handle(&mut self, name: &str) -> Result<&mut File> {
        let file = match self.written.take() {
            Some((held, file)) if held == name => file,
            _ => OpenOptions::new().read(true).write(true).open(self.path(name))?,
        };
        Ok(&mut self.written.insert((name.to_owned(), file)).1)
    }

    fn handle_or_new(&mut self, name: &str) -> Result<&mut File> {
        if self.written.as_ref().is_none_or(|(held, _)| held != name) {
            std::fs::create_dir_all(&self.dir)?;
            let path = self.path(name);
            let file = OpenOptions::new().create(true).read(true).write(true).truncate(false).open(path)?;
            self.written = Some((name.to_owned(), file));
        }
        self.handle(name)
    }

    fn forget(&mut self, name: &str) {
        self.written.take_if(|(held, _)| held == name);
    }
}

impl Disk for StdDisk {
    fn read(&mut self, name: &str, limit: u64) -> std::result::Result<Option<Vec<u8>>, DiskError> {
        let mut bytes = Vec::new();
        match File::open(self.path(name)) {
            Ok(file) => {
                file.take(limit).read_to_end(&mut bytes).map_err(self.error(name, "read"))?;
                Ok(Some(bytes))
            }
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
            Err(error) => Err(self.error(name, "read")(error)),
        }
    }

    fn write_at(&mut self, name: &str, offset: u64, bytes: &[u8]) -> std::result::Result<(), DiskError> {
        let error = self.error(name, "write");
        let write = |file: &mut File| {
            file.seek(SeekFrom::Start(offset))?;
            file.write_all(bytes)
        };
        self.handle_or_new(name).and_then(write).map_err(error)
    }

    fn truncate(&mut self, name: &str, length: u64) -> std::result::Result<(), DiskError> {
        let error = self.error(name, "cut");
        self.handle(name).and_then(|file| file.set_len(length)).map_err(error)
    }

    fn sync(&mut self, name: &str) -> std::result::Result<(), DiskError> {
        let error = self.error(name, "sync");
        self.handle(name).and_then(|file| file.sync_all()).map_err(error)
    }

    fn rename(&mut self, from: &str, to: &str) -> std::result::Result<(), DiskError> {
        self.forget(from);
        self.forget(to);
        std::fs::rename(self.path(from), self.path(to)).map_err(self.error(from, "rename"))
    }

    fn remove(&mut self, name: &str) -> std::result::Result<(), DiskError> {
        self.forget(name);
        match std::fs::remove_file(self.path(name)) {
            Err(error) if error.kind() != ErrorKind::NotFound => Err(self.error(name, "remove")(error)),
            _ => Ok(()),
        }
    }

    /// Some file systems of hosts cannot sync a directory; there the rename is its own commit point,
    /// and the journal finds what was reordered by its numbers.
    fn sync_dir(&mut self) -> std::result::Result<(), DiskError> {
        if let Err(error) = File::open(&self.dir).and_then(|dir| dir.sync_all()) {
            tracing::debug!(%error, "directory not synced");
        }
        Ok(())
    }
}
