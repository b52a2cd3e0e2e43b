//! Pages of long lists: how many, from where. A cursor is opaque to callers and checked on the way back.

use super::error::ApiError;
use serde::Deserialize;
use std::fmt::Write;

/// Items of a page when nothing is said.
const LIMIT_DEFAULT: u32 = 100;
/// Most items of a page.
const LIMIT_MAX: u32 = 500;
/// What every cursor starts with.
const MARK: &str = "p1-";

/// The query of a list.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PageQuery {
    cursor: Option<String>,
    limit: Option<u32>,
}

impl PageQuery {
    /// How many items.
    pub fn limit(&self) -> Result<u32, ApiError> {
        match self.limit.unwrap_or(LIMIT_DEFAULT) {
            limit if (1..=LIMIT_MAX).contains(&limit) => Ok(limit),
            other => Err(ApiError::bad_request(format!("`limit` is {other}: use 1 to {LIMIT_MAX}"))),
        }
    }

    /// The key the page starts after.
    pub fn after<T: TryFrom<String>>(&self) -> Result<Option<T>, ApiError> {
        let Some(cursor) = &self.cursor else { return Ok(None) };
        let key = decode(cursor).ok_or_else(ApiError::bad_cursor)?;
        T::try_from(key).map(Some).map_err(|_| ApiError::bad_cursor())
    }
}

/// The cursor of a key.
pub fn cursor(key: &str) -> String {
    key.bytes().fold(MARK.to_owned(), |mut out, byte| {
        // Writing to a String cannot fail.
        let _ = write!(out, "{byte:02x}");
        out
    })
}

fn decode(cursor: &str) -> Option<String> {
    let digits = cursor.strip_prefix(MARK)?;
    if !digits.len().is_multiple_of(2) || !digits.is_ascii() {
        return None;
    }
    let byte = |at: usize| u8::from_str_radix(digits.get(at..at + 2)?, 16).ok();
    let bytes: Option<Vec<u8>> = (0..digits.len()).step_by(2).map(byte).collect();
    String::from_utf8(bytes?).ok()
}
