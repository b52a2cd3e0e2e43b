//! Whether a person and the author of a commit are the same: nobody approves their own change.
//!
//! Mail addresses are compared, because that is all a commit says for sure about its author. Called through
//! [`super::Identity::authorship`].

/// Whether a person wrote a commit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Authorship {
    /// The same mail address.
    Same,
    /// Two different addresses.
    Other,
    /// One of the two has no address: nothing is known, so it must not count as "other".
    Unknown,
}

impl Authorship {
    /// Compares a person's mail address with the author line of a commit, `Name <address>` or an address alone.
    #[must_use]
    pub fn of(email: Option<&str>, git_author: &str) -> Self {
        let person = email.and_then(address);
        match (person, address(git_author)) {
            (Some(person), Some(author)) if person == author => Self::Same,
            (Some(_), Some(_)) => Self::Other,
            _ => Self::Unknown,
        }
    }
}

/// The mail address in a text, in the one form that is compared.
fn address(text: &str) -> Option<String> {
    let text = text.trim();
    let inner = match text.rsplit_once('<') {
        Some((_, rest)) => rest.strip_suffix('>')?,
        None => text,
    };
    let inner = inner.trim();
    let (local, domain) = inner.rsplit_once('@')?;
    let fits = !local.is_empty() && !domain.is_empty() && !inner.chars().any(char::is_whitespace);
    fits.then(|| inner.to_lowercase())
}
