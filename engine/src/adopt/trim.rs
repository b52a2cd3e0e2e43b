//! Takes out of a folded group what does not need to be said.
//!
//! Owns: `inherit` where every host says so (what is not written is left alone), and overrides that then say nothing.
//! Security stays, because a setting that is opened by hand there has to show up as drift. Must not: change what a
//! host's network comes to. Called by `fold`.

use super::fold::{Folded, OBJECT_DEPTH, is_empty};
use crate::documents::template::escape;
use serde_json::Value;
use std::collections::BTreeSet;

pub(super) fn trim(folded: &mut Folded) {
    let overrides = || folded.hosts.values().flat_map(|part| &part.overrides);
    let into_teaming: BTreeSet<String> = overrides()
        .filter_map(|deviation| match deviation.path.as_slice() {
            [kind, object, field, _, ..] if kind == "port_groups" && field == "teaming" => {
                Some(escape(object))
            }
            _ => None,
        })
        .collect();
    let groups = folded.template.get_mut("port_groups").and_then(Value::as_object_mut);
    for (name, group) in groups.into_iter().flatten() {
        trim_port_group(group, into_teaming.contains(name).then_some(Keep::Teaming));
    }
    for deviation in folded.hosts.values_mut().flat_map(|part| &mut part.overrides) {
        if matches!(deviation.path.as_slice(), [kind, _] if kind == "port_groups") {
            trim_port_group(&mut deviation.value, None);
        }
    }
    let template = &folded.template;
    for part in folded.hosts.values_mut() {
        // A field that nobody is asked for needs not be left alone.
        part.overrides.retain(|deviation| {
            deviation.path.len() <= OBJECT_DEPTH
                || !deviation.value.is_null()
                || is_there(template, &deviation.path)
        });
    }
}

fn is_there(template: &Value, path: &[String]) -> bool {
    path.iter().try_fold(template, |node, key| node.get(escape(key))).is_some()
}

/// What has to stay in a port group even when it is empty.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Keep {
    Teaming,
}

fn trim_port_group(group: &mut Value, keep: Option<Keep>) {
    let Some(group) = group.as_object_mut() else { return };
    let is_inherit = |value: &Value| value.as_str() == Some("inherit");
    if let Some(teaming) = group.get_mut("teaming").and_then(Value::as_object_mut) {
        teaming.retain(|_, value| !is_inherit(value));
    }
    if keep != Some(Keep::Teaming) {
        group.retain(|key, value| key != "teaming" || !is_empty(value));
    }
    group.retain(|key, value| key != "shaping" || !is_inherit(value));
}
