//! Texts to start from: a repository and an RFC document, with comments that explain them.
//!
//! What is made here reads without findings. Must not: write files. Called by the command line.

use super::write::document_yaml;
use model::RfcId;

/// A file to be written: path in the repository and text.
pub type ScaffoldFile = (String, String);

const SITE: &str = include_str!("scaffold/pointsman.yaml");
const GROUP: &str = include_str!("scaffold/group.yaml");
const NETWORK: &str = include_str!("scaffold/network.yaml");
const HOST: &str = include_str!("scaffold/host.yaml");
const README: &str = include_str!("scaffold/README.md");
const RFC: &str = include_str!("scaffold/rfc.md");

/// Longest file name part made from a title, in characters.
const SLUG_CHARS_MAX: usize = 60;

/// The files of a new configuration repository with one example group and host.
#[must_use]
pub fn repository() -> Vec<ScaffoldFile> {
    [
        ("README.md", README),
        ("groups/example/group.yaml", GROUP),
        ("groups/example/hosts/esx01.yaml", HOST),
        ("groups/example/network.yaml", NETWORK),
        ("pointsman.yaml", SITE),
    ]
    .map(|(path, text)| (path.to_owned(), text.to_owned()))
    .into()
}

/// A new RFC document; `title` and `author` come from the caller.
#[must_use]
pub fn rfc(number: RfcId, title: &str, author: &str) -> ScaffoldFile {
    filled(RFC, number, title, author)
}

/// An RFC document from a text with marks for number, title and author.
pub(crate) fn filled(text: &str, number: RfcId, title: &str, author: &str) -> ScaffoldFile {
    let inline = |text: &str| document_yaml(&text.trim()).trim_end().to_owned();
    let text = text
        .replace("@NUMBER@", &number.0.to_string())
        .replace("@AUTHOR@", &inline(author))
        .replace("@TITLE@", &inline(title));
    (format!("rfcs/{:04}-{}.md", number.0, slug(title)), text)
}

/// A title as part of a file name.
fn slug(title: &str) -> String {
    let words = title.to_lowercase();
    let words: Vec<&str> =
        words.split(|c: char| !c.is_ascii_alphanumeric()).filter(|word| !word.is_empty()).collect();
    let slug: String = words.join("-").chars().take(SLUG_CHARS_MAX).collect();
    let slug = slug.trim_end_matches('-');
    if slug.is_empty() { "change".to_owned() } else { slug.to_owned() }
}
