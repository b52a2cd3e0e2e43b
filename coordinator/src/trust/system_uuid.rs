//! System UUIDs: which of them tell one machine from another.

/// Characters of a UUID.
const UUID_CHARS: usize = 36;
/// What boards carry whose maker gave them no UUID of their own.
const PLACEHOLDERS: [&str; 3] = [
    "00000000-0000-0000-0000-000000000000",
    "ffffffff-ffff-ffff-ffff-ffffffffffff",
    "03000200-0400-0500-0006-000700080009",
];

/// The UUID in lower case; `None` when it is none, or a placeholder that many machines share.
#[must_use]
pub fn usable_uuid(text: &str) -> Option<String> {
    let uuid = text.trim().to_ascii_lowercase();
    let well_formed = uuid.len() == UUID_CHARS
        && uuid.bytes().enumerate().all(|(at, byte)| match at {
            8 | 13 | 18 | 23 => byte == b'-',
            _ => byte.is_ascii_hexdigit(),
        });
    (well_formed && !PLACEHOLDERS.contains(&uuid.as_str())).then_some(uuid)
}
