//! Arguments that esxcli can take, and how a person would type them.
//!
//! Owns: the refusal of values esxcli cannot take, and shell quoting. Called by `command` and `query`.

/// Why a command line cannot be made.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ArgvError {
    /// esxcli takes every value that begins with `-` for an option.
    #[error("value `{value}` of {option} begins with `-`, which esxcli cannot take: rename the object")]
    LeadingDash {
        /// The option.
        option: String,
        /// The refused value.
        value: String,
    },
    /// A control character, which no name can hold.
    #[error("value {value:?} of {option} holds a control character: rename the object")]
    ControlCharacter {
        /// The option.
        option: String,
        /// The refused value.
        value: String,
    },
    /// A name with a comma inside a comma list.
    #[error("`{value}` in the list of {option} holds a comma or a blank: it cannot be told from two names")]
    ListElement {
        /// The option.
        option: String,
        /// The refused element.
        value: String,
    },
    /// A value that must not be empty.
    #[error("{option} of `esxcli {command}` needs a value")]
    Missing {
        /// The command, without `esxcli`.
        command: String,
        /// The option.
        option: String,
    },
    /// A subject for a command that has none.
    #[error("`esxcli {command}` cannot be asked about `{value}` alone")]
    Unexpected {
        /// The command, without `esxcli`.
        command: String,
        /// The refused subject.
        value: String,
    },
    /// A set command without anything to set.
    #[error("`esxcli {command}` for `{object}` has nothing to set")]
    NothingToSet {
        /// The command, without `esxcli`.
        command: String,
        /// The object it is about.
        object: String,
    },
}

/// `--name=value` as arguments; an empty value, or one with `=`, goes as an argument of its own.
pub(crate) fn option(name: &str, value: &str) -> Result<Vec<String>, ArgvError> {
    if value.starts_with('-') {
        return Err(ArgvError::LeadingDash { option: name.to_owned(), value: value.to_owned() });
    }
    if value.chars().any(char::is_control) {
        return Err(ArgvError::ControlCharacter { option: name.to_owned(), value: value.to_owned() });
    }
    if value.is_empty() || value.contains('=') {
        return Ok(vec![name.to_owned(), value.to_owned()]);
    }
    Ok(vec![format!("{name}={value}")])
}

/// The whole call as a person would type it into the host's shell.
#[must_use]
pub fn display(argv: &[String]) -> String {
    let mut line = String::from("esxcli");
    for argument in argv {
        line.push(' ');
        line.push_str(&quoted(argument));
    }
    line
}

fn quoted(argument: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_=./:,@%+".contains(c);
    if !argument.is_empty() && argument.chars().all(plain) {
        return argument.to_owned();
    }
    let quote = |text: &str| format!("'{}'", text.replace('\'', r"'\''"));
    match argument.split_once('=') {
        Some((name, value)) if name.starts_with("--") && name.chars().all(plain) => {
            format!("{name}={}", quote(value))
        }
        _ => quote(argument),
    }
}
