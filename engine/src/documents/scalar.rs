//! Plain scalars by the core schema of YAML 1.2. Must not know documents.
//!
//! `yes`, `no`, `on` and `off` are text here, as in YAML 1.2.

/// What a plain scalar means.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Plain<'a> {
    /// Nothing: empty, `~` or `null`.
    Null,
    /// `true` or `false`.
    Bool(bool),
    /// A whole number, 0 or more.
    Unsigned(u64),
    /// A whole number below 0.
    Signed(i64),
    /// Another number.
    Float(f64),
    /// Everything else.
    Text(&'a str),
}

/// Classifies a plain scalar.
pub(crate) fn classify(text: &str) -> Plain<'_> {
    match text {
        "" | "~" | "null" | "Null" | "NULL" => return Plain::Null,
        "true" | "True" | "TRUE" => return Plain::Bool(true),
        "false" | "False" | "FALSE" => return Plain::Bool(false),
        _ => {}
    }
    if !text.starts_with(|c: char| c.is_ascii_digit() || matches!(c, '+' | '-' | '.')) {
        return Plain::Text(text);
    }
    integer(text).or_else(|| float(text)).unwrap_or(Plain::Text(text))
}

fn integer(text: &str) -> Option<Plain<'_>> {
    let radix = |digits: &str, radix: u32| {
        let plain = !digits.starts_with(['+', '-']);
        u64::from_str_radix(digits, radix).ok().filter(|_| plain).map(Plain::Unsigned)
    };
    if let Some(digits) = text.strip_prefix("0x") {
        return radix(digits, 16);
    }
    if let Some(digits) = text.strip_prefix("0o") {
        return radix(digits, 8);
    }
    let digits = text.strip_prefix(['+', '-']).unwrap_or(text);
    if digits.is_empty() || !digits.bytes().all(|b| b.is_ascii_digit()) {
        return None;
    }
    if text.starts_with('-') {
        let number = text.parse::<i64>().ok()?;
        return Some(if number == 0 { Plain::Unsigned(0) } else { Plain::Signed(number) });
    }
    digits.parse().ok().map(Plain::Unsigned)
}

fn float(text: &str) -> Option<Plain<'_>> {
    match text {
        ".nan" | ".NaN" | ".NAN" => return Some(Plain::Float(f64::NAN)),
        ".inf" | ".Inf" | ".INF" | "+.inf" | "+.Inf" | "+.INF" => return Some(Plain::Float(f64::INFINITY)),
        "-.inf" | "-.Inf" | "-.INF" => return Some(Plain::Float(f64::NEG_INFINITY)),
        _ => {}
    }
    let shape = |c: char| c.is_ascii_digit() || matches!(c, '.' | 'e' | 'E' | '+' | '-');
    if !text.chars().all(shape) || !text.contains(|c: char| c.is_ascii_digit()) {
        return None;
    }
    text.parse().ok().map(Plain::Float)
}

/// Whether `text` is `YYYY-MM-DD`.
pub(crate) fn is_date(text: &str) -> bool {
    let parts: Vec<&str> = text.split('-').collect();
    let number = |part: &str, digits: usize, max: u32| {
        part.len() == digits
            && part.bytes().all(|b| b.is_ascii_digit())
            && part.parse().is_ok_and(|n: u32| (1..=max).contains(&n))
    };
    match parts.as_slice() {
        [year, month, day] => number(year, 4, 9999) && number(month, 2, 12) && number(day, 2, 31),
        _ => false,
    }
}
