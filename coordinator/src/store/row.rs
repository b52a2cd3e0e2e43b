//! Between columns and the types of `model`: one small helper for every kind of column.
//!
//! Owns: checked conversions both ways. Must not know a table. Called by the aggregates; no value is trusted on the way back.

use super::StoreError;
use model::Wall;
use serde::Serialize;
use serde::de::value::{Error as WordError, StrDeserializer};
use serde::de::{Deserialize, DeserializeOwned, IntoDeserializer};
use std::fmt::Display;

/// Rows of one multi-row statement (measured: more gains little on either engine).
pub const CHUNK_ROWS: usize = 200;

/// A time as a column.
pub fn ms(wall: Wall) -> i64 {
    whole(wall.0)
}

/// A number as a column; what does not fit is kept at the largest value.
pub fn whole(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

/// A page size as a parameter.
pub fn rows(limit: u32) -> i64 {
    i64::from(limit)
}

/// Words that came from outside as a column: PostgreSQL stores no NUL character, so none is stored anywhere.
pub fn plain(text: &str) -> String {
    text.replace('\0', "\u{fffd}")
}

/// A value as a JSON column.
pub fn json<T: Serialize + ?Sized>(what: &'static str, value: &T) -> Result<String, StoreError> {
    serde_json::to_string(value).map_err(|e| StoreError::Unfit { what, detail: e.to_string() })
}

/// A unit variant as a column, in the word its documents use.
pub fn word<T: Serialize>(what: &'static str, value: &T) -> Result<String, StoreError> {
    match serde_json::to_value(value) {
        Ok(serde_json::Value::String(text)) => Ok(text),
        Ok(other) => Err(StoreError::Unfit { what, detail: format!("`{other}` is not a word") }),
        Err(error) => Err(StoreError::Unfit { what, detail: error.to_string() }),
    }
}

/// Which row is being read, for messages.
#[derive(Clone, Copy)]
pub struct At<'a> {
    /// Table.
    pub table: &'static str,
    /// Key.
    pub id: &'a str,
}

impl At<'_> {
    /// The error for a column of this row.
    pub fn wrong(self, column: &str, detail: impl Display) -> StoreError {
        StoreError::Inconsistent {
            table: self.table,
            column: column.to_owned(),
            id: self.id.to_owned(),
            detail: detail.to_string(),
        }
    }

    /// A number of any width.
    pub fn number<T: TryFrom<i64, Error: Display>>(self, column: &str, value: i64) -> Result<T, StoreError> {
        T::try_from(value).map_err(|e| self.wrong(column, format_args!("{value}: {e}")))
    }

    /// A time.
    pub fn wall(self, column: &str, value: i64) -> Result<Wall, StoreError> {
        self.number(column, value).map(Wall)
    }

    /// A time that may be missing.
    pub fn wall_opt(self, column: &str, value: Option<i64>) -> Result<Option<Wall>, StoreError> {
        value.map(|v| self.wall(column, v)).transpose()
    }

    /// An identifier or another checked text.
    pub fn text<T: TryFrom<String, Error: Display>>(
        self,
        column: &str,
        value: String,
    ) -> Result<T, StoreError> {
        T::try_from(value).map_err(|e| self.wrong(column, e))
    }

    /// A checked text that may be missing.
    pub fn text_opt<T: TryFrom<String, Error: Display>>(
        self,
        column: &str,
        value: Option<String>,
    ) -> Result<Option<T>, StoreError> {
        value.map(|v| self.text(column, v)).transpose()
    }

    /// A JSON column.
    pub fn json<T: DeserializeOwned>(self, column: &str, text: &str) -> Result<T, StoreError> {
        serde_json::from_str(text).map_err(|e| self.wrong(column, e))
    }

    /// A unit variant by its word.
    pub fn word<T: for<'de> Deserialize<'de>>(self, column: &str, text: &str) -> Result<T, StoreError> {
        let source: StrDeserializer<'_, WordError> = text.into_deserializer();
        T::deserialize(source).map_err(|e| self.wrong(column, e))
    }
}
