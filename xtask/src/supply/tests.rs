//! Each rule finds what it is for, and the workspace keeps them all.

use super::*;
use crate::process::workspace_root;

fn package(name: &str, version: &str, license: &str, source: &str) -> Package {
    let id = format!("{name}@{version}");
    let owned = str::to_owned;
    Package { id, name: owned(name), version: owned(version), license: owned(license), source: owned(source) }
}

const REGISTRY: &str = "registry+https://registry.example/crates.io-index";

fn rules() -> Rules {
    toml::from_str(
        "[licenses]\nallow = ['MIT', 'Apache-2.0 WITH LLVM-exception', 'ISC']\n\
         [bans]\ndeny = [{ name = 'openssl' }]\nskip = [{ name = 'old', version = '0.1' }]\n",
    )
    .unwrap()
}

#[test]
fn each_rule_finds_its_own() {
    let old = package("old", "0.1.7", "MIT", REGISTRY);
    let good = [old.clone(), package("old", "0.2.0", "MIT", REGISTRY), package("ours", "1.0.0", "ISC", "")];
    assert_eq!(judge(&rules(), &good), Vec::<String>::new());
    let found = |bad: Package, word: &str| {
        let problems = judge(&rules(), &[old.clone(), bad]);
        assert!(problems.len() == 1 && problems[0].starts_with(word), "{problems:?}");
    };
    found(package("copyleft", "1.0.0", "GPL-3.0", REGISTRY), "licence");
    found(package("silent", "1.0.0", "", REGISTRY), "licence");
    found(package("openssl", "0.10.1", "MIT", REGISTRY), "ban");
    found(package("forked", "1.0.0", "MIT", "git+https://forge.example/x"), "source");
    let twice = [old, package("two", "1.0.0", "MIT", REGISTRY), package("two", "2.0.0", "MIT", REGISTRY)];
    assert!(judge(&rules(), &twice)[0].starts_with("duplicate: two 1.0.0 and 2.0.0"));
    assert!(judge(&rules(), &good[2..])[0].starts_with("stale"));
}

#[test]
fn licence_expressions_are_met_or_not() {
    let allowed = rules().licenses.allow;
    for (expression, met) in [
        ("MIT OR GPL-3.0", true),
        ("GPL-3.0/MIT", true),
        ("MIT AND GPL-3.0", false),
        ("(GPL-3.0 OR MIT) AND ISC", true),
        ("Apache-2.0", false),
        ("Apache-2.0 WITH LLVM-exception", true),
        ("MIT OR", false),
        ("(MIT", false),
        ("MIT ISC", false),
    ] {
        assert_eq!(licence::is_allowed(expression, &allowed), met, "{expression}");
    }
}

#[test]
fn a_bill_names_every_part_of_the_agent_and_none_of_its_tests() {
    let graph = Graph::resolve(&workspace_root().unwrap()).unwrap();
    let bill = sbom::of(&graph, "agent").unwrap();
    assert_eq!(bill["metadata"]["component"]["name"], "agent");
    let components = bill["components"].as_array().unwrap();
    let find = |name: &str| components.iter().find(|component| component["name"] == name);
    assert_eq!(find("rustls").unwrap()["hashes"][0]["content"].as_str().unwrap().len(), 64);
    assert!(find("model").is_some() && find("tempfile").is_none() && find("sqlx").is_none());
    assert_eq!(bill["dependencies"].as_array().unwrap().len(), components.len() + 1);
    assert_eq!(bill, sbom::of(&graph, "agent").unwrap());
}

#[test]
fn the_workspace_keeps_its_own_rules() {
    let root = workspace_root().unwrap();
    let text = std::fs::read_to_string(root.join("deny.toml")).unwrap();
    let rules: Rules = toml::from_str(&text).unwrap();
    assert_eq!(judge(&rules, &Graph::resolve(&root).unwrap().packages), Vec::<String>::new());
}
