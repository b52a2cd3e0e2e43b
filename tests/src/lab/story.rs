//! The changes that the demo and the tests tell: edits of the documents, each with its RFC.

use super::{GROUP, Lab};
use engine::documents::scaffold;
use model::RfcId;

/// Sets one key in a YAML document as this product writes it (blocks, two blanks an indent); makes what is missing.
#[must_use]
pub fn set_key(document: &str, path: &[&str], value: &str) -> String {
    let mut lines: Vec<String> = document.lines().map(str::to_owned).collect();
    let (mut from, mut to) = (0, lines.len());
    for (depth, key) in path.iter().enumerate() {
        let indent = "  ".repeat(depth);
        let head = format!("{indent}{}:", quoted(key));
        let found = (from..to).find(|at| lines[*at] == head || lines[*at].starts_with(&format!("{head} ")));
        let last = depth + 1 == path.len();
        let at = found.unwrap_or_else(|| {
            lines.insert(to, head.clone());
            to
        });
        if last {
            lines[at] = format!("{head} {value}");
            break;
        }
        let inner = format!("{indent}  ");
        from = at + 1;
        to = (from..lines.len()).find(|line| !lines[*line].starts_with(&inner)).unwrap_or(lines.len());
    }
    lines.join("\n") + "\n"
}

/// A key as the product's writer puts it: quoted when it is not plain.
fn quoted(key: &str) -> String {
    let plain = key.chars().all(|c| c.is_ascii_alphanumeric() || "_-. ".contains(c));
    if plain { key.to_owned() } else { format!("{key:?}") }
}

/// A change ready to merge.
#[derive(Debug, Clone)]
pub struct Story {
    /// Number of its RFC.
    pub rfc: u32,
    /// Title of its RFC.
    pub title: &'static str,
    /// Keys of the group's network and their new values.
    pub edits: Vec<(Vec<&'static str>, &'static str)>,
}

impl Story {
    /// A new VLAN port group, large frames on its switch, and another failover policy.
    #[must_use]
    pub fn backup_network() -> Self {
        Self {
            rfc: 1,
            title: "Backup network on VLAN 114 with jumbo frames",
            edits: vec![
                (vec!["port_groups", "Backup 114", "vswitch"], "vSwitch1"),
                (vec!["port_groups", "Backup 114", "vlan"], "114"),
                (vec!["port_groups", "Backup 114", "security", "allow_promiscuous"], "false"),
                (vec!["vswitches", "vSwitch1", "mtu"], "9000"),
                (vec!["vswitches", "vSwitch1", "teaming", "failback"], "false"),
                (vec!["vswitches", "vSwitch1", "teaming", "load_balancing"], "mac"),
            ],
        }
    }

    /// The management network on a VLAN that leads nowhere, with the author's allowance: every host it reaches is cut off.
    #[must_use]
    pub fn cut_management(rfc: u32) -> Self {
        Self {
            rfc,
            title: "Management network on VLAN 666",
            edits: vec![(vec!["port_groups", "Management Network", "vlan"], "666")],
        }
    }

    /// One more port group.
    #[must_use]
    pub fn port_group(rfc: u32) -> Self {
        Self {
            rfc,
            title: "Port group for the test network",
            edits: vec![
                (vec!["port_groups", "Test 115", "vswitch"], "vSwitch1"),
                (vec!["port_groups", "Test 115", "vlan"], "115"),
            ],
        }
    }

    /// Edits the documents, adds the RFC, merges; gives the merge commit.
    ///
    /// # Errors
    /// When git refuses or a file is not as expected.
    pub fn merge(&self, lab: &Lab) -> anyhow::Result<String> {
        self.write(lab, &[])?;
        lab.config.merge(&format!("rfc/{:04}", self.rfc), self.title)
    }

    /// Edits the documents and adds the RFC with these keys set in its front matter; commits nothing.
    ///
    /// # Errors
    /// When a file is not as expected.
    pub fn write(&self, lab: &Lab, front_matter: &[(&[&str], &str)]) -> anyhow::Result<()> {
        let path = format!("groups/{GROUP}/network.yaml");
        let mut network = lab.config.read(&path)?;
        for (key, value) in &self.edits {
            network = set_key(&network, key, value);
        }
        lab.config.write(&path, &network)?;
        let (path, mut text) = scaffold::rfc(RfcId(self.rfc), self.title, "ana");
        let reason = "The nightly backups saturate the production network; they get one of their own.";
        text = with_front_matter(&text, &["status"], "proposed");
        text = with_front_matter(&text, &["reason"], reason);
        for (key, value) in front_matter {
            text = with_front_matter(&text, key, value);
        }
        lab.config.write(&path, &text)
    }
}

/// Sets a key in the front matter of an RFC document.
fn with_front_matter(document: &str, key: &[&str], value: &str) -> String {
    let Some((front, body)) = document.strip_prefix("---\n").and_then(|rest| rest.split_once("\n---\n"))
    else {
        return document.to_owned();
    };
    format!("---\n{}---\n{body}", set_key(front, key, value))
}
