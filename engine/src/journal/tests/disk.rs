//! A disk in memory that forgets what was not synced, tears it at sectors, fills up and breaks.

use super::super::{Disk, DiskError};
use std::collections::BTreeMap;

/// Smallest part that is written whole.
const SECTOR_BYTES: usize = 512;

/// Decides what survives; the same seed decides the same.
pub struct Dice(u64);

impl Dice {
    pub fn new(seed: u64) -> Self {
        Self(seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1)
    }

    pub fn below(&mut self, end: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 >> 11) % end.max(1)
    }

    fn flip(&mut self) -> bool {
        self.below(2) == 0
    }
}

#[derive(Debug, Clone)]
enum FileChange {
    Write(usize, Vec<u8>),
    Cut(usize),
}

#[derive(Debug, Clone)]
enum NameChange {
    Bind(String, usize),
    Rename(String, String, usize),
    Unbind(String),
}

#[derive(Debug, Clone, Default)]
struct Inode {
    seen: Vec<u8>,
    durable: Vec<u8>,
    pending: Vec<FileChange>,
}

#[derive(Debug, Clone, Default)]
pub struct MemoryDisk {
    inodes: Vec<Inode>,
    names: BTreeMap<String, usize>,
    durable_names: BTreeMap<String, usize>,
    pending_names: Vec<NameChange>,
    /// Effects until the power fails.
    pub power: Option<u32>,
    /// Everything but reading fails.
    pub read_only: bool,
    /// Bytes there is room for.
    pub capacity: Option<usize>,
    /// What fails: action and file.
    pub fails: Vec<(&'static str, String)>,
    /// Files of which one bit changes when they are written.
    pub rots: Option<String>,
}

fn write(into: &mut Vec<u8>, at: usize, bytes: &[u8]) {
    into.resize(into.len().max(at + bytes.len()), 0);
    into[at..at + bytes.len()].copy_from_slice(bytes);
}

impl Inode {
    fn survive(&mut self, dice: &mut Dice) {
        for change in std::mem::take(&mut self.pending) {
            match change {
                FileChange::Cut(length) if dice.flip() => self.durable.truncate(length),
                FileChange::Cut(_) => {}
                FileChange::Write(at, bytes) => {
                    if dice.flip() {
                        let longer = self.durable.len().max(at + bytes.len());
                        self.durable.resize(longer, 0);
                    }
                    let mut from = 0;
                    while from < bytes.len() {
                        let room = SECTOR_BYTES - (at + from) % SECTOR_BYTES;
                        let end = bytes.len().min(from + room);
                        if dice.flip() {
                            write(&mut self.durable, at + from, &bytes[from..end]);
                        }
                        from = end;
                    }
                }
            }
        }
        self.seen.clone_from(&self.durable);
    }
}

impl MemoryDisk {
    /// The power came back: of what was not synced, some is there. A third of the times all of it is
    /// there, as after the end of the process alone.
    pub fn restart(&mut self, dice: &mut Dice) {
        self.power = None;
        if dice.below(3) == 0 {
            for inode in &mut self.inodes {
                inode.pending.clear();
                inode.durable.clone_from(&inode.seen);
            }
            self.pending_names.clear();
            self.durable_names.clone_from(&self.names);
            return;
        }
        for inode in &mut self.inodes {
            inode.survive(dice);
        }
        for change in std::mem::take(&mut self.pending_names) {
            if dice.flip() {
                apply(&mut self.durable_names, change);
            }
        }
        self.names.clone_from(&self.durable_names);
    }

    pub fn bytes(&self, name: &str) -> Option<Vec<u8>> {
        self.names.get(name).map(|inode| self.inodes[*inode].seen.clone())
    }

    /// Puts a file there as if it had always been.
    pub fn put(&mut self, name: &str, bytes: &[u8]) {
        let inode = Inode { seen: bytes.to_vec(), durable: bytes.to_vec(), pending: Vec::new() };
        self.inodes.push(inode);
        self.names.insert(name.to_owned(), self.inodes.len() - 1);
        self.durable_names.insert(name.to_owned(), self.inodes.len() - 1);
    }

    /// Takes a file away as if it had never been.
    pub fn take(&mut self, name: &str) {
        self.names.remove(name);
        self.durable_names.remove(name);
    }

    fn used(&self) -> usize {
        self.names.values().map(|inode| self.inodes[*inode].seen.len()).sum()
    }

