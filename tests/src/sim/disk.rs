//! A disk in memory that forgets like a real one: what was not synced may be lost, torn or kept.
//!
//! Owns: what is durable. Must not know what a journal is. Called by the agent's real journal through
//! `engine::journal::Disk`, and by the harness, which kills the process or cuts the power.
//!
//! A kill loses nothing that was written. A power cut decides every un-synced write on its own ([`Fate`]), in any
//! combination, so that writes are also reordered.

use super::rng::Rng;
use engine::journal::{Disk, DiskError};
use std::cell::RefCell;
use std::collections::BTreeMap;
use std::rc::Rc;

/// What a disk writes in one go.
pub const SECTOR_BYTES: usize = 512;

/// What a power cut does to one un-synced write.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Fate {
    /// It never happened.
    Lost,
    /// It happened.
    Kept,
    /// Only so many sectors from its beginning arrived.
    Head(usize),
    /// All but so many sectors from its beginning arrived; the gap is zeros.
    Tail(usize),
}

/// A lasting trouble of the disk.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Trouble {
    /// None.
    #[default]
    None,
    /// No space for anything new.
    Full,
    /// Nothing can be changed.
    ReadOnly,
}

/// Which syncs a planted bug leaves out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum SyncBug {
    /// None: every sync is done.
    #[default]
    None,
    /// All syncs of files.
    All,
    /// Syncs of files that are to replace another one.
    Replacement,
}

#[derive(Debug, Clone)]
enum Write {
    At { offset: usize, bytes: Vec<u8> },
    Truncate(usize),
}

#[derive(Debug, Clone, Default)]
struct Inode {
    durable: Vec<u8>,
    visible: Vec<u8>,
    pending: Vec<Write>,
}

#[derive(Debug, Clone)]
enum DirOp {
    Link(String, u64),
    Rename(String, String),
    Remove(String),
}

#[derive(Debug, Clone, Default)]
struct Inner {
    inodes: BTreeMap<u64, Inode>,
    names: BTreeMap<String, u64>,
    durable_names: BTreeMap<String, u64>,
    dir_pending: Vec<DirOp>,
    next_inode: u64,
    ops: u64,
    die_at: Option<u64>,
    dead: bool,
    trouble: Trouble,
    /// Bytes that fit while the disk is full.
    capacity: usize,
    bug: SyncBug,
    /// Syncs still to be left out (a planted bug).
    skip_syncs: u32,
}

/// A disk; clones share it.
#[derive(Debug, Clone, Default)]
pub struct SimDisk(Rc<RefCell<Inner>>);

fn apply(bytes: &mut Vec<u8>, write: &Write, fate: Fate) {
    match (write, fate) {
        (_, Fate::Lost) => {}
        (Write::Truncate(length), _) => bytes.resize(*length, 0),
        (Write::At { offset, bytes: new }, _) => {
            let (from, to) = match fate {
                Fate::Head(sectors) => (0, new.len().min(sectors.saturating_mul(SECTOR_BYTES))),
                Fate::Tail(sectors) => (new.len().min(sectors.saturating_mul(SECTOR_BYTES)), new.len()),
                Fate::Lost | Fate::Kept => (0, new.len()),
            };
            let part = new.get(from..to).unwrap_or_default();
            let (start, end) = (offset.saturating_add(from), offset.saturating_add(to));
            if bytes.len() < end {
                bytes.resize(end, 0);
            }
            if let Some(target) = bytes.get_mut(start..end) {
                target.copy_from_slice(part);
            }
        }
    }
}

fn apply_dir(names: &mut BTreeMap<String, u64>, op: &DirOp) {
    match op {
        DirOp::Link(name, inode) => {
            names.insert(name.clone(), *inode);
        }
        DirOp::Rename(from, to) => {
            if let Some(inode) = names.remove(from) {
                names.insert(to.clone(), inode);
            }
        }
        DirOp::Remove(name) => {
            names.remove(name);
        }
    }
}

impl Inner {
    /// Every call is one operation that the process may die at instead of doing it.
    fn begin(&mut self, name: &str, action: &'static str) -> Result<(), DiskError> {
        if self.dead || self.die_at.is_some_and(|at| self.ops >= at) {
            self.dead = true;
            return Err(failed(name, action, "the process died"));
        }
        self.ops += 1;
        Ok(())
    }

    fn begin_change(&mut self, name: &str, action: &'static str) -> Result<(), DiskError> {
        self.begin(name, action)?;
        match self.trouble {
            Trouble::None => Ok(()),
            Trouble::Full => Ok(()),
            Trouble::ReadOnly => Err(failed(name, action, "Read-only file system")),
        }
    }

    fn inode(&mut self, name: &str) -> u64 {
        if let Some(inode) = self.names.get(name) {
            return *inode;
        }
        let inode = self.next_inode;
        self.next_inode += 1;
        self.inodes.insert(inode, Inode::default());
        let op = DirOp::Link(name.to_owned(), inode);
        apply_dir(&mut self.names, &op);
        self.dir_pending.push(op);
        inode
    }

