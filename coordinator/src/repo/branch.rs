//! A branch with one commit in somebody's own copy of the repository, without touching the files in the folder.
//!
//! Owns: the commit and the branch. Must not: check out, run hooks, push, or know what the files say. Called by the
//! import verb, which proposes one branch per group; who opens a pull request from it takes the branch's name.

use super::ident::CommitId;
use git2::build::TreeUpdateBuilder;
use git2::{ErrorCode, FileMode, Repository, StatusOptions};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use thiserror::Error;

/// Why there is no branch.
#[derive(Debug, Error)]
pub enum BranchError {
    /// Not a Git working copy.
    #[error("{} is not the top folder of a Git working copy: {reason}; run `git init` there, or name its top folder", dir.display())]
    NoRepository {
        /// The folder.
        dir: PathBuf,
        /// Why not.
        reason: String,
    },
    /// Nothing to start the branch from.
    #[error("the repository has no commit yet: commit something first, `pointsman.yaml` for example")]
    NoCommit,
    /// Files that are not committed.
    #[error(
        "`{path}` is not committed: commit or remove it, so that the branches start from what was checked"
    )]
    NotClean {
        /// One of the files.
        path: String,
    },
    /// Nobody to name as author.
    #[error("Git does not know who you are: set `user.name` and `user.email` with `git config`")]
    NoAuthor,
    /// The branch is there.
    #[error("branch `{0}` is already there: delete it, or choose another group name")]
    Exists(String),
    /// Anything else Git says.
    #[error("Git failed: {0}")]
    Git(#[from] git2::Error),
}

/// A working copy.
pub struct WorkingCopy(Repository);

impl WorkingCopy {
    /// Opens the working copy whose top folder is `dir`.
    pub fn open(dir: &Path) -> Result<Self, BranchError> {
        let none =
            |reason: &str| BranchError::NoRepository { dir: dir.to_owned(), reason: reason.to_owned() };
        let repository = Repository::open(dir).map_err(|error| none(error.message()))?;
        match repository.workdir() {
            Some(_) => Ok(Self(repository)),
            None => Err(none("it is a bare repository")),
        }
    }

    /// Refuses when something in the folder is not as in the last commit.
    pub fn check_clean(&self) -> Result<(), BranchError> {
        let mut options = StatusOptions::new();
        options.include_untracked(true).include_ignored(false);
        let statuses = self.0.statuses(Some(&mut options))?;
        match statuses.iter().next() {
            None => Ok(()),
            Some(entry) => {
                Err(BranchError::NotClean { path: String::from_utf8_lossy(entry.path_bytes()).into_owned() })
            }
        }
    }

    /// Who commits here.
    pub fn author(&self) -> Result<String, BranchError> {
        let signature = self.0.signature().map_err(|_| BranchError::NoAuthor)?;
        Ok(signature.name().unwrap_or_default().to_owned())
    }

    /// Refuses when branch `name` is there.
    pub fn check_free(&self, name: &str) -> Result<(), BranchError> {
        match self.0.find_reference(&format!("refs/heads/{name}")) {
            Ok(_) => Err(BranchError::Exists(name.to_owned())),
            Err(error) if error.code() == ErrorCode::NotFound => Ok(()),
            Err(error) => Err(error.into()),
        }
    }

    /// Makes branch `name`: the last commit plus one that writes `files`.
    pub fn commit_on_new_branch(
        &self,
        name: &str,
        message: &str,
        files: &BTreeMap<String, String>,
    ) -> Result<CommitId, BranchError> {
        let signature = self.0.signature().map_err(|_| BranchError::NoAuthor)?;
        let base = self.head()?;
        self.check_free(name)?;
        let mut update = TreeUpdateBuilder::new();
        for (path, text) in files {
            update.upsert(path.as_str(), self.0.blob(text.as_bytes())?, FileMode::Blob);
        }
        let tree = update.create_updated(&self.0, &base.tree()?)?;
        let tree = self.0.find_tree(tree)?;
        let made = self.0.commit(None, &signature, &signature, message, &tree, &[&base])?;
        let log = format!("branch: created for {name}");
        match self.0.reference(&format!("refs/heads/{name}"), made, false, &log) {
            Ok(_) => Ok(CommitId::new(made)),
            Err(error) if error.code() == ErrorCode::Exists => Err(BranchError::Exists(name.to_owned())),
            Err(error) => Err(error.into()),
        }
    }

    fn head(&self) -> Result<git2::Commit<'_>, BranchError> {
        match self.0.head() {
            Ok(head) => Ok(head.peel_to_commit()?),
            Err(error) if matches!(error.code(), ErrorCode::UnbornBranch | ErrorCode::NotFound) => {
                Err(BranchError::NoCommit)
            }
            Err(error) => Err(error.into()),
        }
    }
}
