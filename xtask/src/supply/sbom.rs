//! A bill of materials in the form of CycloneDX 1.5. The same lock file gives the same bytes: no time, no random number.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use super::graph::{Graph, Package};

/// The bill of one program.
pub fn of(graph: &Graph, program: &str) -> anyhow::Result<Value> {
    let linked = graph.linked_into(program)?;
    let ids: BTreeSet<&str> = linked.iter().map(|package| package.id.as_str()).collect();
    let reference =
        |id: &str| linked.iter().find(|package| package.id == id).map(|package| reference_of(package));
    let dependencies: Vec<Value> = linked
        .iter()
        .map(|package| {
            let needs = graph.needs.get(&package.id).into_iter().flatten();
            let on: Vec<String> =
                needs.filter(|id| ids.contains(id.as_str())).filter_map(|id| reference(id)).collect();
            json!({ "ref": reference_of(package), "dependsOn": on })
        })
        .collect();
    let (this, others) = linked.split_first().map_or((None, &[][..]), |(this, others)| (Some(this), others));
    Ok(json!({
        "bomFormat": "CycloneDX",
        "specVersion": "1.5",
        "version": 1,
        "metadata": { "component": this.map(|package| component(graph, package, "application")) },
        "components": others.iter().map(|package| component(graph, package, "library")).collect::<Vec<_>>(),
        "dependencies": dependencies,
    }))
}

fn reference_of(package: &Package) -> String {
    format!("pkg:cargo/{}@{}", package.name, package.version)
}

fn component(graph: &Graph, package: &Package, kind: &str) -> Value {
    let mut component = json!({
        "type": kind,
        "bom-ref": reference_of(package),
        "name": package.name,
        "version": package.version,
        "purl": reference_of(package),
    });
    if !package.license.is_empty() {
        component["licenses"] =
            json!([{ "expression": package.license.replace(" / ", " OR ").replace('/', " OR ") }]);
    }
    let key = (package.name.clone(), package.version.clone());
    if let Some(checksum) = graph.checksums.get(&key) {
        component["hashes"] = json!([{ "alg": "SHA-256", "content": checksum }]);
    }
    component
}
