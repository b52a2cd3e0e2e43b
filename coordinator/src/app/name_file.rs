//! The name of this coordinator among several: made at the first start, the same ever after.
//!
//! Must not: be a secret. It stands in the lease, so that a coordinator that starts again takes back what it held.

use super::ServeError;
use crate::settings::Settings;
use std::fs;
use std::io::ErrorKind;

/// File in the state folder.
const FILE: &str = "coordinator.id";
/// Longest name that is accepted, in characters.
const NAME_CHARS_MAX: usize = 300;

/// Reads the name, or makes it of the first server name and something random.
pub(super) fn read_or_make(settings: &Settings) -> Result<String, ServeError> {
    let path = settings.state_dir.join(FILE);
    let failed = |detail: String| ServeError::Name { path: path.clone(), detail };
    let known = match fs::read_to_string(&path) {
        Ok(text) => text.trim().to_owned(),
        Err(error) if error.kind() == ErrorKind::NotFound => String::new(),
        Err(error) => return Err(failed(error.to_string())),
    };
    if known.chars().count() > NAME_CHARS_MAX || known.chars().any(char::is_control) {
        return Err(failed("it holds no name: remove it, and a new one is made".to_owned()));
    }
    // Empty: the first start was cut short.
    if !known.is_empty() {
        return Ok(known);
    }
    let server = settings.server_names.first().map_or("coordinator", String::as_str);
    let name = format!("{server}#{}", uuid::Uuid::now_v7().simple());
    fs::write(&path, format!("{name}\n")).map_err(|error| failed(error.to_string()))?;
    Ok(name)
}
