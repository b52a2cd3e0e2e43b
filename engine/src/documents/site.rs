//! `pointsman.yaml`: reading and its own checks, also of waivers and severities. Must not look at groups.

use super::near::nearest;
use super::scalar::is_date;
use super::yaml::Node;
use super::{Repository, SITE_FILE, place_of, read_document, rules};
use crate::rules::{RULES, rule};
use model::{Component, Finding, SCHEMA_VERSION, Severity, SiteDocument, Span, Waiver};
use std::collections::BTreeMap;

/// Reads the site document into `repository`.
pub(super) fn read(path: &str, bytes: &[u8], repository: &mut Repository) {
    let findings = &mut repository.findings;
    let document = read_document::<SiteDocument>(path, Component::Site, bytes, findings);
    let Some(site) = document.value else { return };
    let error = |rule: &str, keys: &[&str], message: String| {
        Finding::error(rule, Component::Site, message)
            .at(place_of(document.root.as_ref(), keys).in_file(path))
    };
    if site.schema != SCHEMA_VERSION {
        let message = format!("format version {} is not read by this release", site.schema);
        let hint = format!("this release reads `schema: {SCHEMA_VERSION}`");
        findings.push(error(rules::SCHEMA_VERSION, &["schema"], message).hint(hint));
    }
    let reserved = site.vlans.as_ref().map_or(&[][..], |vlans| &vlans.reserved);
    for (name, role) in &site.roles {
        if let Some(vlan) = role.vlan.filter(|vlan| reserved.contains(vlan)) {
            let message = format!("role `{name}` uses VLAN {}, which this site reserves", vlan.get());
            let hint = "choose another VLAN, or take it out of `vlans.reserved`";
            findings.push(error(rules::VLAN_RESERVED, &["roles", name, "vlan"], message).hint(hint));
        }
        if let (Some(mtu), Some(physical)) = (role.mtu, site.physical_mtu)
            && mtu > physical
        {
            let message = format!("role `{name}` has MTU {mtu}, more than `physical_mtu` {physical} carries");
            let hint = "lower it, or raise `physical_mtu` when the switches carry more";
            findings.push(error(rules::BAD_VALUE, &["roles", name, "mtu"], message).hint(hint));
        }
    }
    let tree = document.root.as_ref();
    waivers(&site, tree, findings);
    severities(&site, tree, findings);
    stacks(&site, tree, findings);
    repository.site = site;
    repository.site_tree = document.root;
    repository.site_known = true;
}

fn finding(tree: Option<&Node>, id: &str, keys: &[&str], message: String, hint: String) -> Finding {
    Finding::error(id, Component::Site, message).at(place_of(tree, keys).in_file(SITE_FILE)).hint(hint)
}

/// Why a rule can be neither waived nor weighed anew, and what to do.
fn is_fixed(id: &str) -> Option<(String, String)> {
    match rule(id) {
        Some(rule) if rule.severity == Severity::Blocker => {
            let message = format!("`{id}` is a blocker: a host would refuse it or be cut off");
            Some((message, "change the network instead".to_owned()))
        }
        Some(_) => None,
        None => {
            let ids = RULES.iter().flat_map(|family| family.iter()).map(|rule| rule.id);
            let near = nearest(id, ids).map(|near| format!("did you mean `{near}`? ")).unwrap_or_default();
            Some((
                format!("there is no best-practice rule `{id}`"),
                format!("{near}`pointsman rules list` shows all"),
            ))
        }
    }
}

/// Where a field of a waiver is written, else the waiver.
fn waiver_place(tree: Option<&Node>, at: usize, key: &str) -> Span {
    let list = tree.and_then(|tree| tree.get("waivers"));
    let item = list.and_then(|list| list.items().get(at));
    let place = item.map(|item| item.get(key).unwrap_or(item).place);
    place.unwrap_or_else(|| place_of(tree, &["waivers"])).in_file(SITE_FILE)
}

fn waivers(site: &SiteDocument, tree: Option<&Node>, findings: &mut Vec<Finding>) {
    for (at, waiver) in site.waivers.iter().enumerate() {
        let Waiver { rule, reason, expires, object } = waiver;
        let mut report = |key: &str, message: String, hint: String| {
            let finding = Finding::error(rules::WAIVER, Component::Site, message);
            findings.push(finding.at(waiver_place(tree, at, key)).hint(hint));
        };
        if let Some((message, hint)) = is_fixed(rule) {
            report("rule", message, hint);
        }
        if reason.trim().is_empty() {
            report(
                "reason",
                format!("the waiver of `{rule}` gives no reason"),
                "say why it is right here".to_owned(),
            );
        }
        if object.is_empty() {
            let hint = "write `group/host/port_groups/NAME`; `*` stands for any text".to_owned();
            report("object", format!("the waiver of `{rule}` names no object"), hint);
        }
        if !is_date(expires) {
            report("expires", format!("`{expires}` is no date"), "write it as YYYY-MM-DD".to_owned());
        }
    }
}

/// Waivers past their date: what they covered counts again.
pub(crate) fn expired_waivers(repository: &Repository, today: &str) -> Vec<Finding> {
    let gone = |(_, waiver): &(usize, &Waiver)| is_date(&waiver.expires) && waiver.expires.as_str() < today;
    let told = |(at, waiver): (usize, &Waiver)| {
        let place = waiver_place(repository.site_tree.as_ref(), at, "expires");
        let message =
            format!("the waiver of `{}` for `{}` expired on {}", waiver.rule, waiver.object, waiver.expires);
        Finding::warning(rules::WAIVER_EXPIRED, Component::Site, message)
            .at(place)
            .hint("remove it, or give it a later date in a reviewed change")
    };
    repository.site.waivers.iter().enumerate().filter(gone).map(told).collect()
}

fn severities(site: &SiteDocument, tree: Option<&Node>, findings: &mut Vec<Finding>) {
    for id in site.severity.keys() {
        if let Some((message, hint)) = is_fixed(id) {
            findings.push(finding(tree, rules::RULE_SEVERITY, &["severity", id], message, hint));
        }
    }
}

fn stacks(site: &SiteDocument, tree: Option<&Node>, findings: &mut Vec<Finding>) {
    let mut owners = BTreeMap::new();
    for (stack, members) in site.cabling.iter().flat_map(|cabling| &cabling.stacks) {
        for member in members {
            if let Some(other) = owners.insert(member, stack) {
                let message = format!("physical switch `{member}` is in the stacks `{other}` and `{stack}`");
                let keys = ["cabling", "stacks", stack];
                findings.push(finding(tree, rules::CABLING, &keys, message, "keep it in one".to_owned()));
            }
        }
    }
}
