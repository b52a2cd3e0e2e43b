//! Overrides of one host as an overlay of the group's tree. Must not copy the tree.

use super::{Finding, Overlay};
use crate::documents::error::{NodeKey, Source};
use crate::documents::near::suggest;
use crate::documents::scalar::is_date;
use crate::documents::yaml::{Key, Kind, Node, Place};
use crate::documents::{HostEntry, Template, rules};
use model::Component;

/// Puts the overrides of a host over its group's tree; what does not fit is a finding. `None` when
/// the host has none.
pub(super) fn overlay<'a>(
    template: &'a Template,
    entry: &'a HostEntry,
    today: Option<&str>,
    findings: &mut Vec<Finding>,
) -> Option<Overlay<'a>> {
    let nodes = entry.root.as_ref()?.get("overrides")?.items();
    let mut overlay = Overlay::default();
    for node in nodes {
        // What is not readable here has its finding from reading the host document.
        let (Some(path), Some(value)) = (node.get("path"), node.get("value")) else { continue };
        let Some(text) = path.scalar() else { continue };
        let mut report = |rule: &str, place: Place, message: String, hint: String| {
            let finding = Finding::error(rule, Component::Host, message);
            findings.push(finding.at(place.in_file(&entry.file)).hint(hint));
        };
        if let Err((message, hint)) = put(&mut overlay, &template.root, path, text, value) {
            report(rules::OVERRIDE_PATH, path.place, message, hint);
        }
        let Some((expires, date)) = node.get("expires").and_then(|n| n.scalar().map(|text| (n, text))) else {
            continue;
        };
        if date.is_empty() || date == "null" || date == "~" {
            continue;
        }
        if !is_date(date) {
            let message = format!("`expires` is `{date}`, which is no date");
            report(rules::OVERRIDE_EXPIRED, expires.place, message, "write it as YYYY-MM-DD".to_owned());
        } else if today.is_some_and(|today| date < today) {
            let message = format!("the override of `{text}` expired on {date}");
            let hint = "remove it, or give it a later date in a reviewed change".to_owned();
            report(rules::OVERRIDE_EXPIRED, expires.place, message, hint);
        }
    }
    Some(overlay)
}

type Refusal = (String, String);

fn put<'a>(
    overlay: &mut Overlay<'a>,
    root: &'a Node,
    path: &Node,
    text: &str,
    value: &'a Node,
) -> Result<(), Refusal> {
    let Some(pointer) = text.strip_prefix('/') else {
        let hint = "write it like `/port_groups/VM Network/vlan`".to_owned();
        return Err((format!("the path `{text}` does not begin with `/`"), hint));
    };
    let mut at = (Source::Document, root);
    let mut walked = String::new();
    let mut tokens = pointer.split('/').peekable();
    while let Some(token) = tokens.next() {
        let token = token.replace("~1", "/").replace("~0", "~");
        let last = tokens.peek().is_none();
        let next = step(overlay, at, &token);
        match next {
            Some((source, node)) if last => {
                let key = NodeKey { source, id: node.id };
                if overlay.replaced.contains_key(&key) {
                    return Err(twice(text));
                }
                overlay.replaced.insert(key, value);
                return Ok(());
            }
            Some((source, node)) => at = behind(overlay, source, node),
            None if last && is_map(at.1) => {
                let key = Key { text: token, place: path.place };
                let map = NodeKey { source: at.0, id: at.1.id };
                let added = overlay.added.entry(map).or_default();
                added.push((key, value));
                return Ok(());
            }
            None => return Err(nowhere(text, &walked, &token, at.1)),
        }
        walked.push('/');
        walked.push_str(&token);
    }
    Ok(())
}

fn is_map(node: &Node) -> bool {
    matches!(node.kind, Kind::Map(_))
}

fn twice(text: &str) -> Refusal {
    (format!("the path `{text}` is overridden twice"), "keep one of the two".to_owned())
}

/// The node as overrides made before have it.
fn behind<'a>(overlay: &Overlay<'a>, source: Source, node: &'a Node) -> (Source, &'a Node) {
    match overlay.replaced.get(&NodeKey { source, id: node.id }) {
        Some(node) => (Source::Host, node),
        None => (source, node),
    }
}

fn step<'a>(
    overlay: &Overlay<'a>,
    (source, node): (Source, &'a Node),
    token: &str,
) -> Option<(Source, &'a Node)> {
    match &node.kind {
        Kind::Map(_) => node.get(token).map(|node| (source, node)).or_else(|| {
            let added = overlay.added.get(&NodeKey { source, id: node.id })?;
            added.iter().find(|(key, _)| key.text == token).map(|(_, node)| (Source::Host, *node))
        }),
        Kind::Seq(items) => token.parse::<usize>().ok().and_then(|at| items.get(at)).map(|n| (source, n)),
        _ => None,
    }
}

fn nowhere(text: &str, walked: &str, token: &str, node: &Node) -> Refusal {
    let known: Vec<&str> = node.entries().iter().map(|(key, _)| key.text.as_str()).collect();
    let place = if walked.is_empty() { "the top".to_owned() } else { format!("`{walked}`") };
    let message = format!("the path `{text}` leads nowhere: there is no `{token}` at {place}");
    let hint = match &node.kind {
        Kind::Seq(items) => format!("it is a list with {} items, counted from 0", items.len()),
        Kind::Map(_) => suggest("keys", token, &known),
        _ => "override the value there as a whole".to_owned(),
    };
    (message, hint)
}