    fn used(&self) -> usize {
        self.names.values().filter_map(|inode| self.inodes.get(inode)).map(|file| file.visible.len()).sum()
    }

    /// On a full disk nothing may grow beyond what was there when it became full.
    fn check_room(&self, name: &str, end: usize) -> Result<(), DiskError> {
        let file = self.names.get(name).and_then(|inode| self.inodes.get(inode));
        let grows = end.saturating_sub(file.map_or(0, |file| file.visible.len()));
        if self.trouble == Trouble::Full && grows > 0 && self.used().saturating_add(grows) > self.capacity {
            return Err(failed(name, "write", "No space left on device"));
        }
        Ok(())
    }

    fn change(&mut self, name: &str, write: Write) {
        let inode = self.inode(name);
        if let Some(file) = self.inodes.get_mut(&inode) {
            apply(&mut file.visible, &write, Fate::Kept);
            file.pending.push(write);
        }
    }

    /// Lengths of the un-synced writes in sectors, in a fixed order; 0 for what cannot be torn.
    fn pending(&self) -> Vec<usize> {
        let sectors = |write: &Write| match write {
            Write::At { bytes, .. } => bytes.len().div_ceil(SECTOR_BYTES),
            Write::Truncate(_) => 0,
        };
        let writes = self.inodes.values().flat_map(|file| file.pending.iter().map(sectors));
        writes.chain(self.dir_pending.iter().map(|_| 0)).collect()
    }

    fn cut(&mut self, fates: &[Fate]) {
        let mut fates = fates.iter().copied();
        for file in self.inodes.values_mut() {
            for write in std::mem::take(&mut file.pending) {
                apply(&mut file.durable, &write, fates.next().unwrap_or(Fate::Lost));
            }
            file.visible.clone_from(&file.durable);
        }
        for op in std::mem::take(&mut self.dir_pending) {
            if fates.next().unwrap_or(Fate::Lost) != Fate::Lost {
                apply_dir(&mut self.durable_names, &op);
            }
        }
        self.names.clone_from(&self.durable_names);
        let names = &self.names;
        self.inodes.retain(|inode, _| names.values().any(|used| used == inode));
    }
}

fn failed(name: &str, action: &'static str, detail: &str) -> DiskError {
    DiskError { name: name.to_owned(), action, detail: detail.to_owned() }
}

impl SimDisk {
    /// An empty disk with this planted bug.
    #[must_use]
    pub fn new(bug: SyncBug) -> Self {
        Self(Rc::new(RefCell::new(Inner { bug, ..Inner::default() })))
    }

    /// A disk of its own with the same content.
    #[must_use]
    pub fn copy(&self) -> Self {
        Self(Rc::new(RefCell::new(self.0.borrow().clone())))
    }

    /// A disk of its own with what would be there after a power cut that loses everything un-synced.
    #[must_use]
    pub fn durable(&self) -> Self {
        let copy = self.copy();
        copy.cut(&[]);
        copy.revive();
        copy
    }

    /// Operations so far.
    #[must_use]
    pub fn ops(&self) -> u64 {
        self.0.borrow().ops
    }

    /// The process dies instead of doing the operation of this number.
    pub fn die_at(&self, op: Option<u64>) {
        self.0.borrow_mut().die_at = op;
    }

    /// Whether the process died in an operation.
    #[must_use]
    pub fn is_dead(&self) -> bool {
        self.0.borrow().dead
    }

    /// A new process uses the disk.
    pub fn revive(&self) {
        let mut inner = self.0.borrow_mut();
        inner.dead = false;
        inner.die_at = None;
    }

    /// Begins or ends a lasting trouble.
    pub fn trouble(&self, trouble: Trouble) {
        let mut inner = self.0.borrow_mut();
        inner.trouble = trouble;
        inner.capacity = inner.used();
    }

    /// Leaves out the next syncs (a planted bug).
    pub fn skip_syncs(&self, count: u32) {
        self.0.borrow_mut().skip_syncs = count;
    }

    /// Everything is gone (a planted bug).
    pub fn wipe(&self) {
        let mut inner = self.0.borrow_mut();
        let ops = inner.ops;
        let (die_at, trouble, bug) = (inner.die_at, inner.trouble, inner.bug);
        *inner = Inner { ops, die_at, trouble, bug, ..Inner::default() };
    }

    /// A byte of a durable file is not what was written: turned, or turned back. False when there is no such byte.
    pub fn turn(&self, name: &str, offset: usize) -> bool {
        let mut inner = self.0.borrow_mut();
        let Some(inode) = inner.durable_names.get(name).copied() else { return false };
        let Some(file) = inner.inodes.get_mut(&inode).filter(|file| file.durable.len() > offset) else {
            return false;
        };
        for bytes in [&mut file.durable, &mut file.visible] {
            if let Some(byte) = bytes.get_mut(offset) {
                *byte = !*byte;
            }
        }
        true
    }

