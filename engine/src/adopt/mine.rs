//! Mining: which of many hosts belong together, so that their groups need few overrides.
//!
//! Owns: the groups and their names. Must not: write files (`files` does) or look at anything but the hosts' networks,
//! names and labels. Called by the import verb.
//!
//! One measure decides everything: text. An override is [`OVERRIDE_LINES`] lines, a group of its own is a whole
//! network document. Hosts join the nearest group while that is the shorter text, and hosts of a group that share
//! differences leave it together when that is shorter. The result does not depend on the names of hosts or their order.
//!
//! Work: hosts of equal shape count once. With S shapes of F facts and G groups it is S x G x F for the first pass and
//! as much for every round of the last; splitting a group looks at each difference once.

use super::describe::Description;
use super::files::{AdoptError, Adopted, HostLabels, adopt_described, described};
use super::name::Names;
use super::shape::{Fields, Numbers, Shape, Unlike, Words, compare, distance, words};
use model::{HostGroupId, HostId, ObservedNetwork, VmkName};
use std::collections::{BTreeMap, BTreeSet};

/// Lines of an override in a host document: path, value, reason and a list mark's worth of attention.
const OVERRIDE_LINES: usize = 4;
/// Rounds in which hosts may still go over to a nearer group.
const ROUNDS_MAX: usize = 4;
/// Fewest hosts that leave a group together.
const SPLIT_HOSTS_MIN: usize = 2;

/// What is known about hosts and groups besides the hosts' networks.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Hints {
    /// Labels by host; `cluster` names a group.
    pub labels: HostLabels,
    /// Names for the groups, largest first; those after the last one are made up.
    pub names: Vec<HostGroupId>,
    /// Names that are taken.
    pub taken: BTreeSet<HostGroupId>,
}

/// The proposal.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Mined {
    /// Groups, largest first.
    pub groups: Vec<Adopted>,
    /// Hosts of which nothing can be said, and what could not be read of them.
    pub unread: BTreeMap<HostId, Vec<String>>,
}

/// Proposes groups for these hosts.
///
/// # Errors
/// [`AdoptError`] when a host has no form as a document.
pub fn mine(observed: &BTreeMap<HostId, &ObservedNetwork>, hints: &Hints) -> Result<Mined, AdoptError> {
    let mut mined = Mined::default();
    let mut descriptions = BTreeMap::new();
    let mut shapes: BTreeMap<Words, Vec<HostId>> = BTreeMap::new();
    for (host, observed) in observed {
        match described(observed) {
            Ok(description) => {
                shapes.entry(words(&description)?).or_default().push(host.clone());
                descriptions.insert(host.clone(), description);
            }
            Err(unread) => {
                mined.unread.insert(host.clone(), unread);
            }
        }
    }
    let mut groups: Vec<Vec<HostId>> = cluster(shapes);
    groups.sort_by(|a, b| b.len().cmp(&a.len()).then_with(|| a.cmp(b)));
    let mut names = Names::new(hints);
    for hosts in groups {
        let name = names.next(&hosts);
        let of_group: BTreeMap<HostId, Description> =
            hosts.iter().filter_map(|host| descriptions.remove_entry(host)).collect();
        let seen = hosts.iter().filter_map(|host| Some((host.clone(), *observed.get(host)?))).collect();
        mined.groups.push(adopt_described(&name, of_group, &seen, &hints.labels)?);
    }
    Ok(mined)
}

/// Hosts of one shape.
struct Class {
    left_out: BTreeSet<VmkName>,
    shape: Shape,
    hosts: Vec<HostId>,
}

/// Numbers of classes that belong together.
type Group = Vec<usize>;

fn cluster(shapes: BTreeMap<Words, Vec<HostId>>) -> Vec<Vec<HostId>> {
    let numbers = Numbers::of(shapes.keys());
    let classes = shapes.iter().map(|(words, hosts)| Class {
        left_out: words.left_out.clone(),
        shape: numbers.shape(words),
        hosts: hosts.clone(),
    });
    let mut classes: Vec<Class> = classes.collect();
    // Content decides between equals, never a host's name.
    classes.sort_by(|a, b| {
        let order = (&a.shape, &a.left_out).cmp(&(&b.shape, &b.left_out));
        b.hosts.len().cmp(&a.hosts.len()).then(order)
    });
    let mut pending = gather(&classes);
    let mut groups: Vec<Group> = Vec::new();
    while let Some(group) = pending.pop() {
        match split(&classes, &group) {
            Some((rest, apart)) => pending.extend([rest, apart]),
            None => groups.push(group),
        }
    }
    settle(&classes, &mut groups);
    let hosts = |group: &Group| {
        let mut hosts: Vec<HostId> =
            group.iter().filter_map(|at| classes.get(*at)).flat_map(|class| class.hosts.clone()).collect();
        hosts.sort();
        hosts
    };
    groups.iter().map(hosts).collect()
}

/// Whether a host of this size is better off with so many overrides than with a network of its own.
fn is_near(differences: usize, size: usize) -> bool {
    differences * OVERRIDE_LINES <= size
}

