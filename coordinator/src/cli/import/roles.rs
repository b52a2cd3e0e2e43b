//! Uplink roles: one name for "the same NIC" of hosts that count their NICs differently.
//!
//! Owns: finding and naming roles. Must not: know where the NICs are used. Called by `fold`.

use model::{HostId, VmnicName};
use std::collections::BTreeMap;

/// The NIC of each host that a role stands for.
type Role = BTreeMap<HostId, VmnicName>;

/// The roles found so far, in the order they were met.
#[derive(Debug, Default)]
pub struct Roles(Vec<Role>);

impl Roles {
    /// The names of the roles that stand for these lists, place by place. `None` when the lists differ in length.
    pub fn assign(&mut self, lists: &BTreeMap<&HostId, Vec<VmnicName>>) -> Option<Vec<String>> {
        let length = lists.values().next().map(Vec::len)?;
        if lists.values().any(|list| list.len() != length) {
            return None;
        }
        let mut names = Vec::with_capacity(length);
        for place in 0..length {
            let role: Role = lists
                .iter()
                .filter_map(|(host, list)| Some(((*host).clone(), list.get(place)?.clone())))
                .collect();
            names.push(name(self.place(role)));
        }
        Some(names)
    }

    /// The number of a role that agrees with `wanted` on every host they share, made when there is none.
    fn place(&mut self, wanted: Role) -> usize {
        let agrees = |role: &Role| {
            let mut shared = wanted.iter().filter_map(|(host, nic)| Some((nic, role.get(host)?))).peekable();
            shared.peek().is_some() && shared.all(|(a, b)| a == b)
        };
        match self.0.iter().position(agrees) {
            Some(at) => {
                if let Some(role) = self.0.get_mut(at) {
                    role.extend(wanted);
                }
                at
            }
            None => {
                self.0.push(wanted);
                self.0.len() - 1
            }
        }
    }

    /// Every role by name.
    pub fn into_named(self) -> impl Iterator<Item = (String, Role)> {
        self.0.into_iter().enumerate().map(|(at, role)| (name(at), role))
    }
}

/// `a` to `z`, then `u26` and so on.
fn name(at: usize) -> String {
    match u8::try_from(at) {
        Ok(letter) if letter < 26 => char::from(b'a' + letter).to_string(),
        _ => format!("u{at}"),
    }
}
