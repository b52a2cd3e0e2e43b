//! Results of commands before they are formatted: records with labelled, typed fields.
//!
//! Owns: the shape every formatter prints from. Must not: know any format. Built by `cli::commands`.

/// A typed value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Value {
    /// Text.
    Text(String),
    /// Whole number.
    Integer(i64),
    /// Whole number that text output shows with a unit.
    Quantity(i64, &'static str),
    /// True or false.
    Boolean(bool),
    /// List of texts.
    Texts(Vec<String>),
    /// Nested record.
    Nested(Record),
    /// List of nested records.
    NestedList(Vec<Record>),
}

/// A record with its type name and fields in the order text output shows them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Record {
    /// Type name in xml and keyvalue.
    pub type_name: &'static str,
    /// Label, value, and whether text output hides the field.
    pub fields: Vec<(&'static str, Value, Visibility)>,
}

/// Whether text output shows a field.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Visibility {
    /// In every format.
    Shown,
    /// Not in text.
    MachineOnly,
}

impl Record {
    /// An empty record.
    pub fn new(type_name: &'static str) -> Self {
        Self { type_name, fields: Vec::new() }
    }

    fn push(mut self, label: &'static str, value: Value) -> Self {
        self.fields.push((label, value, Visibility::Shown));
        self
    }

    /// Adds a text field.
    pub fn text(self, label: &'static str, value: impl Into<String>) -> Self {
        self.push(label, Value::Text(value.into()))
    }

    /// Adds a field that only machine formats show.
    pub fn hidden(mut self, label: &'static str, value: impl Into<String>) -> Self {
        self.fields.push((label, Value::Text(value.into()), Visibility::MachineOnly));
        self
    }

    /// Adds a number.
    pub fn int(self, label: &'static str, value: impl Into<i64>) -> Self {
        self.push(label, Value::Integer(value.into()))
    }

    /// Adds a number with a unit in text.
    pub fn quantity(self, label: &'static str, value: i64, unit: &'static str) -> Self {
        self.push(label, Value::Quantity(value, unit))
    }

    /// Adds a boolean.
    pub fn boolean(self, label: &'static str, value: impl Into<bool>) -> Self {
        self.push(label, Value::Boolean(value.into()))
    }

    /// Adds a list of texts.
    pub fn texts(self, label: &'static str, values: Vec<String>) -> Self {
        self.push(label, Value::Texts(values))
    }

    /// Adds a nested record.
    pub fn nested(self, label: &'static str, record: Record) -> Self {
        self.push(label, Value::Nested(record))
    }

    /// Adds a list of nested records.
    pub fn nested_list(self, label: &'static str, records: Vec<Record>) -> Self {
        self.push(label, Value::NestedList(records))
    }

    /// Adds what `add` adds when the condition holds (fields of newer releases).
    pub fn when(self, condition: Condition, add: impl FnOnce(Self) -> Self) -> Self {
        if condition.0 { add(self) } else { self }
    }

    /// The fields in ASCII order of their machine name, as every machine format prints them.
    pub fn by_machine_name(&self) -> Vec<(String, &Value)> {
        let mut fields: Vec<_> =
            self.fields.iter().map(|(label, value, _)| (machine_name(label), value)).collect();
        fields.sort_by(|a, b| a.0.cmp(&b.0));
        fields
    }
}

/// Whether a field belongs to this host's release.
#[derive(Debug, Clone, Copy)]
pub struct Condition(pub bool);

/// The label without blanks and punctuation.
pub fn machine_name(label: &str) -> String {
    label.chars().filter(char::is_ascii_alphanumeric).collect()
}

/// How text output shows a list of records.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ListView {
    /// A table with one row per record.
    Table,
    /// Blocks headed by the value of this label.
    Headed(&'static str),
}

/// What a command answers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Document {
    /// Nothing: a change that worked.
    Silent,
    /// One bare value.
    Scalar(Value),
    /// One record, under a heading line in text when there is one.
    Single(Option<&'static str>, Record),
    /// A list of records.
    List(ListView, Vec<Record>),
}