/// The first pass, largest classes first: each joins the nearest one that leads a group, or leads one.
fn gather(classes: &[Class]) -> Vec<Group> {
    let mut groups: Vec<Group> = Vec::new();
    for (at, class) in classes.iter().enumerate() {
        let leaders = groups.iter().enumerate().filter_map(|(number, group)| {
            let leader = classes.get(*group.first()?)?;
            let differences = distance(&leader.shape, &class.shape);
            let fits = leader.left_out == class.left_out && is_near(differences, class.shape.size());
            fits.then_some((differences, number))
        });
        match leaders.min().and_then(|(_, number)| groups.get_mut(number)) {
            Some(group) => group.push(at),
            None => groups.push(vec![at]),
        }
    }
    groups
}

/// Hosts that share differences from their group apart, when that is the shorter text. The best such set.
fn split(classes: &[Class], group: &Group) -> Option<(Group, Group)> {
    let template = template(classes, group);
    let mut unlike: BTreeMap<Unlike, Group> = BTreeMap::new();
    let mut cost: BTreeMap<usize, usize> = BTreeMap::new();
    for at in group {
        let class = classes.get(*at)?;
        compare(&template, &class.shape, |difference| {
            unlike.entry(difference).or_default().push(*at);
            *cost.entry(*at).or_default() += class.hosts.len();
        });
    }
    let mut best: Option<(usize, Group)> = None;
    for apart in unlike.into_values().filter(|apart| apart.len() < group.len()) {
        let hosts: usize =
            apart.iter().filter_map(|at| classes.get(*at)).map(|class| class.hosts.len()).sum();
        let before: usize = apart.iter().filter_map(|at| cost.get(at)).sum();
        if hosts < SPLIT_HOSTS_MIN || is_near(before, template.size()) {
            continue;
        }
        let own = self::template(classes, &apart);
        let saved = before.saturating_sub(total(classes, &apart, &own));
        let better = best.as_ref().is_none_or(|(most, _)| saved > *most);
        if better && !is_near(saved, own.size()) {
            best = Some((saved, apart));
        }
    }
    let (_, apart) = best?;
    let rest = group.iter().filter(|at| !apart.contains(at)).copied().collect();
    Some((rest, apart))
}

/// Overrides that the hosts of a group need over this network.
fn total(classes: &[Class], group: &Group, template: &Shape) -> usize {
    let of = |class: &Class| distance(template, &class.shape) * class.hosts.len();
    group.iter().filter_map(|at| classes.get(*at)).map(of).sum()
}

/// The last pass: classes go over to a group whose network is nearer.
fn settle(classes: &[Class], groups: &mut Vec<Group>) {
    for _ in 0..ROUNDS_MAX {
        let templates: Vec<Shape> = groups.iter().map(|group| template(classes, group)).collect();
        let mut next: Vec<Group> = vec![Vec::new(); groups.len()];
        let mut moved = false;
        for (home, at) in
            groups.iter().enumerate().flat_map(|(n, group)| group.iter().map(move |at| (n, *at)))
        {
            let Some(class) = classes.get(at) else { continue };
            let leads = |group: &Group| group.first().and_then(|first| classes.get(*first));
            let fits = |number: &usize| {
                groups.get(*number).and_then(leads).is_some_and(|leader| leader.left_out == class.left_out)
            };
            let to = |number: usize| {
                let differences =
                    templates.get(number).map_or(usize::MAX, |shape| distance(shape, &class.shape));
                (differences, number != home, number)
            };
            let nearest = (0..groups.len()).filter(fits).map(to).min().map_or(home, |(_, _, number)| number);
            moved |= nearest != home;
            if let Some(group) = next.get_mut(nearest) {
                group.push(at);
            }
        }
        next.retain(|group| !group.is_empty());
        *groups = next;
        if !moved {
            return;
        }
    }
}

/// Hosts by value, by field.
type FieldCounts = BTreeMap<u32, BTreeMap<u32, usize>>;

/// The network that needs the fewest overrides: of each object whether most have it, of each field what most have.
fn template(classes: &[Class], group: &Group) -> Shape {
    let mut objects: BTreeMap<u32, (usize, FieldCounts)> = BTreeMap::new();
    let mut hosts = 0;
    for class in group.iter().filter_map(|at| classes.get(*at)) {
        let count = class.hosts.len();
        hosts += count;
        for (object, fields) in &class.shape.objects {
            let (have, of_object) = objects.entry(*object).or_default();
            *have += count;
            for (field, value) in fields {
                *of_object.entry(*field).or_default().entry(*value).or_default() += count;
            }
        }
    }
    let kept = objects.into_iter().filter(|(_, (have, _))| have * 2 > hosts);
    let objects = kept.map(|(object, (_, fields))| {
        let most = |values: BTreeMap<u32, usize>| {
            values.into_iter().max_by_key(|(value, count)| (*count, std::cmp::Reverse(*value)))
        };
        let fields: Fields<u32> =
            fields.into_iter().filter_map(|(field, values)| Some((field, most(values)?.0))).collect();
        (object, fields)
    });
    Shape { objects: objects.collect() }
}
