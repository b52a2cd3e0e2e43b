//! The command-line grammar of one command: options, their kinds, and the values of one call.
//!
//! Owns: parsing and type checks of command options with esxcli's own messages. Must not: run commands.
//! Called by `cli::run`; the declarations come from `cli::commands`.

use std::collections::BTreeMap;

/// What an option takes.
#[derive(Debug, Clone, Copy)]
pub enum Kind {
    /// Any text.
    Text,
    /// A whole number the client does not check further.
    Long,
    /// A whole number with an upper bound known to the client (the lower one is not checked).
    LongUpTo(i64),
    /// A boolean word.
    Bool,
    /// No value.
    Flag,
    /// One of these words.
    Word(&'static [&'static str]),
}

/// One option of a command.
#[derive(Debug, Clone, Copy)]
pub struct Opt {
    /// Letter, when there is one.
    pub short: Option<char>,
    /// Long name without dashes.
    pub long: &'static str,
    /// What it takes.
    pub kind: Kind,
    /// Whether it must be given.
    pub required: bool,
    /// Help text.
    pub help: &'static str,
}

impl Opt {
    /// `-x|--long`, or `--long`.
    pub fn names(&self) -> String {
        match self.short {
            Some(letter) => format!("-{letter}|--{}", self.long),
            None => format!("--{}", self.long),
        }
    }
}

/// The values of one call.
#[derive(Debug, Clone, Default)]
pub struct Args {
    values: BTreeMap<&'static str, String>,
}

impl Args {
    /// The text of an option.
    pub fn text(&self, long: &str) -> Option<&str> {
        self.values.get(long).map(String::as_str)
    }

    /// The text of a required option; the parser made sure it is there.
    pub fn required(&self, long: &str) -> &str {
        self.text(long).unwrap_or_default()
    }

    /// The number of an option.
    pub fn long(&self, long: &str) -> Option<i64> {
        self.text(long).and_then(parse_long)
    }

    /// The boolean of an option.
    pub fn boolean(&self, long: &str) -> Option<bool> {
        self.text(long).and_then(parse_bool)
    }

    /// Whether a flag was given.
    pub fn flag(&self, long: &str) -> bool {
        self.values.contains_key(long)
    }

    /// A comma list; the empty text is the empty list.
    pub fn comma_list(&self, long: &str) -> Option<Vec<String>> {
        let text = self.text(long)?;
        Some(text.split(',').map(str::trim).filter(|part| !part.is_empty()).map(str::to_owned).collect())
    }
}

fn parse_long(text: &str) -> Option<i64> {
    text.parse().ok()
}

fn parse_bool(text: &str) -> Option<bool> {
    match text.to_ascii_lowercase().as_str() {
        "1" | "y" | "yes" | "t" | "true" | "on" => Some(true),
        "0" | "n" | "no" | "f" | "false" | "off" => Some(false),
        _ => None,
    }
}

/// A value that begins like an option is never a value.
fn looks_like_option(text: &str) -> bool {
    let mut chars = text.chars();
    chars.next() == Some('-') && chars.next().is_some_and(|c| c == '-' || c.is_ascii_alphabetic())
}

/// Parses the options of one command, or lists what is wrong.
pub fn parse(opts: &[Opt], words: &[&str]) -> Result<Args, Vec<String>> {
    let mut args = Args::default();
    let mut rest = words.iter().copied().peekable();
    while let Some(word) = rest.next() {
        let (name, inline) = match word.split_once('=') {
            Some((name, value)) => (name, Some(value)),
            None => (word, None),
        };
        let Some(opt) = find(opts, name) else { return Err(vec![format!("Invalid option {name}")]) };
        if args.values.contains_key(opt.long) {
            return Err(vec![format!("Duplicated option {name}")]);
        }
        let value = if matches!(opt.kind, Kind::Flag) {
            if inline.is_some() {
                return Err(vec![format!("'{name}' is a flag and cannot accept any values.")]);
            }
            String::new()
        } else {
            let next = inline.or_else(|| rest.next_if(|next| !looks_like_option(next)));
            let Some(value) = next.filter(|value| !looks_like_option(value)) else {
                return Err(vec![format!("{name} must have value")]);
            };
            check(opt, name, value).map_err(|problem| vec![problem])?;
            value.to_owned()
        };
        args.values.insert(opt.long, value);
    }
    let missing: Vec<String> = opts
        .iter()
        .filter(|opt| opt.required && !args.values.contains_key(opt.long))
        .map(|opt| format!("Missing required parameter {}", opt.names()))
        .collect();
    if missing.is_empty() { Ok(args) } else { Err(missing) }
}

fn find<'a>(opts: &'a [Opt], name: &str) -> Option<&'a Opt> {
    if let Some(long) = name.strip_prefix("--") {
        return opts.iter().find(|opt| opt.long == long);
    }
    let mut letters = name.strip_prefix('-')?.chars();
    let letter = letters.next()?;
    if letters.next().is_some() {
        return None;
    }
    opts.iter().find(|opt| opt.short == Some(letter))
}

fn check(opt: &Opt, name: &str, value: &str) -> Result<(), String> {
    let mismatch = |expecting: &str| {
        Err(format!(
            "While processing '{name}'. Argument type mismatch. Expecting {expecting}. Got '{value}'"
        ))
    };
    match opt.kind {
        Kind::Text | Kind::Flag => Ok(()),
        Kind::Bool if parse_bool(value).is_none() => {
            mismatch("one of {0, 1, n[o], y[es], f[alse], t[rue], off, on}")
        }
        Kind::Bool => Ok(()),
        Kind::Long | Kind::LongUpTo(_) => match (parse_long(value), opt.kind) {
            (None, _) => mismatch("integer value"),
            (Some(number), Kind::LongUpTo(max)) if number > max => {
                Err(format!("While processing '{name}'. '{value}' > {max}"))
            }
            _ => Ok(()),
        },
        Kind::Word(words) if words.contains(&value) => Ok(()),
        Kind::Word(words) => {
            Err(format!("While processing '{name}'. '{value}' must be one of [{}]", words.join("|")))
        }
    }
}

#[cfg(test)]
mod tests;
