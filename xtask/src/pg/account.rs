//! Under which account PostgreSQL runs: it refuses root, so root lends it an unprivileged one.
//!
//! Owns that choice only. Called by the parent module for `initdb` and the server.

use std::os::unix::fs::chown;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, bail};

use crate::process::{find_program, output_of};

/// Accounts root may lend to the server, best first.
const CANDIDATES: [&str; 2] = ["postgres", "nobody"];

/// The account of the server's processes.
pub enum Account {
    /// Ours.
    Own,
    /// Another one, entered by `setpriv`.
    Lent { uid: u32, gid: u32, setpriv: PathBuf },
}

impl Account {
    /// Ours, or a lent one when we are root.
    pub fn for_server() -> anyhow::Result<Self> {
        if !is_root()? {
            return Ok(Account::Own);
        }
        let Some(setpriv) = find_program("setpriv") else {
            bail!(
                "PostgreSQL refuses to run as root and `setpriv` (util-linux) is missing: run as an ordinary user"
            )
        };
        for name in CANDIDATES {
            if let (Ok(uid), Ok(gid)) = (id(&["-u", name]), id(&["-g", name])) {
                return Ok(Account::Lent { uid, gid, setpriv });
            }
        }
        bail!("PostgreSQL refuses to run as root and there is no account {}", CANDIDATES.join(" or "))
    }

    /// Hands a directory over to the account.
    pub fn give(&self, dir: &Path) -> anyhow::Result<()> {
        match self {
            Account::Own => Ok(()),
            Account::Lent { uid, gid, .. } => chown(dir, Some(*uid), Some(*gid))
                .with_context(|| format!("cannot hand {} to user id {uid}", dir.display())),
        }
    }

    /// A command that runs `program` as the account.
    pub fn command(&self, program: &Path, dir: &Path) -> Command {
        let mut command = match self {
            Account::Own => Command::new(program),
            Account::Lent { uid, gid, setpriv } => {
                let mut command = Command::new(setpriv);
                command.arg(format!("--reuid={uid}")).arg(format!("--regid={gid}"));
                command.arg("--clear-groups").arg(program);
                command
            }
        };
        command.current_dir(dir);
        command
    }
}

/// Whether we are root.
pub fn is_root() -> anyhow::Result<bool> {
    Ok(id(&["-u"])? == 0)
}

fn id(args: &[&str]) -> anyhow::Result<u32> {
    let said = output_of(Command::new("id").args(args))?;
    said.trim().parse().with_context(|| format!("`id {}` said {said:?}, not a number", args.join(" ")))
}
