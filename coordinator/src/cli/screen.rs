//! Where verbs write: text or JSON, tables. Must not: know a verb. Called by every verb.

use super::failure::CliError;
use comfy_table::Table;
use comfy_table::presets::NOTHING;
use serde::Serialize;
use std::io::Write;

/// For whom.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Form {
    /// People.
    Text,
    /// Programs.
    Json,
}

/// What the output is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Surface {
    /// A terminal: progress bars are possible.
    Terminal,
    /// A file or a pipe.
    Plain,
}

/// The outputs of a verb.
pub struct Screen<'a> {
    /// Results.
    pub out: &'a mut dyn Write,
    /// Remarks and errors.
    pub err: &'a mut dyn Write,
    /// For whom.
    pub form: Form,
    /// What `out` is.
    pub surface: Surface,
}

impl Screen<'_> {
    /// Writes a value as JSON and a line end.
    pub fn json<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), CliError> {
        serde_json::to_writer_pretty(&mut *self.out, value)?;
        self.out.write_all(b"\n")?;
        Ok(())
    }

    /// Writes one line.
    pub fn line(&mut self, text: impl std::fmt::Display) -> Result<(), CliError> {
        Ok(writeln!(self.out, "{text}")?)
    }

    /// Writes one line of a remark, beside the results.
    pub fn remark(&mut self, text: impl std::fmt::Display) -> Result<(), CliError> {
        Ok(writeln!(self.err, "{text}")?)
    }

    /// Writes a table, or a sentence when it has no rows.
    pub fn table(
        &mut self,
        headers: &[&str],
        rows: impl IntoIterator<Item = Vec<String>>,
        empty: &str,
    ) -> Result<(), CliError> {
        let mut rows = rows.into_iter().peekable();
        if rows.peek().is_none() {
            return self.line(empty);
        }
        let mut table = Table::new();
        table.load_style(NOTHING).set_header(headers.iter().map(|header| header.to_uppercase()));
        for row in rows {
            table.add_row(row.into_iter().map(|cell| printable(&cell)));
        }
        for line in table.lines() {
            writeln!(self.out, "{}", line.trim())?;
        }
        Ok(())
    }
}

/// Text that may come from hosts or documents, without control characters.
pub fn printable(text: &str) -> String {
    text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect()
}

/// A value that may be missing.
pub fn or_dash<T: std::fmt::Display>(value: Option<T>) -> String {
    value.map_or_else(|| "-".to_owned(), |value| value.to_string())
}

/// A value of `model` in the word or form documents use.
pub fn word<T: Serialize>(value: &T) -> String {
    match serde_json::to_value(value) {
        Ok(serde_json::Value::String(word)) => word,
        Ok(other) => other.to_string(),
        Err(error) => error.to_string(),
    }
}
