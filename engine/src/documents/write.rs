//! Documents as canonical YAML text: fixed order of fields, quotes only where needed.
//!
//! Owns: the emitter. What it writes reads back equal. Must not: know hosts. Called by `import`,
//! the scaffold and whatever proposes documents.

use super::scalar::{Plain, classify};
use super::template::escape;
use model::DesiredNetwork;
use serde::Serialize;
use serde_json::Value;

/// Widest list written on one line, in characters.
const LINE_CHARS_MAX: usize = 96;
/// Longest key written without `?`, in characters (YAML allows 1024).
const PLAIN_KEY_CHARS_MAX: usize = 1000;
/// Columns per level.
const INDENT: usize = 2;

/// Maps whose keys are names, not fields: written in order of the alphabet.
const NAMED: [&str; 10] = [
    "vswitches",
    "port_groups",
    "vmkernels",
    "nics",
    "netstacks",
    "managed",
    "routes",
    "labels",
    "values",
    "roles",
];

/// Fields in the order they are written; others follow by alphabet.
const FIELDS: [&str; 50] = [
    "schema",
    "members",
    "failure_domain",
    "labels",
    "values",
    "overrides",
    "roles",
    "vlans",
    "physical_mtu",
    "vswitches",
    "port_groups",
    "vmkernels",
    "nics",
    "netstacks",
    "managed",
    "prune",
    "absent",
    "vswitch",
    "port_group",
    "netstack",
    "vlan",
    "mtu",
    "cdp",
    "uplinks",
    "pci",
    "mac",
    "admin",
    "link",
    "enabled",
    "ipv4",
    "ipv6",
    "services",
    "teaming",
    "security",
    "shaping",
    "load_balancing",
    "failure_detection",
    "notify_switches",
    "failback",
    "active",
    "standby",
    "average_kbps",
    "peak_kbps",
    "burst_kib",
    "address",
    "gateway",
    "path",
    "value",
    "reason",
    "expires",
];

/// A network as the text of a `network.yaml`; every value is literal.
#[must_use]
pub fn network_yaml(network: &DesiredNetwork) -> String {
    // All keys of the type are text, so that it always has a JSON form.
    let mut value = serde_json::to_value(network).unwrap_or_default();
    escape_all(&mut value);
    template_yaml(&value)
}

/// A group's network as the text of a `network.yaml`; `${...}` in texts are variables.
#[must_use]
pub fn template_yaml(value: &Value) -> String {
    let mut out = String::new();
    match value {
        Value::Object(map) if map.is_empty() => out.push_str("{}\n"),
        Value::Object(_) => block(&mut out, value, 0, ""),
        Value::Null => {}
        other => {
            out.push_str(&inline(other, Context::Block));
            out.push('\n');
        }
    }
    out
}

/// Any other document (group, host, site) as text.
#[must_use]
pub fn document_yaml<T: Serialize>(document: &T) -> String {
    template_yaml(&serde_json::to_value(document).unwrap_or_default())
}

fn escape_all(value: &mut Value) {
    match value {
        Value::String(text) if text.contains("${") => *text = escape(text),
        Value::Array(items) => items.iter_mut().for_each(escape_all),
        Value::Object(map) => {
            let entries = std::mem::take(map);
            for (key, mut value) in entries {
                escape_all(&mut value);
                map.insert(escape(&key), value);
            }
        }
        _ => {}
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Context {
    Block,
    Flow,
}

/// Writes a map or a long list, one entry per line.
fn block(out: &mut String, value: &Value, indent: usize, parent: &str) {
    match value {
        Value::Object(map) => {
            let mut keys: Vec<&String> = map.keys().collect();
            if NAMED.contains(&parent) {
                keys.sort();
            } else {
                keys.sort_by_key(|key| {
                    (FIELDS.iter().position(|field| field == key).unwrap_or(FIELDS.len()), *key)
                });
            }
            for key in keys {
                let text = scalar(key, Context::Block);
                pad(out, indent);
                if text.chars().count() > PLAIN_KEY_CHARS_MAX {
                    out.push_str("? ");
                    out.push_str(&text);
                    out.push('\n');
                    pad(out, indent);
                } else {
                    out.push_str(&text);
                }
                out.push(':');
                entry(out, map.get(key).unwrap_or(&Value::Null), indent, key);
            }
        }
        Value::Array(items) => {
            for item in items {
                pad(out, indent);
                out.push('-');
                entry(out, item, indent, "");
            }
        }
        _ => {}
    }
}

/// Writes what follows `key:` or `-`.
fn entry(out: &mut String, value: &Value, indent: usize, key: &str) {
    if is_inline(value, indent) {
        let text = inline(value, Context::Block);
        if !text.is_empty() {
            out.push(' ');
            out.push_str(&text);
        }
        out.push('\n');
        return;
    }
    out.push('\n');
    block(out, value, indent + INDENT, key);
}

fn pad(out: &mut String, columns: usize) {
    out.extend(std::iter::repeat_n(' ', columns));
}

fn is_inline(value: &Value, indent: usize) -> bool {
    match value {
        Value::Object(map) => map.is_empty(),
        Value::Array(items) => {
            let plain = !items.iter().any(|item| item.is_object() || item.is_array());
            plain && indent + inline(value, Context::Flow).chars().count() <= LINE_CHARS_MAX
                || items.is_empty()
        }
        _ => true,
    }
}

fn inline(value: &Value, context: Context) -> String {
    match value {
        Value::Null => "null".to_owned(),
        Value::Bool(flag) => flag.to_string(),
        Value::Number(number) => number.to_string(),
        Value::String(text) => scalar(text, context),
        Value::Array(items) => {
            let items: Vec<String> = items.iter().map(|item| inline(item, Context::Flow)).collect();
            format!("[{}]", items.join(", "))
        }
        Value::Object(map) => {
            let entry = |(key, value): (&String, &Value)| {
                format!("{}: {}", scalar(key, Context::Flow), inline(value, Context::Flow))
            };
            format!("{{{}}}", map.iter().map(entry).collect::<Vec<_>>().join(", "))
        }
    }
}

/// A text as a scalar that reads back as this text.
fn scalar(text: &str, context: Context) -> String {
    if is_plain(text, context) { text.to_owned() } else { quoted(text) }
}

fn is_plain(text: &str, context: Context) -> bool {
    let inner = |c: char| {
        c.is_ascii_alphanumeric()
            || " _./:@%+$()-".contains(c)
            || (context == Context::Block && "{}".contains(c))
    };
    text.starts_with(|c: char| c.is_ascii_alphanumeric() || "_/$.".contains(c))
        && text.chars().all(inner)
        && !text.contains(": ")
        && !text.ends_with([' ', ':'])
        && !text.starts_with("...")
        && matches!(classify(text), Plain::Text(_))
}

fn quoted(text: &str) -> String {
    let mut out = String::from("\"");
    for c in text.chars() {
        match c {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            '\t' => out.push_str("\\t"),
            '\r' => out.push_str("\\r"),
            c if is_printable(c) => out.push(c),
            c => {
                let code = u32::from(c);
                let escape = match code {
                    0..=0xff => format!("\\x{code:02x}"),
                    0x100..=0xffff => format!("\\u{code:04x}"),
                    _ => format!("\\U{code:08x}"),
                };
                out.push_str(&escape);
            }
        }
    }
    out.push('"');
    out
}

fn is_printable(c: char) -> bool {
    !c.is_control()
        && !matches!(c, '\u{2028}' | '\u{2029}' | '\u{feff}' | '\u{fffe}' | '\u{ffff}')
        && (u32::from(c) & 0xfffe) != 0xfffe
}
