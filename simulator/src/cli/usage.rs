//! Help and usage texts, all made from the command table.
//!
//! Owns: the layout of esxcli's help. Must not: hold texts of single commands (see `commands`). Called by `cli`.

use super::args::{Kind, Opt};
use super::table::{Command, NAMESPACES};

/// Column at which descriptions start.
const COLUMN: usize = 24;

/// Global help, printed without arguments and after an unknown command.
pub const TOP: &str = "Usage: esxcli [options] {namespace}+ {cmd} [cmd options]

Options:
  --formatter=FORMATTER
                        Override the formatter to use for a given command. Available formatter: xml, csv, keyvalue
  --screen-width=SCREENWIDTH
                        Use the specified screen width when formatting text
  --debug               Enable debug or internal use options
  --version             Display version information for the script
  -?, --help            Display usage information for the script
";

fn entry(name: &str, help: &str) -> String {
    let head = format!("  {name}");
    if head.len() + 2 > COLUMN {
        format!("{head}\n{}{help}\n", " ".repeat(COLUMN))
    } else {
        format!("{head:<COLUMN$}{help}\n")
    }
}

fn option(opt: &Opt) -> String {
    let kind = match opt.kind {
        Kind::Text | Kind::Word(_) => "=<str>",
        Kind::Long | Kind::LongUpTo(_) => "=<long>",
        Kind::Bool => "=<bool>",
        Kind::Flag => "",
    };
    let required = if opt.required { " (required)" } else { "" };
    entry(&format!("{}{kind}", opt.names()), &format!("{}{required}", opt.help))
}

/// The help of one command.
pub fn command(command: &Command) -> String {
    let mut out = format!(
        "Usage: esxcli {} [cmd options]\n\nDescription: \n{}",
        command.path,
        entry(command.verb(), command.help)
    );
    if !command.opts.is_empty() {
        out.push_str("\nCmd options:\n");
        out.extend(command.opts.iter().map(option));
    }
    out
}

/// The help of a namespace.
pub fn namespace(path: &str, commands: &[&Command]) -> String {
    let prefix = if path.is_empty() { String::new() } else { format!("{path} ") };
    let mut spaces: Vec<&str> = Vec::new();
    let mut verbs = String::new();
    for command in commands {
        let Some(rest) = command.path.strip_prefix(&prefix) else { continue };
        match rest.split_once(' ') {
            Some((space, _)) if !spaces.contains(&space) => spaces.push(space),
            Some(_) => {}
            None => verbs.push_str(&entry(rest, command.help)),
        }
    }
    let mut out = if path.is_empty() {
        TOP.to_owned()
    } else {
        format!("Usage: esxcli {path} {{cmd}} [cmd options]\n")
    };
    if !spaces.is_empty() {
        out.push_str("\nAvailable Namespaces:\n");
        for space in spaces {
            let full = format!("{prefix}{space}");
            let help = NAMESPACES.iter().find(|(name, _)| *name == full).map_or("", |(_, help)| *help);
            out.push_str(&entry(space, help));
        }
    }
    if !verbs.is_empty() {
        out.push_str(&format!("\nAvailable Commands:\n{verbs}"));
    }
    out
}

/// A usage error: the problems, then the help that belongs to them.
pub fn error(problems: &[String], help: &str) -> String {
    let lines = problems.join("\n       ");
    format!("Error: {lines}\n\n{help}")
}
