//! The common form of every output: values and records, with forgiving readers.
//!
//! Owns: how a value of one format is read as a number, a truth value or a list, whichever
//! format it came from. Must not know commands.

use std::collections::BTreeMap;

/// One value of an output.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Value {
    /// Text; in the csv and text formats every scalar is text.
    Str(String),
    /// A whole number.
    Int(i128),
    /// A truth value.
    Bool(bool),
    /// Values in the printed order.
    List(Vec<Value>),
    /// A structure.
    Record(Record),
}

/// One structure of an output: fields by machine name, in ASCII order.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Record {
    heading: Option<String>,
    fields: BTreeMap<String, Value>,
}

impl Record {
    /// A record without fields; `heading` is its name line (text) or type name (xml, keyvalue).
    pub(crate) fn with_heading(heading: Option<String>) -> Self {
        Self { heading, fields: BTreeMap::new() }
    }

    /// The name line above the record (text) or its type name (xml, keyvalue).
    #[must_use]
    pub fn heading(&self) -> Option<&str> {
        self.heading.as_deref()
    }

    pub(crate) fn set_heading(&mut self, heading: Option<String>) {
        self.heading = heading;
    }

    /// The field of this machine name; letter case decides only between two candidates.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&Value> {
        self.fields
            .get(name)
            .or_else(|| self.fields.iter().find(|(key, _)| key.eq_ignore_ascii_case(name)).map(|(_, v)| v))
    }

    /// All fields in ASCII order of their machine names.
    pub fn fields(&self) -> impl Iterator<Item = (&str, &Value)> {
        self.fields.iter().map(|(name, value)| (name.as_str(), value))
    }

    /// Whether there is no field at all.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.fields.is_empty()
    }

    pub(crate) fn contains(&self, name: &str) -> bool {
        self.fields.contains_key(name)
    }

    /// The text of a field, for appending.
    pub(crate) fn text_mut(&mut self, name: &str) -> Option<&mut String> {
        match self.fields.get_mut(name) {
            Some(Value::Str(text)) => Some(text),
            _ => None,
        }
    }

    /// Adds a field; a second field of the same name does not replace the first.
    pub(crate) fn insert(&mut self, name: String, value: Value) {
        self.fields.entry(name).or_insert(value);
    }
}

impl FromIterator<(String, Value)> for Record {
    fn from_iter<I: IntoIterator<Item = (String, Value)>>(iter: I) -> Self {
        let mut record = Self::default();
        for (name, value) in iter {
            record.insert(name, value);
        }
        record
    }
}

impl Value {
    /// The value as trimmed text; `None` for lists and records.
    #[must_use]
    pub fn to_text(&self) -> Option<String> {
        match self {
            Self::Str(text) => Some(text.trim().to_owned()),
            Self::Int(number) => Some(number.to_string()),
            Self::Bool(flag) => Some(flag.to_string()),
            Self::List(_) | Self::Record(_) => None,
        }
    }

    /// The value as a whole number: also `0x270f`, and `100 Kbps` of the text view.
    #[must_use]
    pub fn to_int(&self) -> Option<i128> {
        match self {
            Self::Int(number) => Some(*number),
            Self::Str(text) => {
                let first = text.split_whitespace().next()?;
                match first.strip_prefix("0x").or_else(|| first.strip_prefix("0X")) {
                    Some(hex) if hex.bytes().all(|b| b.is_ascii_hexdigit()) => {
                        i128::from_str_radix(hex, 16).ok()
                    }
                    Some(_) => None,
                    None => first.parse().ok(),
                }
            }
            _ => None,
        }
    }

    /// The value as a truth value, in any letter case.
    #[must_use]
    pub fn to_bool(&self) -> Option<bool> {
        match self {
            Self::Bool(flag) => Some(*flag),
            Self::Str(text) => match text.trim().to_ascii_lowercase().as_str() {
                "true" => Some(true),
                "false" => Some(false),
                _ => None,
            },
            _ => None,
        }
    }

    /// The value as a list of texts: `a, b` (text), `a,b,` (csv), a list, or nothing.
    ///
    /// In the text and csv formats an element with a comma cannot be told from two elements.
    #[must_use]
    pub fn to_list(&self) -> Option<Vec<String>> {
        match self {
            Self::List(items) => items.iter().map(Self::to_text).collect(),
            Self::Str(text) => {
                let elements = text.split(',').map(str::trim).filter(|e| !e.is_empty());
                Some(elements.map(str::to_owned).collect())
            }
            Self::Int(_) | Self::Bool(_) => self.to_text().map(|text| vec![text]),
            Self::Record(_) => None,
        }
    }

    /// The value as structures: a list of them, a single one, or nothing (empty text).
    #[must_use]
    pub fn to_records(&self) -> Option<Vec<&Record>> {
        match self {
            Self::Record(record) => Some(vec![record]),
            Self::List(items) => items
                .iter()
                .map(|item| match item {
                    Self::Record(record) => Some(record),
                    _ => None,
                })
                .collect(),
            Self::Str(text) if text.trim().is_empty() => Some(Vec::new()),
            _ => None,
        }
    }
}
