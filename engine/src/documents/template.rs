//! Variables of a group's network: `${host.name}`, `${host.KEY}`, `${uplink.KEY}`, `${role.NAME.FIELD}`.
//!
//! Owns: their grammar, the lookup, and findings for those without a value. Values, not logic: no
//! nesting, no defaults, no conditions. Must not: walk trees. Called by `de`.

use super::de::At;
use super::error::ReadError;
use super::near::suggest;
use super::rules;
use super::yaml::{Kind, Node};
use model::{SiteRole, VmnicName};
use std::borrow::Cow;
use std::collections::BTreeMap;

/// Where the values of one host come from.
#[derive(Debug, Clone, Copy)]
pub struct Variables<'a> {
    /// Name of the host.
    pub host: &'a str,
    /// Path of its document, whether it exists or not.
    pub host_file: &'a str,
    /// The map below `values` of its document.
    pub values: Option<&'a Node>,
    /// Its uplink roles.
    pub uplinks: &'a BTreeMap<String, VmnicName>,
    /// Roles of the site; `None` when they are not known, which is a finding of its own.
    pub roles: Option<&'a BTreeMap<String, SiteRole>>,
}

/// A node as it reads once variables are filled in.
#[derive(Debug)]
pub(super) enum View<'a> {
    Map(At<'a>),
    Seq(At<'a>),
    Plain(&'a str),
    Text(Cow<'a, str>),
    Number(u64),
}

/// Value of a variable, or of a scalar with variables in it.
#[derive(Debug)]
pub(super) enum Value<'a> {
    Node(&'a Node),
    Text(Cow<'a, str>),
    Number(u64),
}

/// One piece of a scalar.
enum Piece<'t> {
    Text(&'t str),
    Dollar,
    Variable(&'t str),
}

/// The next piece and the rest; `Err` when a `${` has no end.
fn split(text: &str) -> Result<(Piece<'_>, &str), ReadError> {
    if let Some(rest) = text.strip_prefix("$${") {
        return Ok((Piece::Dollar, rest));
    }
    if let Some(rest) = text.strip_prefix("${") {
        return match rest.split_once('}') {
            Some((name, rest)) => Ok((Piece::Variable(name), rest)),
            None => {
                let hint = "close it with `}`, or write `$${` for the characters themselves".to_owned();
                Err(ReadError::new(rules::VARIABLE_SYNTAX, format!("`{text}` has no `}}`"), Some(hint)))
            }
        };
    }
    let end = text.char_indices().skip(1).find(|(_, c)| *c == '$').map_or(text.len(), |(at, _)| at);
    let (piece, rest) = text.split_at(end);
    Ok((Piece::Text(piece), rest))
}

/// A key with `$${` made plain; variables in keys are refused.
pub(super) fn unescape_key(text: &str) -> Result<String, ReadError> {
    let mut out = String::new();
    let mut rest = text;
    while !rest.is_empty() {
        let (piece, after) = split(rest)?;
        match piece {
            Piece::Text(text) => out.push_str(text),
            Piece::Dollar => out.push_str("${"),
            Piece::Variable(name) => {
                let message = format!("variable `${{{name}}}` in a key");
                let hint =
                    "names of objects are the same on all hosts of a group; use values for what differs";
                return Err(ReadError::new(rules::VARIABLE_SYNTAX, message, Some(hint.to_owned())));
            }
        }
        rest = after;
    }
    Ok(out)
}

/// Writes `text` so that reading it as a template gives it back.
pub(crate) fn escape(text: &str) -> String {
    text.replace("${", "$${")
}

impl<'a> Variables<'a> {
    /// The value of a scalar: of the same type when it is one variable, else text.
    pub(super) fn expand(&self, text: &str) -> Result<Value<'a>, ReadError> {
        if let (Piece::Variable(name), "") = split(text)? {
            return self.lookup(name);
        }
        let mut out = String::new();
        let mut rest = text;
        while !rest.is_empty() {
            let (piece, after) = split(rest)?;
            match piece {
                Piece::Text(text) => out.push_str(text),
                Piece::Dollar => out.push_str("${"),
                Piece::Variable(name) => match self.lookup(name)? {
                    Value::Text(text) => out.push_str(&text),
                    Value::Number(number) => out.push_str(&number.to_string()),
                    Value::Node(node) => out.push_str(scalar_text(name, node)?),
                },
            }
            rest = after;
        }
        Ok(Value::Text(out.into()))
    }

    /// Where the values of the variables in `text` come from, for a hint.
    pub(super) fn origin(&self, text: &str) -> String {
        let mut known = Vec::new();
        let mut rest = text;
        while let Ok((piece, after)) = split(rest) {
            if let Piece::Variable(name) = piece {
                known.extend(self.origin_of(name));
            }
            if after.is_empty() {
                break;
            }
            rest = after;
        }
        known.join(", ")
    }

    fn origin_of(&self, name: &str) -> Option<String> {
        let (value, place) = match self.lookup(name).ok()? {
            Value::Node(node) => {
                let span = node.place.in_file(self.host_file);
                (scalar_text(name, node).unwrap_or("a map or list").to_owned(), format!(" at {span}"))
            }
            Value::Text(text) => (text.into_owned(), String::new()),
            Value::Number(number) => (number.to_string(), String::new()),
        };
        Some(format!("`${{{name}}}` is `{value}`{place}"))
    }

    fn lookup(&self, name: &str) -> Result<Value<'a>, ReadError> {
        match name.split_once('.') {
            Some(("host", "name")) => Ok(Value::Text(self.host.into())),
            Some(("host", key)) => self.host_value(name, key),
            Some(("uplink", key)) => self.uplink(name, key),
            Some(("role", rest)) => match rest.rsplit_once('.') {
                Some((role, field)) => self.role(name, role, field),
                None => Err(unknown(name, "use `${role.NAME.vlan}`, `.mtu` or `.subnet`".to_owned())),
            },
            _ => {
                let hint = "use `${host.KEY}`, `${host.name}`, `${uplink.KEY}` or `${role.NAME.vlan}`";
                Err(ReadError::new(
                    rules::VARIABLE_SYNTAX,
                    format!("`${{{name}}}` is no variable"),
                    Some(hint.to_owned()),
                ))
            }
        }
    }

    fn host_value(&self, name: &str, key: &str) -> Result<Value<'a>, ReadError> {
        if let Some(node) = self.values.and_then(|values| values.get(key)) {
            return Ok(Value::Node(node));
        }
        let known: Vec<&str> = self
            .values
            .map(|values| values.entries().iter().map(|(k, _)| k.text.as_str()).collect())
            .unwrap_or_default();
        let add = format!("add `{key}` below `values` in {}", self.host_file);
        Err(unknown(name, with_known(&add, "values", key, &known)))
    }

    fn uplink(&self, name: &str, key: &str) -> Result<Value<'a>, ReadError> {
        if let Some(nic) = self.uplinks.get(key) {
            return Ok(Value::Text(nic.as_str().into()));
        }
        let known: Vec<&str> = self.uplinks.keys().map(String::as_str).collect();
        let add = format!("add `{key}` below `uplinks` in {}", self.host_file);
        Err(unknown(name, with_known(&add, "uplinks", key, &known)))
    }

    fn role(&self, name: &str, role: &str, field: &str) -> Result<Value<'a>, ReadError> {
        let Some(roles) = self.roles else {
            let mut error = unknown(name, "repair pointsman.yaml first".to_owned());
            error.problem().consequence = true;
            return Err(error);
        };
        let Some(facts) = roles.get(role) else {
            let known: Vec<&str> = roles.keys().map(String::as_str).collect();
            let add = format!("add `{role}` below `roles` in pointsman.yaml");
            return Err(unknown(name, with_known(&add, "roles", role, &known)));
        };
        let value = match field {
            "vlan" => facts.vlan.map(|vlan| Value::Number(vlan.get().into())),
            "mtu" => facts.mtu.map(|mtu| Value::Number(mtu.get().into())),
            "subnet" => facts.subnet.map(|subnet| Value::Text(subnet.to_string().into())),
            _ => return Err(unknown(name, suggest("fields", field, &["mtu", "subnet", "vlan"]))),
        };
        let add = || format!("add `{field}` to role `{role}` in pointsman.yaml");
        value.ok_or_else(|| unknown(name, add()))
    }
}

fn with_known(add: &str, kind: &str, word: &str, known: &[&str]) -> String {
    if known.is_empty() { add.to_owned() } else { format!("{add}; {}", suggest(kind, word, known)) }
}

fn unknown(name: &str, hint: String) -> ReadError {
    ReadError::new(rules::VARIABLE_UNKNOWN, format!("`${{{name}}}` has no value"), Some(hint))
}

fn scalar_text<'n>(name: &str, node: &'n Node) -> Result<&'n str, ReadError> {
    match &node.kind {
        Kind::Scalar { text, .. } if !text.is_empty() => Ok(text),
        _ => {
            let message = format!("`${{{name}}}` is empty, a map or a list, and stands inside text");
            let hint = "use it as the whole value, or give it a plain value".to_owned();
            Err(ReadError::new(rules::VARIABLE_SYNTAX, message, Some(hint)))
        }
    }
}
