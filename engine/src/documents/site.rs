//! `pointsman.yaml`: reading and its own checks. Must not look at groups.

use super::{Repository, place_of, read_document, rules};
use model::{Component, Finding, SCHEMA_VERSION, SiteDocument};

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
    repository.site = site;
    repository.site_known = true;
}