    fn may(&self, action: &'static str, name: &str) -> Result<(), DiskError> {
        let error = |detail: &str| DiskError { name: name.to_owned(), action, detail: detail.to_owned() };
        if self.power == Some(0) {
            return Err(error("no power"));
        }
        if self.fails.iter().any(|(fails, file)| *fails == action && file == name) {
            return Err(error("input/output error"));
        }
        if self.read_only && action != "read" {
            return Err(error("read-only file system"));
        }
        Ok(())
    }

    /// Counts an effect that was begun; the one at which the power fails is not acknowledged.
    fn spend(&mut self, action: &'static str, name: &str) -> Result<(), DiskError> {
        let Some(left) = &mut self.power else { return Ok(()) };
        *left -= 1;
        self.may(action, name)
    }

    fn find(&self, action: &'static str, name: &str) -> Result<usize, DiskError> {
        let missing = || DiskError { name: name.to_owned(), action, detail: "no such file".to_owned() };
        self.names.get(name).copied().ok_or_else(missing)
    }

    fn bind(&mut self, change: NameChange) {
        apply(&mut self.names, change.clone());
        self.pending_names.push(change);
    }
}

fn apply(names: &mut BTreeMap<String, usize>, change: NameChange) {
    match change {
        NameChange::Bind(name, inode) => {
            names.insert(name, inode);
        }
        NameChange::Rename(from, to, inode) => {
            names.remove(&from);
            names.insert(to, inode);
        }
        NameChange::Unbind(name) => {
            names.remove(&name);
        }
    }
}

impl Disk for MemoryDisk {
    fn read(&mut self, name: &str, limit: u64) -> Result<Option<Vec<u8>>, DiskError> {
        self.may("read", name)?;
        let limit = usize::try_from(limit).unwrap();
        Ok(self.bytes(name).map(|bytes| bytes[..limit.min(bytes.len())].to_vec()))
    }

    fn write_at(&mut self, name: &str, offset: u64, bytes: &[u8]) -> Result<(), DiskError> {
        self.may("write", name)?;
        let at = usize::try_from(offset).unwrap();
        if !self.names.contains_key(name) {
            self.inodes.push(Inode::default());
            self.bind(NameChange::Bind(name.to_owned(), self.inodes.len() - 1));
        }
        let inode = self.find("write", name)?;
        let grows = (at + bytes.len()).saturating_sub(self.inodes[inode].seen.len());
        let room = self.capacity.map_or(grows, |capacity| capacity.saturating_sub(self.used()));
        // A full disk takes what it has room for.
        let mut kept = bytes[..bytes.len() - grows.saturating_sub(room).min(bytes.len())].to_vec();
        let full = kept.len() < bytes.len();
        if self.rots.as_deref() == Some(name) && kept.len() > 9 {
            kept[9] ^= 1;
        }
        if !kept.is_empty() {
            write(&mut self.inodes[inode].seen, at, &kept);
            self.inodes[inode].pending.push(FileChange::Write(at, kept));
        }
        self.spend("write", name)?;
        let detail = "no space left on device".to_owned();
        if full { Err(DiskError { name: name.to_owned(), action: "write", detail }) } else { Ok(()) }
    }

    fn truncate(&mut self, name: &str, length: u64) -> Result<(), DiskError> {
        self.may("cut", name)?;
        let inode = self.find("cut", name)?;
        let length = usize::try_from(length).unwrap();
        assert!(length <= self.inodes[inode].seen.len(), "{name} would be made longer");
        self.inodes[inode].seen.truncate(length);
        self.inodes[inode].pending.push(FileChange::Cut(length));
        self.spend("cut", name)
    }

    fn sync(&mut self, name: &str) -> Result<(), DiskError> {
        self.may("sync", name)?;
        let inode = self.find("sync", name)?;
        self.spend("sync", name)?;
        self.inodes[inode].pending.clear();
        self.inodes[inode].durable = self.inodes[inode].seen.clone();
        Ok(())
    }

    fn rename(&mut self, from: &str, to: &str) -> Result<(), DiskError> {
        self.may("rename", from)?;
        let inode = self.find("rename", from)?;
        self.bind(NameChange::Rename(from.to_owned(), to.to_owned(), inode));
        self.spend("rename", from)
    }

    fn remove(&mut self, name: &str) -> Result<(), DiskError> {
        self.may("remove", name)?;
        if self.names.contains_key(name) {
            self.bind(NameChange::Unbind(name.to_owned()));
        }
        self.spend("remove", name)
    }

    fn sync_dir(&mut self) -> Result<(), DiskError> {
        self.may("sync", ".")?;
        self.spend("sync", ".")?;
        self.pending_names.clear();
        self.durable_names.clone_from(&self.names);
        Ok(())
    }
}
