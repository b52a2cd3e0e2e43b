//! The one comment of a pull request: found by a hidden mark, edited in place, never two.
//!
//! Must not: touch a comment of somebody else, whatever it holds. Called by the task that reviews pull requests.

use super::{Comment, Forge, ForgeError};

/// First line of our comment; not shown by any forge.
pub const MARK: &str = "<!-- pointsman:review -->";

/// Brings our comment to this text; gives it. A second one of ours (made when an answer was lost) is removed. Nothing is
/// sent when the text is there already.
///
/// # Errors
/// What the forge answered.
pub async fn put(forge: &dyn Forge, number: u64, text: &str) -> Result<Comment, ForgeError> {
    let body = format!("{MARK}\n{text}");
    let account = forge.account().await?;
    let found = forge.comments(number).await?;
    let mut ours = found
        .into_iter()
        .filter(|comment| comment.author.eq_ignore_ascii_case(&account) && comment.body.starts_with(MARK));
    let Some(mut first) = ours.next() else {
        return forge.add_comment(number, &body).await;
    };
    for surplus in ours {
        forge.delete_comment(number, surplus.id).await?;
    }
    if !same_text(&first.body, &body) {
        forge.edit_comment(number, first.id, &body).await?;
        first.body = body;
    }
    Ok(first)
}

/// Forges change line ends and the end of a text.
fn same_text(a: &str, b: &str) -> bool {
    a.replace('\r', "").trim_end() == b.replace('\r', "").trim_end()
}
