//! What cargo resolves: packages, where they are from, what they need. Must not judge.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use anyhow::Context;
use serde::Deserialize;

use crate::process::{cargo, output_of};
use crate::target::MUSL;

/// The platform that is looked at: both targets of deny.toml resolve to the same packages.
const PLATFORM: &str = MUSL;

/// One package.
#[derive(Debug, Clone, Deserialize)]
pub struct Package {
    /// As cargo names it.
    pub id: String,
    /// Its name.
    pub name: String,
    /// Its version.
    pub version: String,
    /// Licence expression; empty when it says none.
    #[serde(default, deserialize_with = "or_empty")]
    pub license: String,
    /// Where it comes from; empty for ours.
    #[serde(default, deserialize_with = "or_empty")]
    pub source: String,
}

fn or_empty<'de, D: serde::Deserializer<'de>>(value: D) -> Result<String, D::Error> {
    Ok(Option::<String>::deserialize(value)?.unwrap_or_default())
}

impl Package {
    /// One of the workspace.
    pub fn is_ours(&self) -> bool {
        self.source.is_empty()
    }

    /// From the registry that cargo knows by itself.
    pub fn is_from_the_registry(&self) -> bool {
        self.source.starts_with("registry+") && self.source.ends_with("/crates.io-index")
    }
}

#[derive(Deserialize)]
struct Metadata {
    packages: Vec<Package>,
    resolve: Resolve,
}

#[derive(Deserialize)]
struct Resolve {
    nodes: Vec<Node>,
}

#[derive(Deserialize)]
struct Node {
    id: String,
    deps: Vec<Dependency>,
}

#[derive(Deserialize)]
struct Dependency {
    pkg: String,
    dep_kinds: Vec<Kind>,
}

#[derive(Deserialize)]
struct Kind {
    kind: Option<String>,
}

#[derive(Deserialize)]
struct Lock {
    package: Vec<Locked>,
}

#[derive(Deserialize)]
struct Locked {
    name: String,
    version: String,
    checksum: Option<String>,
}

/// Everything that is built on one platform.
pub struct Graph {
    /// The packages, by name and version.
    pub packages: Vec<Package>,
    /// Per package id: the ids of what is linked into it (no tools of its build, no tests).
    pub needs: BTreeMap<String, BTreeSet<String>>,
    /// SHA-256 of what is downloaded, by name and version.
    pub checksums: BTreeMap<(String, String), String>,
}

impl Graph {
    /// Asks cargo, without changing the lock file.
    pub fn resolve(root: &Path) -> anyhow::Result<Self> {
        let mut ask = cargo(root);
        ask.args(["metadata", "--format-version", "1", "--locked", "--filter-platform", PLATFORM]);
        let lock = std::fs::read_to_string(root.join("Cargo.lock")).context("Cargo.lock cannot be read")?;
        Self::read(&output_of(&mut ask)?, &lock)
    }

    fn read(metadata: &str, lock: &str) -> anyhow::Result<Self> {
        let Metadata { packages, resolve } =
            serde_json::from_str(metadata).context("cannot read what cargo metadata printed")?;
        let lock: Lock = toml::from_str(lock).context("Cargo.lock is not as expected")?;
        let linked = |dependency: &Dependency| dependency.dep_kinds.iter().any(|kind| kind.kind.is_none());
        let needs: BTreeMap<String, BTreeSet<String>> = resolve
            .nodes
            .iter()
            .map(|node| {
                let ids = node.deps.iter().filter(|dependency| linked(dependency)).map(|dep| dep.pkg.clone());
                (node.id.clone(), ids.collect())
            })
            .collect();
        let mut packages: Vec<Package> =
            packages.into_iter().filter(|package| needs.contains_key(&package.id)).collect();
        packages.sort_by(|a, b| (&a.name, &a.version).cmp(&(&b.name, &b.version)));
        let checksums = lock
            .package
            .into_iter()
            .filter_map(|locked| Some(((locked.name, locked.version), locked.checksum?)))
            .collect();
        Ok(Self { packages, needs, checksums })
    }

    /// The packages that are linked into one of ours, itself first.
    pub fn linked_into(&self, program: &str) -> anyhow::Result<Vec<&Package>> {
        let first = self.packages.iter().find(|package| package.is_ours() && package.name == program);
        let first = first.with_context(|| format!("there is no crate {program}"))?;
        let mut seen = BTreeSet::from([first.id.as_str()]);
        let mut queue = vec![first.id.as_str()];
        while let Some(id) = queue.pop() {
            for need in self.needs.get(id).into_iter().flatten() {
                if seen.insert(need) {
                    queue.push(need);
                }
            }
        }
        let rest = self
            .packages
            .iter()
            .filter(|package| package.id != first.id && seen.contains(package.id.as_str()));
        Ok(std::iter::once(first).chain(rest).collect())
    }
}
