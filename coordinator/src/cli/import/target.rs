//! The repository that is imported into: what is there, and room for what comes.
//!
//! Must not: decide what is written. Called by `import`.

use crate::cli::failure::CliError;
use crate::cli::{files, tree};
use engine::adopt::{Files, Prover};
use engine::documents::{Repository, SITE_FILE, parse_repository};
use model::{HostGroupId, HostId, RfcId};
use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

/// The site document of a repository that has none.
const SITE: &str = "# Facts of the site that no host can report.\nschema: 1\n";

/// A repository in a folder.
pub struct Target {
    /// Its folder.
    pub dir: PathBuf,
    files: BTreeMap<String, Vec<u8>>,
    /// Files that are to be replaced.
    stale: Vec<String>,
    repository: Repository,
}

impl Target {
    /// Reads the repository in `dir`, which is made when that is asked for.
    pub fn open(dir: &Path, make: bool) -> Result<Self, CliError> {
        if make {
            fs::create_dir_all(dir).map_err(CliError::file("make", dir))?;
        }
        let files = tree::read(dir)?.files;
        let repository = parse_repository(&files);
        Ok(Self { dir: dir.to_owned(), files, stale: Vec::new(), repository })
    }

    /// Sees to it that there is no group of this name; with `force` its files are to be replaced.
    pub fn make_room(&mut self, group: &HostGroupId, force: bool) -> Result<(), CliError> {
        let folder = format!("groups/{group}");
        if !self.dir.join(&folder).exists() {
            return Ok(());
        }
        if !force {
            let message = format!(
                "group `{group}` is already there: choose another name, move it away first, or write it anew with --force"
            );
            return Err(CliError::Failed(message));
        }
        let inside = format!("{folder}/");
        let stale: Vec<String> =
            self.files.keys().filter(|path| path.starts_with(&inside)).cloned().collect();
        for path in &stale {
            self.files.remove(path);
        }
        self.stale.extend(stale);
        self.repository = parse_repository(&self.files);
        Ok(())
    }

    /// The groups that are there.
    pub fn groups(&self) -> impl Iterator<Item = &HostGroupId> {
        self.repository.groups.keys()
    }

    /// The group a host is in.
    pub fn home(&self, host: &HostId) -> Option<&HostGroupId> {
        let mut groups = self.repository.groups.iter();
        groups.find(|(_, group)| group.members.contains(host)).map(|(id, _)| id)
    }

    /// The number of the next RFC document.
    pub fn next_rfc(&self) -> RfcId {
        let last = self.repository.rfcs.keys().map(|id| id.0).max().unwrap_or(0);
        RfcId(last.saturating_add(1))
    }

    /// The site document when there is none.
    pub fn site(&self) -> Option<(String, String)> {
        (!self.files.contains_key(SITE_FILE)).then(|| (SITE_FILE.to_owned(), SITE.to_owned()))
    }

    /// All files of the repository as it would be with these.
    pub fn with(&self, files: &Files) -> BTreeMap<String, Vec<u8>> {
        let mut all = self.files.clone();
        all.extend(files.iter().map(|(path, text)| (path.clone(), text.clone().into_bytes())));
        all
    }

    /// The repository as it would be with these files.
    pub fn prover(&self, files: &Files) -> Prover {
        Prover::new(&self.with(files))
    }

    /// Writes these files, in place of the stale ones.
    pub fn write(&self, files: &Files) -> Result<(), CliError> {
        let texts = files.iter().map(|(path, text)| (path.as_str(), text.as_str()));
        files::replace(&self.dir, &self.stale, texts)
    }
}
