//! What the environment tells, for records and reports only. Must not decide anything.

/// The names of whoever typed, most telling first.
const PERSON: [&str; 3] = ["SUDO_USER", "LOGNAME", "USER"];

/// Who typed, where the shell tells.
#[must_use]
pub fn person() -> Option<String> {
    PERSON.into_iter().filter_map(|name| std::env::var(name).ok()).find(|name| !name.trim().is_empty())
}

/// The language of the shell.
#[must_use]
pub fn language() -> Option<String> {
    std::env::var("LANG").ok()
}
