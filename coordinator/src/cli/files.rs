//! New files of a repository: all of them, or none when one is already there.
//!
//! Must not: overwrite, unless it is asked to replace. Called by `init`, `rfc new` and `import`.

use super::failure::CliError;
use std::fs::{self, OpenOptions};
use std::io::{ErrorKind, Write};
use std::path::Path;

/// Writes new files below `dir`, making folders as needed.
pub fn write_new<'a>(
    dir: &Path,
    files: impl Iterator<Item = (&'a str, &'a str)> + Clone,
) -> Result<(), CliError> {
    for (name, _) in files.clone() {
        let path = dir.join(name);
        if path.symlink_metadata().is_ok() {
            let message = format!("{} is already there: nothing was written", path.display());
            return Err(CliError::Failed(message));
        }
    }
    for (name, text) in files {
        let path = dir.join(name);
        if let Some(folder) = path.parent() {
            fs::create_dir_all(folder).map_err(CliError::file("make", folder))?;
        }
        let mut file = OpenOptions::new().write(true).create_new(true).open(&path).map_err(|source| {
            match source.kind() {
                ErrorKind::AlreadyExists => {
                    CliError::Failed(format!("{} is already there: it stays as it is", path.display()))
                }
                _ => CliError::File { action: "write", path: path.clone(), source },
            }
        })?;
        file.write_all(text.as_bytes()).map_err(CliError::file("write", &path))?;
    }
    Ok(())
}

/// Writes files below `dir` in place of the `stale` ones, which are removed when they are not written anew.
pub fn replace<'a>(
    dir: &Path,
    stale: &[String],
    files: impl Iterator<Item = (&'a str, &'a str)> + Clone,
) -> Result<(), CliError> {
    for name in stale {
        let path = dir.join(name);
        match fs::remove_file(&path) {
            Err(error) if error.kind() != ErrorKind::NotFound => {
                return Err(CliError::file("remove", path)(error));
            }
            _ => {}
        }
    }
    write_new(dir, files)
}
