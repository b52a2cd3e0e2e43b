//! Errors of reading a tree into a type: what, where, and which part can be dropped to read on.
//!
//! Owns: the words of serde made readable. Must not: read the tree. Called by `de`.

use super::near::suggest;
use super::rules;
use super::yaml::Place;
use serde::de::{Expected, Unexpected};
use std::fmt;

/// Which text a node comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Source {
    /// The document that is read.
    Document,
    /// The host document that fills it in.
    Host,
}

/// A node, named across both texts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct NodeKey {
    /// The text.
    pub source: Source,
    /// `Node::id` there.
    pub id: u32,
}

/// One thing that is wrong in a tree.
#[derive(Debug)]
pub struct ReadError(Box<Problem>);

/// What is wrong, as data.
#[derive(Debug)]
pub struct Problem {
    /// Rule id.
    pub rule: &'static str,
    /// What is wrong.
    pub message: String,
    /// What to do.
    pub hint: Option<String>,
    /// The key the problem names, when it names one.
    pub key: Option<String>,
    /// Where; unset until a node claims the error.
    pub place: Option<(Source, Place)>,
    /// Smallest part to drop to read on; `None` means nothing is left to drop.
    pub entry: Option<NodeKey>,
    /// Only a consequence of something dropped before: not worth telling.
    pub consequence: bool,
}

impl ReadError {
    /// A problem with a rule, without a place yet.
    #[must_use]
    pub fn new(rule: &'static str, message: impl Into<String>, hint: Option<String>) -> Self {
        let (key, place, entry, consequence) = (None, None, None, false);
        let message = message.into();
        Self(Box::new(Problem { rule, message, hint, key, place, entry, consequence }))
    }

    /// The problem as data.
    #[must_use]
    pub fn into_problem(self) -> Problem {
        *self.0
    }

    pub(super) fn problem(&mut self) -> &mut Problem {
        &mut self.0
    }

    fn about(mut self, key: &str) -> Self {
        self.0.key = Some(key.to_owned());
        self
    }
}

impl fmt::Display for ReadError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0.message)
    }
}

impl std::error::Error for ReadError {}

/// The words of serde for what it expects, in words for people.
fn expected_words(expected: &str) -> String {
    match expected {
        "a boolean" => "`true` or `false`".to_owned(),
        "u8" => "a whole number, 0 to 255".to_owned(),
        "u16" => "a whole number, 0 to 65535".to_owned(),
        "u32" | "u64" => "a whole number, 0 or more".to_owned(),
        "a string" => "text".to_owned(),
        "a sequence" => "a list".to_owned(),
        "unit" => "no value".to_owned(),
        "enum" => "a word or a map with one entry".to_owned(),
        other if other.starts_with("struct ") || other.starts_with("struct variant") => {
            "a map of fields".to_owned()
        }
        other => other.to_owned(),
    }
}

fn found_words(found: &Unexpected<'_>) -> String {
    match found {
        Unexpected::Bool(flag) => format!("`{flag}`"),
        Unexpected::Unsigned(number) => format!("the number {number}"),
        Unexpected::Signed(number) => format!("the number {number}"),
        Unexpected::Float(number) => format!("the number {number}"),
        Unexpected::Str(text) => format!("the text `{}`", shortened(text)),
        Unexpected::Unit | Unexpected::Option => "nothing".to_owned(),
        Unexpected::Seq => "a list".to_owned(),
        Unexpected::Map => "a map".to_owned(),
        Unexpected::UnitVariant => "a word without fields".to_owned(),
        other => other.to_string(),
    }
}

/// Longest piece of a document repeated in a message, in characters.
const QUOTED_CHARS_MAX: usize = 80;

pub(super) fn shortened(text: &str) -> String {
    if text.chars().count() <= QUOTED_CHARS_MAX {
        return text.to_owned();
    }
    text.chars().take(QUOTED_CHARS_MAX).chain("...".chars()).collect()
}

fn quoting_hint(found: &Unexpected<'_>, expected: &str) -> Option<String> {
    match found {
        Unexpected::Str(text) if expected == "a boolean" => match text.to_lowercase().as_str() {
            "true" | "false" => Some("remove the quotes".to_owned()),
            "yes" | "on" | "y" => Some("write `true`".to_owned()),
            "no" | "off" | "n" => Some("write `false`".to_owned()),
            _ => None,
        },
        Unexpected::Str(text) if !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit()) => {
            Some("remove the quotes".to_owned())
        }
        Unexpected::Bool(_) if expected == "a string" => Some("put it in quotes".to_owned()),
        _ => None,
    }
}

impl serde::de::Error for ReadError {
    fn custom<T: fmt::Display>(message: T) -> Self {
        let message = message.to_string();
        let key = message.strip_prefix('`').and_then(|rest| rest.split_once('`')).map(|(k, _)| k.to_owned());
        let mut error = Self::new(rules::BAD_VALUE, message, None);
        error.0.key = key;
        error
    }

    fn invalid_type(found: Unexpected<'_>, expected: &dyn Expected) -> Self {
        let expected = expected.to_string();
        let hint = quoting_hint(&found, &expected);
        let message = format!("expected {}, found {}", expected_words(&expected), found_words(&found));
        Self::new(rules::BAD_VALUE, message, hint)
    }

    fn invalid_value(found: Unexpected<'_>, expected: &dyn Expected) -> Self {
        Self::invalid_type(found, expected)
    }

    fn unknown_variant(variant: &str, expected: &'static [&'static str]) -> Self {
        let hint = suggest("values", variant, expected);
        Self::new(rules::BAD_VALUE, format!("unknown value `{}`", shortened(variant)), Some(hint))
    }

    fn unknown_field(field: &str, expected: &'static [&'static str]) -> Self {
        if field == "absent" {
            let message = "`absent` beside other keys: write `absent: true` alone, or remove it";
            return Self::new(rules::UNKNOWN_KEY, message, None).about(field);
        }
        let hint = suggest("keys", field, expected);
        Self::new(rules::UNKNOWN_KEY, format!("unknown key `{}`", shortened(field)), Some(hint)).about(field)
    }

    fn missing_field(field: &'static str) -> Self {
        let hint = Some(format!("add `{field}:`"));
        Self::new(rules::MISSING_KEY, format!("key `{field}` is missing"), hint).about(field)
    }
}
