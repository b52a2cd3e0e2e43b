//! Why a message is not acceptable. Names the field and the limit, and repeats little of the input.

use model::InvalidId;

/// How much of a bad text is repeated in an error, in characters.
const ECHO_CHARS_MAX: usize = 64;
/// Longest free text in an envelope, in bytes.
pub(super) const TEXT_BYTES_MAX: usize = 1024;

/// Why a wire message was refused, or cannot be sent.
#[derive(Debug, thiserror::Error)]
pub enum WireError {
    /// A message without content.
    #[error("the message is empty: `{field}` is missing; the sender may speak a newer protocol")]
    Missing {
        /// The absent field.
        field: &'static str,
    },
    /// A field over its limit.
    #[error("`{field}` has {bytes} bytes, more than the {limit} allowed")]
    TooLarge {
        /// The field.
        field: &'static str,
        /// Its size.
        bytes: usize,
        /// The limit.
        limit: usize,
    },
    /// A document that is not what it should be.
    #[error("`{field}` is not a valid document: {source}")]
    Malformed {
        /// The field.
        field: &'static str,
        /// What serde found, with line and column.
        source: serde_json::Error,
    },
    /// A document that cannot be written as JSON.
    #[error("`{field}` cannot be written as JSON: {source}")]
    Unwritable {
        /// The field.
        field: &'static str,
        /// What serde found.
        source: serde_json::Error,
    },
    /// An identifier that is none.
    #[error("`{field}`: {source}")]
    Id {
        /// The field.
        field: &'static str,
        /// What is wrong with it.
        source: InvalidId,
    },
    /// A number that cannot be meant.
    #[error("`{field}` is {number}, which no host can have reached")]
    Implausible {
        /// The field.
        field: &'static str,
        /// The number.
        number: u64,
    },
    /// A number outside of its range.
    #[error("`{field}` is {number}, allowed are numbers up to {limit}")]
    OutOfRange {
        /// The field.
        field: &'static str,
        /// The number.
        number: u32,
        /// The largest one allowed.
        limit: u32,
    },
    /// A text that does not say what it should.
    #[error("`{field}` is `{text}`, which is no {what}")]
    NotThat {
        /// The field.
        field: &'static str,
        /// The text, cut.
        text: String,
        /// What was expected.
        what: &'static str,
    },
    /// A phase this build does not know.
    #[error("`phase` is `{text}`, which is no phase of an order")]
    UnknownPhase {
        /// The text, cut.
        text: String,
    },
    /// A document and its hash that do not belong together.
    #[error("`content_hash` is {told}, but the document hashes to {found}: the observation was altered")]
    HashDiffers {
        /// The hash in the message, cut.
        told: String,
        /// The hash of the document.
        found: String,
    },
}

/// The first characters of a text, for a message.
pub(super) fn bounded(text: &str) -> String {
    text.chars().take(ECHO_CHARS_MAX).collect()
}

/// Refuses a field over its limit.
pub(super) fn check_size(field: &'static str, bytes: usize, limit: usize) -> Result<(), WireError> {
    if bytes > limit {
        return Err(WireError::TooLarge { field, bytes, limit });
    }
    Ok(())
}

/// A short text, or the refusal.
pub(super) fn short_text(field: &'static str, text: String) -> Result<String, WireError> {
    check_size(field, text.len(), TEXT_BYTES_MAX)?;
    Ok(text)
}

/// Free text cut to what the other side takes, at a character boundary.
pub(super) fn cut_text(mut text: String) -> String {
    let end = text.floor_char_boundary(TEXT_BYTES_MAX);
    text.truncate(end);
    text
}
