//! Which path of the repository holds what. Must not read contents.

use super::rules;
use super::yaml::Place;
use super::{SITE_FILE, near};
use model::{Component, Finding, HostGroupId, HostId};

/// What a path holds.
pub(super) enum Slot {
    Site,
    Group(HostGroupId),
    Network(HostGroupId),
    Host(HostGroupId, HostId),
    Rfc(u32),
    /// Not ours: readme files, CI settings and the like.
    Ignored,
    Refused(Box<Finding>),
}

const GROUP_FILES: &str = "a group holds group.yaml, network.yaml and hosts/<host>.yaml";
const RFC_FILES: &str = "RFC documents are rfcs/NNNN-slug.md, e.g. rfcs/0042-move-vmotion.md";

fn refused(rule: &str, path: &str, component: Component, message: String, hint: impl Into<String>) -> Slot {
    let finding = Finding::error(rule, component, message).at(Place::START.in_file(path)).hint(hint);
    Slot::Refused(Box::new(finding))
}

/// Classifies a path.
pub(super) fn slot(path: &str) -> Slot {
    if path == SITE_FILE {
        return Slot::Site;
    }
    let parts: Vec<&str> = path.split('/').collect();
    let name = parts.last().copied().unwrap_or_default();
    let foreign = name.starts_with('.') || name.eq_ignore_ascii_case("readme.md");
    match parts.as_slice() {
        ["groups" | "rfcs", ..] if foreign => Slot::Ignored,
        ["groups", group, rest @ ..] => in_group(path, group, rest),
        ["rfcs", file] => rfc(path, file),
        ["rfcs", ..] => unexpected(path, Component::Rfc, RFC_FILES.to_owned()),
        _ => Slot::Ignored,
    }
}

fn unexpected(path: &str, component: Component, hint: String) -> Slot {
    refused(rules::UNEXPECTED_FILE, path, component, format!("nothing reads the file `{path}`"), hint)
}

fn in_group(path: &str, group: &str, rest: &[&str]) -> Slot {
    if rest.is_empty() {
        let hint = format!("files belong into a folder per group: {GROUP_FILES}");
        return unexpected(path, Component::Group, hint);
    }
    let id = match HostGroupId::new(group) {
        Ok(id) => id,
        Err(error) => {
            let hint = "rename the folder";
            return refused(rules::BAD_NAME, path, Component::Group, error.to_string(), hint);
        }
    };
    match rest {
        ["group.yaml"] => Slot::Group(id),
        ["network.yaml"] => Slot::Network(id),
        ["hosts", file] => host(path, id, file),
        [file] => {
            let hint = match near::nearest(file, ["group.yaml", "network.yaml"]) {
                Some(near) => format!("did you mean `{near}`? {GROUP_FILES}"),
                None => GROUP_FILES.to_owned(),
            };
            unexpected(path, Component::Group, hint)
        }
        _ => unexpected(path, Component::Group, GROUP_FILES.to_owned()),
    }
}

fn host(path: &str, group: HostGroupId, file: &str) -> Slot {
    let Some(stem) = file.strip_suffix(".yaml") else {
        let hint = match file.strip_suffix(".yml") {
            Some(stem) => format!("rename it to `{stem}.yaml`"),
            None => "host documents are hosts/<host>.yaml".to_owned(),
        };
        return unexpected(path, Component::Host, hint);
    };
    match HostId::new(stem) {
        Ok(host) => Slot::Host(group, host),
        Err(error) => refused(rules::BAD_NAME, path, Component::Host, error.to_string(), "rename the file"),
    }
}

fn rfc(path: &str, file: &str) -> Slot {
    let number = || {
        let (digits, slug) = file.strip_suffix(".md")?.split_once('-')?;
        let slug_ok = !slug.is_empty()
            && slug.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-');
        let digits_ok = digits.len() >= 4 && digits.bytes().all(|b| b.is_ascii_digit());
        if slug_ok && digits_ok { digits.parse().ok() } else { None }
    };
    match number() {
        Some(number) => Slot::Rfc(number),
        None => unexpected(path, Component::Rfc, RFC_FILES.to_owned()),
    }
}

/// The finding for a repository without a site document.
pub(super) fn missing_site() -> Finding {
    Finding::error(rules::MISSING_FILE, Component::Site, "there is no pointsman.yaml")
        .at(Place::START.in_file(SITE_FILE))
        .hint("write at least `schema: 1`; `pointsman init` makes a repository to start from")
}
