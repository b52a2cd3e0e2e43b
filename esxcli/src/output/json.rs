//! The json document (`--debug --formatter=json`): an object, an array of objects, or a scalar.
//!
//! Owns nothing but the crossing from `serde_json`. Some 64-bit counters are hex strings; they
//! stay text here and [`Value::to_int`] reads them.

use super::{Record, Trouble, Value, check_nesting};
use serde_json::Value as Json;

pub(super) fn parse(text: &str) -> Result<Value, Trouble> {
    let json: Json = serde_json::from_str(text).map_err(|e| Trouble::at(e.line(), e.to_string()))?;
    match json {
        Json::Null => Ok(Value::List(Vec::new())),
        other => convert(other, 0),
    }
}

fn convert(json: Json, depth: usize) -> Result<Value, Trouble> {
    check_nesting(depth, 0)?;
    Ok(match json {
        Json::Null => Value::Str(String::new()),
        Json::Bool(flag) => Value::Bool(flag),
        Json::Number(number) => match (number.as_i64(), number.as_u64()) {
            (Some(n), _) => Value::Int(n.into()),
            (None, Some(n)) => Value::Int(n.into()),
            (None, None) => Value::Str(number.to_string()),
        },
        Json::String(text) => Value::Str(text),
        Json::Array(items) => {
            Value::List(items.into_iter().map(|item| convert(item, depth + 1)).collect::<Result<_, _>>()?)
        }
        Json::Object(fields) => {
            let mut record = Record::default();
            for (name, value) in fields {
                record.insert(super::machine_name(&name), convert(value, depth + 1)?);
            }
            Value::Record(record)
        }
    })
}
