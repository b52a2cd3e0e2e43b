//! The output formats of esxcli. Each takes a finished `Document` and gives text; none knows a command.

mod csv;
mod json;
mod keyvalue;
mod text;
mod xml;

use super::value::Document;

/// A formatter this program has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    /// For people.
    Text,
    /// Official, typed.
    Xml,
    /// Official, one line per record.
    Csv,
    /// Official, one line per value.
    KeyValue,
    /// Internal, needs `--debug` on most hosts.
    Json,
}

/// How wide the rule under the last column of a table is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LastRule {
    /// As wide as the widest cell (up to 6.7).
    Content,
    /// As wide as the header (7.0 and later).
    Header,
}

/// Settings of one call.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Style {
    /// Which format.
    pub format: Format,
    /// Width of the last rule in tables.
    pub last_rule: LastRule,
    /// `--format-param=fields=...`: machine names to print, in this order (csv).
    pub fields: Vec<String>,
}

/// The document in the wanted format.
pub fn render(document: &Document, style: &Style) -> String {
    if *document == Document::Silent {
        return String::new();
    }
    match style.format {
        Format::Text => text::render(document, style.last_rule),
        Format::Xml => xml::render(document),
        Format::Csv => csv::render(document, &style.fields),
        Format::KeyValue => keyvalue::render(document),
        Format::Json => json::render(document),
    }
}

#[cfg(test)]
mod tests;