    /// What a write that was cut off leaves behind the end of a file.
    pub fn tear(&self, name: &str, garbage: &[u8]) {
        let mut inner = self.0.borrow_mut();
        let Some(inode) = inner.durable_names.get(name).copied() else { return };
        if let Some(file) = inner.inodes.get_mut(&inode).filter(|file| file.pending.is_empty()) {
            file.durable.extend(garbage);
            file.visible.extend(garbage);
        }
    }

    /// The durable bytes of a file.
    #[must_use]
    pub fn bytes(&self, name: &str) -> Vec<u8> {
        let inner = self.0.borrow();
        let inode = inner.durable_names.get(name).and_then(|inode| inner.inodes.get(inode));
        inode.map(|file| file.durable.clone()).unwrap_or_default()
    }

    /// Un-synced writes by length in sectors.
    #[must_use]
    pub fn pending(&self) -> Vec<usize> {
        self.0.borrow().pending()
    }

    /// The power is cut: each un-synced write has its fate, in the order of [`SimDisk::pending`].
    pub fn cut(&self, fates: &[Fate]) {
        self.0.borrow_mut().cut(fates);
    }

    /// The power is cut: chance decides each fate.
    pub fn cut_by_chance(&self, rng: &mut Rng) {
        let fates: Vec<Fate> = self.pending().into_iter().map(|sectors| fate(sectors, rng)).collect();
        self.cut(&fates);
    }
}

/// A fate by chance for a write of so many sectors.
fn fate(sectors: usize, rng: &mut Rng) -> Fate {
    match rng.below(if sectors > 1 { 4 } else { 2 }) {
        0 => Fate::Lost,
        1 => Fate::Kept,
        2 => Fate::Head(1 + rng.index(sectors - 1)),
        _ => Fate::Tail(1 + rng.index(sectors - 1)),
    }
}

impl Disk for SimDisk {
    fn read(&mut self, name: &str, limit: u64) -> Result<Option<Vec<u8>>, DiskError> {
        let mut inner = self.0.borrow_mut();
        inner.begin(name, "read")?;
        let Some(file) = inner.names.get(name).and_then(|inode| inner.inodes.get(inode)) else {
            return Ok(None);
        };
        let length = file.visible.len().min(usize::try_from(limit).unwrap_or(usize::MAX));
        Ok(file.visible.get(..length).map(<[u8]>::to_vec))
    }

    fn write_at(&mut self, name: &str, offset: u64, bytes: &[u8]) -> Result<(), DiskError> {
        let mut inner = self.0.borrow_mut();
        inner.begin_change(name, "write")?;
        let offset = usize::try_from(offset).unwrap_or(usize::MAX);
        inner.check_room(name, offset.saturating_add(bytes.len()))?;
        inner.change(name, Write::At { offset, bytes: bytes.to_vec() });
        Ok(())
    }

    fn truncate(&mut self, name: &str, length: u64) -> Result<(), DiskError> {
        let mut inner = self.0.borrow_mut();
        inner.begin_change(name, "truncate")?;
        inner.change(name, Write::Truncate(usize::try_from(length).unwrap_or(usize::MAX)));
        Ok(())
    }

    fn sync(&mut self, name: &str) -> Result<(), DiskError> {
        let mut inner = self.0.borrow_mut();
        inner.begin_change(name, "sync")?;
        let replaces = name.ends_with(".new");
        let skipped = inner.bug == SyncBug::All || (inner.bug == SyncBug::Replacement && replaces);
        if skipped || inner.skip_syncs > 0 {
            inner.skip_syncs = inner.skip_syncs.saturating_sub(1);
            return Ok(());
        }
        let Some(inode) = inner.names.get(name).copied() else { return Ok(()) };
        if let Some(file) = inner.inodes.get_mut(&inode) {
            for write in std::mem::take(&mut file.pending) {
                apply(&mut file.durable, &write, Fate::Kept);
            }
        }
        Ok(())
    }

    fn rename(&mut self, from: &str, to: &str) -> Result<(), DiskError> {
        let mut inner = self.0.borrow_mut();
        inner.begin_change(from, "rename")?;
        if !inner.names.contains_key(from) {
            return Err(failed(from, "rename", "no such file"));
        }
        let op = DirOp::Rename(from.to_owned(), to.to_owned());
        apply_dir(&mut inner.names, &op);
        inner.dir_pending.push(op);
        Ok(())
    }

    fn remove(&mut self, name: &str) -> Result<(), DiskError> {
        let mut inner = self.0.borrow_mut();
        inner.begin_change(name, "remove")?;
        if inner.names.contains_key(name) {
            let op = DirOp::Remove(name.to_owned());
            apply_dir(&mut inner.names, &op);
            inner.dir_pending.push(op);
        }
        Ok(())
    }

    fn sync_dir(&mut self) -> Result<(), DiskError> {
        let mut inner = self.0.borrow_mut();
        inner.begin_change("", "sync_dir")?;
        inner.dir_pending.clear();
        let names = inner.names.clone();
        inner.durable_names = names;
        Ok(())
    }
}
