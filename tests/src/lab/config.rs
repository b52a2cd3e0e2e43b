//! The configuration repository of a lab: a bare origin and a work tree, changed as an engineer would.

use super::programs::printed;
use super::text;
use anyhow::{Context, ensure};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

/// Origin and work tree.
#[derive(Debug, Clone)]
pub struct ConfigRepository {
    origin: PathBuf,
    work: PathBuf,
}

impl ConfigRepository {
    pub(super) fn create(root: &Path) -> anyhow::Result<Self> {
        let this = Self { origin: root.join("config.git"), work: root.join("config") };
        fs::create_dir_all(&this.work).context("the work tree cannot be made")?;
        git(root, &["init", "--quiet", "--bare", "--initial-branch=main", text(&this.origin)?])?;
        git(&this.work, &["init", "--quiet", "--initial-branch=main"])?;
        git(&this.work, &["remote", "add", "origin", text(&this.origin)?])?;
        git(&this.work, &["config", "user.name", "Ana Engineer"])?;
        git(&this.work, &["config", "user.email", "ana@example.com"])?;
        git(&this.work, &["config", "commit.gpgsign", "false"])?;
        fs::write(this.work.join("pointsman.yaml"), "schema: 1\n")
            .context("pointsman.yaml cannot be written")?;
        Ok(this)
    }

    /// The bare repository the coordinator follows.
    #[must_use]
    pub fn origin(&self) -> &Path {
        &self.origin
    }

    /// The engineer's work tree.
    #[must_use]
    pub fn work(&self) -> &Path {
        &self.work
    }

    /// Writes a file of the work tree.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn write(&self, path: &str, content: &str) -> anyhow::Result<()> {
        let full = self.work.join(path);
        if let Some(folder) = full.parent() {
            fs::create_dir_all(folder).with_context(|| format!("{} cannot be made", folder.display()))?;
        }
        fs::write(&full, content).with_context(|| format!("{} cannot be written", full.display()))
    }

    /// Reads a file of the work tree.
    ///
    /// # Errors
    /// When it cannot be read.
    pub fn read(&self, path: &str) -> anyhow::Result<String> {
        let full = self.work.join(path);
        fs::read_to_string(&full).with_context(|| format!("{} cannot be read", full.display()))
    }

    /// Replaces a text in a file of the work tree, exactly once.
    ///
    /// # Errors
    /// When the text is not there.
    pub fn replace(&self, path: &str, from: &str, to: &str) -> anyhow::Result<()> {
        let content = self.read(path)?;
        ensure!(content.contains(from), "{path} does not hold {from:?}:\n{content}");
        self.write(path, &content.replacen(from, to, 1))
    }

    /// Rollouts of the group without soak, eight hosts at once: a lab does not wait.
    pub(super) fn set_rollout(&self, group: &str) -> anyhow::Result<()> {
        let path = format!("groups/{group}/group.yaml");
        let mut content = self.read(&path)?;
        ensure!(!content.contains("\nrollout:"), "{path} says already how to roll out");
        content.push_str("rollout:\n  canary: 1\n  waves: [5%, 25%]\n  max_parallel: 32\n  soak_secs: 0\n  confirm_timeout_secs: 30\n");
        self.write(&path, &content)
    }

    /// Commits everything on `main` and pushes; gives the commit.
    ///
    /// # Errors
    /// When git refuses.
    pub fn commit(&self, message: &str) -> anyhow::Result<String> {
        git(&self.work, &["add", "--all"])?;
        git(&self.work, &["commit", "--quiet", "--message", message])?;
        self.push()
    }

    /// Commits what is in the index only, for entries that no file system holds, and pushes; gives the commit.
    ///
    /// # Errors
    /// When git refuses.
    pub fn commit_index(&self, message: &str) -> anyhow::Result<String> {
        git(&self.work, &["commit", "--quiet", "--message", message])?;
        self.push()
    }

    /// Commits everything on a branch, merges it into `main` as a forge would, and pushes; gives the merge commit.
    ///
    /// # Errors
    /// When git refuses.
    pub fn merge(&self, branch: &str, message: &str) -> anyhow::Result<String> {
        git(&self.work, &["checkout", "--quiet", "-b", branch])?;
        git(&self.work, &["add", "--all"])?;
        git(&self.work, &["commit", "--quiet", "--message", message])?;
        git(&self.work, &["checkout", "--quiet", "main"])?;
        let merge = format!("Merge {branch}: {message}");
        git(&self.work, &["merge", "--quiet", "--no-ff", "--message", &merge, branch])?;
        self.push()
    }

    fn push(&self) -> anyhow::Result<String> {
        git(&self.work, &["push", "--quiet", "origin", "main"])?;
        Ok(git(&self.work, &["rev-parse", "HEAD"])?.trim().to_owned())
    }

    /// Runs git in the work tree.
    ///
    /// # Errors
    /// When git refuses.
    pub fn git(&self, arguments: &[&str]) -> anyhow::Result<String> {
        git(&self.work, arguments)
    }
}

fn git(folder: &Path, arguments: &[&str]) -> anyhow::Result<String> {
    let output =
        Command::new("git").arg("-C").arg(folder).args(arguments).output().context("git cannot be run")?;
    printed(Path::new("git"), arguments, &output)
}
