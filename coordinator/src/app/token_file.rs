//! The operators' token: made at the first start, for the owner's eyes only.

use super::ServeError;
use crate::trust::crypto;
use model::Secret;
use std::fs::{self, OpenOptions};
use std::io::{ErrorKind, Write};
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::path::Path;

/// Random part of a token, in bytes.
const TOKEN_BYTES: usize = 32;
/// Shortest token that is accepted, in characters.
const TOKEN_CHARS_MIN: usize = 32;

/// Reads the token, or makes it.
pub(super) fn read_or_make(path: &Path) -> Result<Secret, ServeError> {
    let failed = |detail: String| ServeError::Token { path: path.to_owned(), detail };
    match fs::read_to_string(path) {
        Ok(text) => {
            let mode = fs::metadata(path).map_err(|e| failed(e.to_string()))?.permissions().mode() & 0o777;
            if mode & 0o077 != 0 {
                return Err(failed(format!("others may read it (mode {mode:o}): run `chmod 600` on it")));
            }
            let token = text.trim();
            if token.len() < TOKEN_CHARS_MIN || !token.bytes().all(|byte| byte.is_ascii_graphic()) {
                return Err(failed("it holds no token: remove it, and a new one is made".to_owned()));
            }
            Ok(Secret::new(token))
        }
        Err(error) if error.kind() == ErrorKind::NotFound => {
            let mut bytes = [0; TOKEN_BYTES];
            crypto()
                .secure_random
                .fill(&mut bytes)
                .map_err(|_| failed("the operating system gives no random bytes".to_owned()))?;
            let token: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
            write_new(path, &token).map_err(|error| failed(error.to_string()))?;
            Ok(Secret::new(token))
        }
        Err(error) => Err(failed(error.to_string())),
    }
}

fn write_new(path: &Path, token: &str) -> std::io::Result<()> {
    let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(path)?;
    file.write_all(format!("{token}\n").as_bytes())?;
    file.sync_all()
}
