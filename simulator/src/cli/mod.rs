//! The `esxcli` program: global options, lookup, checks, run, format.
//!
//! Owns: the order of things in one call and exit codes. Must not: hold commands (see `commands`) or formats (see
//! `format`). Called by `Host::run`. It shares no code with the product's `esxcli` crate: it is a second opinion.

mod args;
mod commands;
mod format;
mod table;
mod usage;
mod value;

use crate::host::{Host, Output, Release};
use crate::network::Fault;
use format::{Format, LastRule, Style};
use table::{Action, Command, Lookup};
use value::Document;

/// Global options of one call and the words after them.
struct Call<'a> {
    formatter: Option<&'a str>,
    fields: Vec<String>,
    debug: bool,
    ask: Ask,
    words: &'a [&'a str],
}

/// What the global options ask for.
#[derive(PartialEq, Eq)]
enum Ask {
    Run,
    Help,
    Version,
}

fn finish(stdout: String, exit_code: i32) -> Output {
    Output { stdout, stderr: String::new(), exit_code }
}

fn usage_error(problem: impl Into<String>) -> Output {
    finish(usage::error(&[problem.into()], usage::TOP), 1)
}

fn parse_global<'a>(argv: &'a [&'a str]) -> Result<Call<'a>, String> {
    let mut call = Call { formatter: None, fields: Vec::new(), debug: false, ask: Ask::Run, words: &[] };
    let mut at = 0;
    while let Some(word) = argv.get(at).filter(|word| word.starts_with('-')) {
        let (name, inline) = match word.split_once('=') {
            Some((name, value)) => (name, Some(value)),
            None => (*word, None),
        };
        at += 1;
        match name {
            "--debug" => call.debug = true,
            "--help" | "-?" => call.ask = Ask::Help,
            "--version" => call.ask = Ask::Version,
            "--formatter" | "--format-param" | "--screen-width" => {
                let value = inline.or_else(|| argv.get(at).copied());
                at += usize::from(inline.is_none());
                let value = value.filter(|v| !v.starts_with('-')).ok_or(format!("{name} must have value"))?;
                match name {
                    "--formatter" => call.formatter = Some(value),
                    "--screen-width" if value.parse::<u32>().is_err() => {
                        return Err("Invalid screen width".into());
                    }
                    "--format-param" => call.fields.extend(format_fields(value)),
                    _ => {}
                }
            }
            _ => return Err(format!("Invalid option {name}")),
        }
    }
    call.words = argv.get(at..).unwrap_or_default();
    Ok(call)
}

fn format_fields(param: &str) -> Vec<String> {
    let list = param.strip_prefix("fields=").unwrap_or_default();
    let names = list.trim_matches('"').split(',').filter(|name| !name.is_empty());
    names.map(value::machine_name).collect()
}

fn choose_format(host: &Host, call: &Call<'_>) -> Result<Format, String> {
    let Some(name) = call.formatter else { return Ok(Format::Text) };
    let json = (call.debug || host.quirks.json_without_debug) && !host.quirks.no_json;
    match name {
        "xml" => Ok(Format::Xml),
        "csv" => Ok(Format::Csv),
        "keyvalue" => Ok(Format::KeyValue),
        "json" if json => Ok(Format::Json),
        "table" | "simple" if call.debug => Ok(Format::Text),
        other => Err(format!("Unable to find requested formatter: {other}")),
    }
}

/// Runs one call of the program.
pub fn run(host: &mut Host, argv: &[&str]) -> Output {
    let call = match parse_global(argv) {
        Ok(call) => call,
        Err(problem) => return usage_error(problem),
    };
    match call.ask {
        Ask::Help => return finish(usage::TOP.to_owned(), 0),
        Ask::Version => return finish(format!("Script 'esxcli' version: {}\n", host.facts.version), 0),
        Ask::Run => {}
    }
    let format = match choose_format(host, &call) {
        Ok(format) => format,
        Err(problem) => return usage_error(problem),
    };
    let has = |command: &Command| command.on(host);
    let (command, rest) = match table::lookup(call.words, has) {
        Lookup::Command(command, rest) => (command, rest),
        Lookup::Namespace(path) => return namespace_help(host, &path),
        Lookup::Unknown(path) => return usage_error(format!("Unknown command or namespace {path}")),
    };
    if rest.iter().any(|word| matches!(*word, "--help" | "-?")) {
        return finish(usage::command(command), 0);
    }
    let args = match args::parse(command.opts, rest) {
        Ok(args) => args,
        Err(problems) => return finish(usage::error(&problems, &usage::command(command)), 1),
    };
    let result = match command.action {
        Action::Read(read) => read(host, &args),
        Action::Write(write) => write(host, &args).map(|()| Document::Silent),
    };
    let narrow = host.facts.release() >= Release(7, 0);
    let last_rule = if narrow { LastRule::Header } else { LastRule::Content };
    answer(result, &Style { format, last_rule, fields: call.fields })
}

fn namespace_help(host: &Host, path: &str) -> Output {
    let commands: Vec<&Command> = table::all().filter(|command| command.on(host)).collect();
    finish(usage::namespace(path, &commands), 0)
}

fn answer(result: Result<Document, Fault>, style: &Style) -> Output {
    match result {
        Ok(document) => finish(format::render(&document, style), 0),
        Err(fault) => finish(format!("{fault}\n"), 1),
    }
}

/// Whether the call names a command that changes the host.
pub fn is_write(argv: &[&str]) -> bool {
    let Ok(call) = parse_global(argv) else { return false };
    match table::lookup(call.words, |_| true) {
        Lookup::Command(command, _) => matches!(command.action, Action::Write(_)),
        Lookup::Namespace(_) | Lookup::Unknown(_) => false,
    }
}

/// The words of a call without its global options, joined by blanks, for matching.
pub fn command_words(argv: &[&str]) -> String {
    parse_global(argv).map(|call| call.words.join(" ")).unwrap_or_else(|_| argv.join(" "))
}

#[cfg(test)]
mod referee;
#[cfg(test)]
mod tests;
