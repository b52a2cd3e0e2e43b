//! Sessions of whoever runs the command line: one per coordinator, in a file for its owner only.
//!
//! Must not: talk to a coordinator. Called by `login`, `logout` and the client.

use super::failure::CliError;
use crate::settings::sessions_file;
use model::Wall;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::fs::{self, DirBuilder, OpenOptions};
use std::io::{ErrorKind, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

/// A session at one coordinator.
#[derive(Clone, Serialize, Deserialize)]
pub struct KeptSession {
    /// Who signed in.
    pub user: String,
    /// The secret.
    pub token: String,
    /// Until when at most.
    pub expires: Wall,
}

impl std::fmt::Debug for KeptSession {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("KeptSession").field("user", &self.user).finish_non_exhaustive()
    }
}

/// The file.
pub struct Sessions {
    path: PathBuf,
    by_coordinator: BTreeMap<String, KeptSession>,
}

impl Sessions {
    /// Reads the file that is named, or the usual one; an account without a home has none.
    pub fn load(named: Option<&PathBuf>) -> Result<Option<Self>, CliError> {
        let Some(path) = named.cloned().or_else(sessions_file) else { return Ok(None) };
        let text = match fs::read_to_string(&path) {
            Ok(text) => text,
            Err(error) if error.kind() == ErrorKind::NotFound => {
                return Ok(Some(Self { path, by_coordinator: BTreeMap::new() }));
            }
            Err(source) => return Err(CliError::File { action: "read the sessions in", path, source }),
        };
        let mode =
            fs::metadata(&path).map_err(CliError::file("look at", &path))?.permissions().mode() & 0o777;
        if mode & 0o077 != 0 {
            let message = format!(
                "others may read {} (mode {mode:o}): run `pointsman logout`, then `chmod 600`",
                path.display()
            );
            return Err(CliError::Failed(message));
        }
        let by_coordinator = serde_json::from_str(&text).map_err(|error| {
            CliError::Failed(format!("{} is damaged, remove it: {error}", path.display()))
        })?;
        Ok(Some(Self { path, by_coordinator }))
    }

    /// The session at a coordinator, if it may still be good.
    pub fn of(&self, coordinator: &str, now: Wall) -> Option<&KeptSession> {
        self.by_coordinator.get(coordinator).filter(|session| now < session.expires)
    }

    /// Keeps a session, and forgets those that are over.
    pub fn keep(&mut self, coordinator: &str, session: KeptSession, now: Wall) -> Result<(), CliError> {
        self.by_coordinator.retain(|_, session| now < session.expires);
        self.by_coordinator.insert(coordinator.to_owned(), session);
        self.save()
    }

    /// Forgets a session.
    pub fn forget(&mut self, coordinator: &str) -> Result<(), CliError> {
        self.by_coordinator.remove(coordinator);
        self.save()
    }

    fn save(&self) -> Result<(), CliError> {
        let folder = self.path.parent().unwrap_or(Path::new("."));
        DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(folder)
            .map_err(CliError::file("make", folder))?;
        let mut temporary = self.path.as_os_str().to_owned();
        temporary.push(".new");
        let temporary = PathBuf::from(temporary);
        match fs::remove_file(&temporary) {
            Err(source) if source.kind() != ErrorKind::NotFound => {
                return Err(CliError::File { action: "remove", path: temporary, source });
            }
            _ => {}
        }
        let text = serde_json::to_string_pretty(&self.by_coordinator)?;
        let mut file = OpenOptions::new()
            .write(true)
            .create_new(true)
            .mode(0o600)
            .open(&temporary)
            .map_err(CliError::file("write", &temporary))?;
        file.write_all(text.as_bytes()).map_err(CliError::file("write", &temporary))?;
        fs::rename(&temporary, &self.path).map_err(CliError::file("write", &self.path))
    }
}
