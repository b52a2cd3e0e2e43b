//! Typed reading of records: required and optional fields, with errors that name the field.
//!
//! Owns: [`Fields`], the view through which every typed record reads its fields, and
//! [`RecordError`]. Unknown fields are ignored, `N/A` counts as no value, texts are trimmed.
//! Called by the family files (`vswitch`, `nic`, ...).

use crate::output::{Record, Value};

/// Why a record is not what its command documents.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RecordError {
    /// A field every release prints is not there.
    #[error("output of `esxcli {command}` lacks the field {field}: record the output and report it")]
    MissingField {
        /// The command, without `esxcli`.
        command: String,
        /// Machine name of the field.
        field: String,
    },
    /// A field does not hold what it should.
    #[error("output of `esxcli {command}`: field {field} is {value}, expected {expected}")]
    BadField {
        /// The command, without `esxcli`.
        command: String,
        /// Machine name of the field.
        field: String,
        /// What it holds.
        value: String,
        /// What was expected.
        expected: &'static str,
    },
    /// Plain values where records were expected.
    #[error("output of `esxcli {command}` holds plain values, expected records with fields")]
    NotRecords {
        /// The command, without `esxcli`.
        command: String,
    },
    /// Records or a list where one plain value was expected.
    #[error("output of `esxcli {command}` holds records or a list, expected one plain value")]
    NotScalar {
        /// The command, without `esxcli`.
        command: String,
    },
    /// A get command gave none or several records.
    #[error("output of `esxcli {command}` holds {count} records, expected 1")]
    NotOne {
        /// The command, without `esxcli`.
        command: String,
        /// How many there are.
        count: usize,
    },
}

/// A record of a known command.
#[derive(Debug, Clone, Copy)]
pub struct Fields<'a> {
    command: &'a str,
    record: &'a Record,
}

/// A typed record.
pub trait FromRecord: Sized {
    /// Reads the record; unknown fields are ignored.
    fn from_record(fields: Fields<'_>) -> Result<Self, RecordError>;
}

/// Reads every record of the output of `command`.
pub fn read_list<T: FromRecord>(command: &str, value: &Value) -> Result<Vec<T>, RecordError> {
    let records =
        value.to_records().ok_or_else(|| RecordError::NotRecords { command: command.to_owned() })?;
    records.into_iter().map(|record| T::from_record(Fields { command, record })).collect()
}

/// Reads the single record a get command prints.
pub fn read_one<T: FromRecord>(command: &str, value: &Value) -> Result<T, RecordError> {
    let mut records = read_list(command, value)?;
    match (records.len(), records.pop()) {
        (1, Some(only)) => Ok(only),
        (count, _) => Err(RecordError::NotOne { command: command.to_owned(), count }),
    }
}

/// Reads the bare value of a command that prints one, trimmed.
pub fn read_scalar(command: &str, value: &Value) -> Result<String, RecordError> {
    value.to_text().ok_or_else(|| RecordError::NotScalar { command: command.to_owned() })
}

impl<'a> Fields<'a> {
    /// The fields of `record`, an output of `command`.
    #[must_use]
    pub fn new(command: &'a str, record: &'a Record) -> Self {
        Self { command, record }
    }

    /// The name line above the record (text) or its type name (xml).
    #[must_use]
    pub fn heading(&self) -> Option<&'a str> {
        self.record.heading()
    }

    /// The fields of a nested structure.
    pub fn nested(&self, field: &str) -> Vec<Fields<'a>> {
        let records = self.record.get(field).and_then(Value::to_records).unwrap_or_default();
        records.into_iter().map(|record| Fields { command: self.command, record }).collect()
    }

    /// An error about `field`.
    #[must_use]
    pub fn bad(&self, field: &str, expected: &'static str) -> RecordError {
        let value = self.record.get(field).map_or_else(String::new, |v| match v.to_text() {
            Some(text) => format!("`{text}`"),
            None => "a list or structure".to_owned(),
        });
        RecordError::BadField { command: self.command.to_owned(), field: field.to_owned(), value, expected }
    }

    /// An error that `field` is not there.
    #[must_use]
    pub fn missing(&self, field: &str) -> RecordError {
        RecordError::MissingField { command: self.command.to_owned(), field: field.to_owned() }
    }

    fn convert<T>(
        &self,
        field: &str,
        expected: &'static str,
        read: impl FnOnce(&Value) -> Option<T>,
    ) -> Result<T, RecordError> {
        let value = self.record.get(field).ok_or_else(|| self.missing(field))?;
        read(value).ok_or_else(|| self.bad(field, expected))
    }

    /// A required text; may be empty.
    pub fn text(&self, field: &str) -> Result<String, RecordError> {
        self.convert(field, "a text", Value::to_text)
    }

    /// A text that some releases lack; absent, empty and `N/A` are `None`.
    pub fn text_opt(&self, field: &str) -> Result<Option<String>, RecordError> {
        match self.record.get(field) {
            None => Ok(None),
            Some(_) => Ok(Some(self.text(field)?).filter(|t| !t.is_empty() && t != "N/A")),
        }
    }

    /// A required whole number in the range of `T`.
    pub fn int<T: TryFrom<i128>>(&self, field: &str) -> Result<T, RecordError> {
        let number = self.convert(field, "a whole number", Value::to_int)?;
        T::try_from(number).map_err(|_| self.bad(field, "a number in its range"))
    }

    /// A whole number that some releases lack; absent, empty and `N/A` are `None`.
    pub fn int_opt<T: TryFrom<i128>>(&self, field: &str) -> Result<Option<T>, RecordError> {
        match self.text_opt(field)? {
            None => Ok(None),
            Some(_) => self.int(field).map(Some),
        }
    }

    /// A required truth value.
    pub fn flag(&self, field: &str) -> Result<bool, RecordError> {
        self.convert(field, "true or false", Value::to_bool)
    }

    /// A truth value that some releases lack; absent, empty and `N/A` are `None`.
    pub fn flag_opt(&self, field: &str) -> Result<Option<bool>, RecordError> {
        match self.text_opt(field)? {
            None => Ok(None),
            Some(_) => self.flag(field).map(Some),
        }
    }

    /// A list of texts; an absent field is an empty list (xml may leave empty lists out).
    pub fn list(&self, field: &str) -> Result<Vec<String>, RecordError> {
        match self.record.get(field) {
            None => Ok(Vec::new()),
            Some(_) => self.convert(field, "a list of texts", Value::to_list),
        }
    }

    /// Whether any of these fields is there: the record is of the expected kind.
    pub fn require_any(&self, fields: &[&str]) -> Result<(), RecordError> {
        if fields.iter().any(|field| self.record.get(field).is_some()) {
            return Ok(());
        }
        Err(self.missing(fields.first().copied().unwrap_or_default()))
    }
}
