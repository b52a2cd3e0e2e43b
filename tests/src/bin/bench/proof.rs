//! What the proof of an order weighs beside the order, and how long a host takes to believe it.

use crate::figure::Figure;
use anyhow::{Context, ensure};
use engine::apply::read_order;
use engine::proof::{
    MerkleTree, NAMESPACE_CHANGE, SshPublicKey, TrustedSet, check, check_order_signature, encode_ed25519,
    leaf_of, order_signing_bytes, release_leaf_hash, signed_data, to_bytes,
};
use model::{
    Approver, ApproverSet, ChangeId, Disruption, Generation, HostId, Order, PlanDigest, ProbePlan,
    RELEASE_FORMAT, ReleaseManifest, ReleaseProof, RfcId, Sha256Hash, Wall,
};
use proto::convert::proof_wire_bytes;
use ring::signature::{Ed25519KeyPair, KeyPair};
use std::hint::black_box;
use std::time::Instant;

/// Hosts of the release.
const HOSTS: u32 = 100_000;
/// Most bytes beside the order.
const BYTES_MAX: f64 = 1536.0;
/// Longest time of a verdict, in milliseconds.
const VERDICT_MS_MAX: f64 = 1.0;
/// Verdicts that are measured; the median counts.
const ROUNDS: usize = 501;
/// Seeds of the approvers' keys, and of the coordinator's.
const APPROVERS: [u8; 2] = [1, 2];
const COORDINATOR: u8 = 3;
const NOW: Wall = Wall(1_800_000_000_000);

fn key(seed: u8) -> anyhow::Result<Ed25519KeyPair> {
    Ed25519KeyPair::from_seed_unchecked(&[seed; 32]).ok().context("no key")
}

fn public(seed: u8) -> anyhow::Result<[u8; 32]> {
    Ok(key(seed)?.public_key().as_ref().try_into()?)
}

fn sign(seed: u8, manifest: &[u8]) -> anyhow::Result<Vec<u8>> {
    let raw = key(seed)?.sign(&signed_data(NAMESPACE_CHANGE, manifest));
    Ok(encode_ed25519(public(seed)?, NAMESPACE_CHANGE, raw.as_ref().try_into()?))
}

fn set() -> anyhow::Result<TrustedSet> {
    let person = |seed: u8| -> anyhow::Result<Approver> {
        let key = SshPublicKey::from_ed25519(public(seed)?).line();
        Ok(Approver { name: format!("approver-{seed}"), email: None, key })
    };
    Ok(TrustedSet::new(ApproverSet {
        format: RELEASE_FORMAT,
        version: 1,
        name: "default".to_owned(),
        repository: None,
        threshold: 2,
        approvers: APPROVERS.into_iter().map(person).collect::<anyhow::Result<_>>()?,
        break_glass: Vec::new(),
        break_glass_threshold: 0,
        not_after: None,
    })?)
}

fn order() -> anyhow::Result<Order> {
    let mut groups = serde_json::Map::new();
    for number in 0..20 {
        let group = serde_json::json!({ "vswitch": "vSwitch0", "vlan": 100 + number });
        groups.insert(format!("network-{number}"), group);
    }
    Ok(Order {
        host: HostId::new("esx-04-0217.dc1.example.com")?,
        change: ChangeId::new("0190c2a4-7b1c-7def-8123-0123456789ab")?,
        generation: Generation(118),
        commit: "8d0037b27a31c1ad6f4c90f3e1b7a2c95d8e6f01".to_owned(),
        desired: serde_json::from_value(serde_json::json!({ "port_groups": groups }))?,
        plan_digest: PlanDigest("5d".repeat(32)),
        disruption_allowed: Disruption::LinkBounce,
        confirm_timeout: model::Millis::from_secs(60),
        probes: ProbePlan::default(),
    })
}

/// An order of one of many hosts, with a proof as deep and as signed as it gets.
fn offer() -> anyhow::Result<(Vec<u8>, ReleaseProof)> {
    let (order, parent, wave, place) = (order()?, Generation(117), 3, HOSTS / 3);
    let order_json = to_bytes(&order);
    let mut leaves: Vec<Sha256Hash> =
        (0..HOSTS).map(|host| engine::proof::leaf_hash(&host.to_be_bytes())).collect();
    leaves[usize::try_from(place)?] = release_leaf_hash(&leaf_of(&order, &order_json, parent, wave));
    let tree = MerkleTree::new(leaves).context("no leaves")?;
    let manifest = to_bytes(&ReleaseManifest {
        format: RELEASE_FORMAT,
        repository: "https://git.example.com/network/esxi-config.git".to_owned(),
        change: order.change,
        rfc: Some(RfcId(1204)),
        commit: order.commit,
        number: 1,
        root: tree.root(),
        hosts: HOSTS,
        wave_delays_secs: vec![0, 900, 1800, 2700],
        not_before: Wall(NOW.0 - 3_600_000),
        not_after: Wall(NOW.0 + 604_800_000),
    });
    let signatures =
        APPROVERS.into_iter().map(|seed| sign(seed, &manifest)).collect::<anyhow::Result<_>>()?;
    let signed = order_signing_bytes(&order_json, &manifest);
    let coordinator_signature = key(COORDINATOR)?.sign(&signed).as_ref().to_vec();
    let path = tree.path(place).context("no path")?;
    let proof =
        ReleaseProof { manifest, signatures, parent, wave, leaf_index: place, path, coordinator_signature };
    Ok((order_json, proof))
}

/// Measures.
pub fn measure() -> anyhow::Result<Vec<Figure>> {
    let (set, coordinator, (order_json, proof)) = (set()?, public(COORDINATOR)?, offer()?);
    let mut times = Vec::with_capacity(ROUNDS);
    for _ in 0..ROUNDS {
        let begun = Instant::now();
        check_order_signature(&coordinator, black_box(&order_json), Some(&proof))?;
        let order = read_order(&order_json)?;
        let proven = check(&set, &order_json, &order, black_box(&proof), NOW)?;
        times.push(begun.elapsed().as_secs_f64() * 1000.0);
        ensure!(proven.names.len() == 2, "two approved: {proven:?}");
    }
    times.sort_by(f64::total_cmp);
    let bytes = f64::from(u32::try_from(proof_wire_bytes(&proof)?)?);
    let order_bytes = f64::from(u32::try_from(order_json.len())?);
    Ok(vec![
        Figure::new("proof_bytes", bytes, "bytes")
            .at_most(BYTES_MAX)
            .detail("beside the order: 100,000 hosts, 2 signatures, the coordinator's own"),
        Figure::new("order_bytes", order_bytes, "bytes").detail("the order itself: 20 port groups"),
        Figure::new("proof_verdict", times[ROUNDS / 2], "ms")
            .at_most(VERDICT_MS_MAX)
            .detail("3 signatures, parsing, leaf and path; median"),
        Figure::new("proof_verdict_p99", times[ROUNDS * 99 / 100], "ms").detail("the same, 99 of 100"),
    ])
}
