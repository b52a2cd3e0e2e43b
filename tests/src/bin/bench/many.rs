//! A fleet of 10,000 hosts on one core: reading and resolving the repository, and planning every host.

use crate::figure::Figure;
use crate::network::{Shape, Stage, address, blank, document, read, realised};
use anyhow::{Context, ensure};
use engine::documents::parse_repository;
use engine::plan::plan;
use engine::resolve::{ResolvedHost, resolve_all};
use model::{HostId, Ipv4Cidr, Known, ObservedIpv4, ObservedNetwork, ObservedVmk, VmkName};
use std::collections::BTreeMap;
use std::hint::black_box;
use std::time::{Duration, Instant};

/// 25 objects: 3 switches, 17 port groups, 4 adapters, 1 netstack.
const SHAPE: Shape = Shape { switches: 3, port_groups: 17, vmks: 4 };
/// Hosts of the fleet.
const HOSTS: usize = 10_000;
/// Hosts of one group.
const GROUP_HOSTS: usize = 500;
/// Pictures of hosts held at once, to bound memory.
const CHUNK: usize = 500;
/// The promise for all plans together, in seconds.
const TARGET_SECS: f64 = 2.0;

fn host_name(n: usize) -> String {
    format!("esx-{n:05}")
}

/// A configuration repository with every host of the fleet.
fn repository() -> BTreeMap<String, Vec<u8>> {
    let mut files = BTreeMap::from([("pointsman.yaml".to_owned(), b"schema: 1\n".to_vec())]);
    let network = document(SHAPE, Stage::After, |vmk| format!("${{host.vmk{vmk}_ip}}"));
    for g in 0..HOSTS / GROUP_HOSTS {
        let members = g * GROUP_HOSTS..(g + 1) * GROUP_HOSTS;
        let names = members.clone().map(host_name).collect::<Vec<_>>().join(", ");
        let folder = format!("groups/g{g:02}");
        files.insert(format!("{folder}/group.yaml"), format!("members: {{hosts: [{names}]}}\n").into_bytes());
        files.insert(format!("{folder}/network.yaml"), network.clone().into_bytes());
        for n in members {
            let values =
                (0..SHAPE.vmks).map(|vmk| format!("vmk{vmk}_ip: {}", address(n, vmk))).collect::<Vec<_>>();
            let text = format!("labels: {{rack: r{}}}\nvalues: {{{}}}\n", n / 20, values.join(", "));
            files.insert(format!("{folder}/hosts/{}.yaml", host_name(n)), text.into_bytes());
        }
    }
    files
}

/// What host number `n` looks like: the template with addresses of its own.
fn observed(template: &ObservedNetwork, n: usize) -> anyhow::Result<ObservedNetwork> {
    let mut host = template.clone();
    let renumber = |(name, vmk): (&VmkName, &mut ObservedVmk)| -> anyhow::Result<()> {
        let own = address(n, usize::try_from(name.number())?);
        let own: Ipv4Cidr = own.parse().ok().with_context(|| format!("{own} is no address"))?;
        vmk.ipv4 = Known::Read(ObservedIpv4::Static { address: own, gateway: None });
        Ok(())
    };
    host.vmkernels.read_mut().into_iter().flatten().try_for_each(renumber)?;
    Ok(host)
}

fn resolve(
    files: &BTreeMap<String, Vec<u8>>,
) -> anyhow::Result<(BTreeMap<HostId, ResolvedHost>, [Duration; 2])> {
    let started = Instant::now();
    let repository = parse_repository(files);
    let parsed = started.elapsed();
    let started = Instant::now();
    let (hosts, findings) = resolve_all(&repository, None);
    let resolved = started.elapsed();
    let wrong = repository.findings.iter().chain(&findings).find(|finding| finding.is_error());
    ensure!(wrong.is_none(), "the fleet's documents are wrong: {wrong:?}");
    ensure!(hosts.len() == HOSTS, "{} hosts resolved, not {HOSTS}", hosts.len());
    Ok((hosts, [parsed, resolved]))
}

fn plan_all(hosts: &BTreeMap<HostId, ResolvedHost>) -> anyhow::Result<(Duration, usize)> {
    let before = read(&document(SHAPE, Stage::Before, |vmk| address(0, vmk)))?;
    let template = realised(&before, &blank(2 * SHAPE.switches + 1)?)?;
    let wanted = hosts.values().map(|host| host.desired.as_ref().context("a host without a network"));
    let wanted = wanted.collect::<anyhow::Result<Vec<_>>>()?;
    let (mut took, mut steps) = (Duration::ZERO, 0);
    for (chunk, wanted) in wanted.chunks(CHUNK).enumerate() {
        let first = chunk * CHUNK;
        let found = (first..first + wanted.len()).map(|n| observed(&template, n));
        let found = found.collect::<anyhow::Result<Vec<_>>>()?;
        let started = Instant::now();
        let planned: Vec<_> = wanted
            .iter()
            .zip(&found)
            .map(|(wanted, host)| plan(black_box(wanted), black_box(host)))
            .collect();
        took += started.elapsed();
        for planned in &planned {
            ensure!(!planned.is_refused(), "a host is refused: {:#?}", planned.findings);
            steps += planned.plan.steps.len();
        }
    }
    Ok((took, steps))
}

/// Measures.
pub fn measure() -> anyhow::Result<Vec<Figure>> {
    let (hosts, [parsed, resolved]) = resolve(&repository())?;
    let (planned, steps) = plan_all(&hosts)?;
    let figure = |name, time: Duration| Figure::new(name, (time.as_secs_f64() * 1e3).round() / 1e3, "s");
    let what = format!("{HOSTS} hosts of 25 objects, one core, {} steps each", steps / HOSTS);
    Ok(vec![
        figure("parse_10000_hosts", parsed)
            .detail(format!("{HOSTS} host documents in {} groups", HOSTS / GROUP_HOSTS)),
        figure("resolve_10000_hosts", resolved),
        figure("plan_10000_hosts", planned).at_most(TARGET_SECS).detail(what),
    ])
}
