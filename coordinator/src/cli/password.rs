//! Passwords for the verbs: from a file, from a pipe, or typed on a terminal that does not show them.
//!
//! Must not: take one from the arguments, where everybody on the machine can read it. Called by `login` and `user`.

use super::failure::CliError;
use super::screen::Screen;
use rustix::termios::{LocalModes, OptionalActions, Termios, tcgetattr, tcsetattr};
use std::io::{BufRead, IsTerminal, Stdin};
use std::path::{Path, PathBuf};

/// Longest password that is read, in bytes.
const BYTES_MAX: u64 = 1024;

/// Where the password comes from.
#[derive(Debug, Clone, clap::Args)]
pub struct PasswordSource {
    /// File that holds the password in its first line; `-` reads standard input. Asked for when absent.
    #[arg(long)]
    pub password_file: Option<PathBuf>,
}

impl PasswordSource {
    /// The password of today.
    pub fn read(&self, prompt: &str, screen: &mut Screen<'_>) -> Result<String, CliError> {
        match self.password_file.as_deref() {
            Some(path) if path == Path::new("-") => first_line(std::io::stdin().lock(), "standard input"),
            Some(path) => {
                let file = std::fs::File::open(path).map_err(CliError::file("read the password in", path))?;
                first_line(std::io::BufReader::new(file), &path.display().to_string())
            }
            None => typed(prompt, screen),
        }
    }

    /// A new password: typed twice.
    pub fn read_new(&self, screen: &mut Screen<'_>) -> Result<String, CliError> {
        let first = self.read("New password: ", screen)?;
        if self.password_file.is_none() && self.read("The same again: ", screen)? != first {
            return Err(CliError::Failed("the two passwords differ: nothing was changed".to_owned()));
        }
        Ok(first)
    }
}

fn first_line(reader: impl BufRead, name: &str) -> Result<String, CliError> {
    let mut line = String::new();
    reader
        .take(BYTES_MAX)
        .read_line(&mut line)
        .map_err(|error| CliError::Failed(format!("the password in {name} cannot be read: {error}")))?;
    let password = line.trim_end_matches(['\n', '\r']);
    if password.is_empty() {
        return Err(CliError::Failed(format!("{name} holds no password in its first line")));
    }
    Ok(password.to_owned())
}

/// A terminal that shows nothing until this is dropped.
struct Silent(Stdin, Termios);

impl Silent {
    fn new(stdin: Stdin) -> Result<Self, CliError> {
        let before = tcgetattr(&stdin).map_err(CliError::failed)?;
        let mut quiet = before.clone();
        quiet.local_modes.remove(LocalModes::ECHO);
        quiet.local_modes.insert(LocalModes::ECHONL);
        tcsetattr(&stdin, OptionalActions::Flush, &quiet).map_err(CliError::failed)?;
        Ok(Self(stdin, before))
    }
}

impl Drop for Silent {
    fn drop(&mut self) {
        // Nothing more can be done for a terminal that went away.
        let _ = tcsetattr(&self.0, OptionalActions::Flush, &self.1);
    }
}

fn typed(prompt: &str, screen: &mut Screen<'_>) -> Result<String, CliError> {
    let stdin = std::io::stdin();
    if !stdin.is_terminal() {
        let message =
            "there is no terminal to ask for the password: use --password-file FILE, or `-` for a pipe";
        return Err(CliError::Usage(message.to_owned()));
    }
    write!(screen.err, "{prompt}")?;
    screen.err.flush()?;
    let silent = Silent::new(stdin)?;
    first_line(silent.0.lock(), "the terminal")
}
