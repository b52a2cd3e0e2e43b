//! The verdict on an order: what is proven, and each way in which it is not.

use super::*;
use model::Sha256Hash;
use proptest::prelude::*;

/// All that goes into a verdict.
struct Case {
    set: ApproverSet,
    order: Order,
    order_json: Option<Vec<u8>>,
    proof: ReleaseProof,
    now: Wall,
}

/// Host 5 of nine, approved by Ann and Bob, when its wave has begun.
fn case() -> Case {
    let release = release(9);
    Case {
        set: set(),
        order: release.orders[5].clone(),
        order_json: None,
        proof: release.proof(5, &[1, 2]),
        now: BEGIN.plus(Millis::from_secs(600)),
    }
}

impl Case {
    fn verdict(&self) -> Result<Proven, Unproven> {
        let trusted = TrustedSet::new(self.set.clone()).unwrap();
        let json = self.order_json.clone().unwrap_or_else(|| to_bytes(&self.order));
        check(&trusted, &json, &self.order, &self.proof, self.now)
    }
}

/// The case with another manifest, signed anew by Ann and Bob.
fn resigned(case: &mut Case, change: impl FnOnce(&mut ReleaseManifest)) {
    let mut manifest: ReleaseManifest = serde_json::from_slice(&case.proof.manifest).unwrap();
    change(&mut manifest);
    sign_bytes(case, to_bytes(&manifest));
}

fn sign_bytes(case: &mut Case, manifest: Vec<u8>) {
    case.proof.signatures = [1, 2].map(|seed| sign(seed, NAMESPACE_CHANGE, &manifest)).to_vec();
    case.proof.manifest = manifest;
}

#[test]
fn an_approved_order_is_proven() {
    let proven = case().verdict().unwrap();
    let names = vec!["ann".to_owned(), "bob".to_owned()];
    assert_eq!(proven, Proven { parent: Generation(6), names, standing: Standing::Approved });
}

#[test]
fn an_emergency_is_proven_and_named_so() {
    let mut case = case();
    let emergency = sign(9, NAMESPACE_BREAK_GLASS, &case.proof.manifest);
    case.proof.signatures = vec![emergency.clone()];
    let proven = case.verdict().unwrap();
    assert_eq!((proven.standing, proven.names), (Standing::BreakGlass, vec!["eve".to_owned()]));
    let ann = sign(1, NAMESPACE_CHANGE, &case.proof.manifest);
    let bob = sign(2, NAMESPACE_CHANGE, &case.proof.manifest);
    case.proof.signatures = vec![emergency, ann, bob];
    assert_eq!(case.verdict().unwrap().standing, Standing::Approved, "not needed, not named");
}

/// What is done to a good case.
type Spoil = fn(&mut Case);

/// What is done to the good case, and what is lacking then.
const LACKING: &[(&str, UnprovenKind, Spoil)] = &[
    ("no signature", UnprovenKind::ThresholdNotMet, |case| case.proof.signatures.clear()),
    ("one of two", UnprovenKind::ThresholdNotMet, |case| _ = case.proof.signatures.pop()),
    ("one twice", UnprovenKind::ThresholdNotMet, |case| {
        case.proof.signatures[1] = case.proof.signatures[0].clone();
    }),
    ("a stranger", UnprovenKind::ThresholdNotMet, |case| {
        case.proof.signatures[1] = sign(50, NAMESPACE_CHANGE, &case.proof.manifest);
    }),
    ("an approver in the namespace of emergencies", UnprovenKind::ThresholdNotMet, |case| {
        case.proof.signatures[1] = sign(2, NAMESPACE_BREAK_GLASS, &case.proof.manifest);
    }),
    ("a signature of another release", UnprovenKind::SignatureWrong, |case| {
        case.proof.signatures[1] = sign(2, NAMESPACE_CHANGE, b"{}");
    }),
    ("a signature for an approver set", UnprovenKind::SignatureWrong, |case| {
        case.proof.signatures[1] = sign(2, NAMESPACE_APPROVERS, &case.proof.manifest);
    }),
    ("a cut signature", UnprovenKind::SignatureMalformed, |case| _ = case.proof.signatures[1].pop()),
    ("too many signatures", UnprovenKind::ProofTooLarge, |case| {
        case.proof.signatures = vec![case.proof.signatures[0].clone(); 17];
    }),
    ("a large manifest", UnprovenKind::ProofTooLarge, |case| {
        sign_bytes(case, vec![b' '; MANIFEST_BYTES_MAX + 1]);
    }),
    ("a long path", UnprovenKind::ProofTooLarge, |case| {
        case.proof.path = vec![Sha256Hash([0; 32]); PATH_STEPS_MAX + 1];
    }),
    ("an altered manifest", UnprovenKind::SignatureWrong, |case| {
        let at = case.proof.manifest.len() - 2;
        case.proof.manifest[at] ^= 1;
    }),
    ("an unknown field", UnprovenKind::ManifestMalformed, |case| {
        let text = String::from_utf8(case.proof.manifest.clone()).unwrap();
        sign_bytes(case, text.replacen('{', "{\"force\":true,", 1).into_bytes());
    }),
    ("something after the manifest", UnprovenKind::ManifestMalformed, |case| {
        sign_bytes(case, [&case.proof.manifest[..], b"{}"].concat());
    }),
    ("a format of the future", UnprovenKind::ManifestMalformed, |case| resigned(case, |m| m.format = 2)),
    ("no wave", UnprovenKind::ManifestMalformed, |case| resigned(case, |m| m.wave_delays_secs.clear())),
    ("an end before the beginning", UnprovenKind::ManifestMalformed, |case| {
        resigned(case, |m| m.not_after = Wall(1));
    }),
    ("another repository", UnprovenKind::OtherRepository, |case| {
        case.set.repository = Some("https://git.example.com/other".to_owned());
    }),
    ("another change", UnprovenKind::OtherChange, |case| {
        resigned(case, |m| m.change = ChangeId::new("change-2").unwrap());
    }),
    ("another commit", UnprovenKind::OtherChange, |case| resigned(case, |m| m.commit = "beef".to_owned())),
    ("another host's place", UnprovenKind::NotInRelease, |case| case.proof.leaf_index = 4),
    ("a place that is not there", UnprovenKind::NotInRelease, |case| case.proof.leaf_index = 9),
    ("another wave", UnprovenKind::NotInRelease, |case| case.proof.wave = 0),
    ("another parent", UnprovenKind::NotInRelease, |case| case.proof.parent = Generation(5)),
    ("another generation", UnprovenKind::NotInRelease, |case| case.order.generation = Generation(8)),
    ("another plan", UnprovenKind::NotInRelease, |case| case.order.plan_digest = PlanDigest("f".to_owned())),
    ("more disruption", UnprovenKind::NotInRelease, |case| {
        case.order.disruption_allowed = Disruption::ManagementPath;
    }),
    ("a longer window", UnprovenKind::NotInRelease, |case| {
        case.order.confirm_timeout = Millis::from_secs(600);
    }),
    ("fewer probes", UnprovenKind::NotInRelease, |case| case.order.probes.need = Some(0)),
    ("other content", UnprovenKind::NotInRelease, |case| {
        case.order.desired = serde_json::from_str(r#"{"port_groups":{"web":{"absent":true}}}"#).unwrap();
    }),
    ("other bytes of the same order", UnprovenKind::NotInRelease, |case| {
        case.order_json = Some([&to_bytes(&case.order)[..], b" "].concat());
    }),
    ("an altered path", UnprovenKind::NotInRelease, |case| case.proof.path[1].0[7] ^= 1),
    ("a shorter path", UnprovenKind::NotInRelease, |case| _ = case.proof.path.pop()),
    ("fewer hosts", UnprovenKind::NotInRelease, |case| resigned(case, |m| m.hosts = 3)),
    ("another root", UnprovenKind::NotInRelease, |case| resigned(case, |m| m.root = Sha256Hash([0; 32]))),
    ("a wave without a time", UnprovenKind::NotInRelease, |case| {
        resigned(case, |m| m.wave_delays_secs = vec![0]);
    }),
    ("before it begins", UnprovenKind::NotYetValid, |case| case.now = Wall(BEGIN.0 - CLOCK_SKEW.0 - 1)),
    ("a host whose clock stands still", UnprovenKind::NotYetValid, |case| case.now = Wall(0)),
    ("after its end", UnprovenKind::Expired, |case| {
        case.now = BEGIN.plus(Millis(86_400_000 + CLOCK_SKEW.0 + 1));
    }),
    ("before its wave", UnprovenKind::WaveTooEarly, |case| {
        case.now = BEGIN.plus(Millis(600_000 - CLOCK_SKEW.0 - 1));
    }),
    ("a set that ended", UnprovenKind::ApproverSetExpired, |case| case.set.not_after = Some(BEGIN)),
];

#[test]
fn each_thing_that_is_lacking_has_its_own_name() {
    for (what, kind, spoil) in LACKING {
        let mut case = case();
        spoil(&mut case);
        let error = case.verdict().expect_err(what);
        assert_eq!(error.kind, *kind, "{what}: {error}");
        assert!(!error.detail.is_empty());
    }
}

#[test]
fn the_limits_of_time_themselves_are_inside() {
    let mut case = case();
    for (now, proven) in
        [(Wall(BEGIN.0 + 600_000 - CLOCK_SKEW.0), true), (Wall(BEGIN.0 + 86_400_000 + CLOCK_SKEW.0), true)]
    {
        case.now = now;
        assert_eq!(case.verdict().is_ok(), proven, "{now:?}");
    }
    case.set.not_after = Some(case.now);
    assert!(case.verdict().is_ok());
    case.set.repository = Some("https://git.example.com/network/config".to_owned());
    assert!(case.verdict().is_ok());
}

#[test]
fn a_change_of_one_host_needs_no_path() {
    let release = release(1);
    let order = &release.orders[0];
    let proof = release.proof(0, &[2, 3]);
    assert!(proof.path.is_empty());
    assert!(check(&trusted(), &to_bytes(order), order, &proof, BEGIN).is_ok());
}

#[test]
fn the_coordinators_signature_covers_order_and_manifest() {
    let case = case();
    let (order_json, key_pair) = (to_bytes(&case.order), key(40));
    let mut proof = case.proof;
    proof.coordinator_signature =
        key_pair.sign(&order_signing_bytes(&order_json, &proof.manifest)).as_ref().to_vec();
    let verdict = |key: &[u8; 32], json: &[u8], proof: Option<&ReleaseProof>| {
        check_order_signature(key, json, proof).map_err(|error| error.kind)
    };
    let refused = Err(UnprovenKind::CoordinatorSignature);
    assert_eq!(verdict(&public(&key_pair), &order_json, Some(&proof)), Ok(()));
    assert_eq!(verdict(&public(&key(41)), &order_json, Some(&proof)), refused);
    assert_eq!(verdict(&public(&key_pair), b"{}", Some(&proof)), refused);
    assert_eq!(verdict(&public(&key_pair), &order_json, None), refused);
    let other_manifest = ReleaseProof { manifest: b"{}".to_vec(), ..proof.clone() };
    assert_eq!(verdict(&public(&key_pair), &order_json, Some(&other_manifest)), refused);
    let unsigned = ReleaseProof { coordinator_signature: Vec::new(), ..proof };
    assert_eq!(verdict(&public(&key_pair), &order_json, Some(&unsigned)), refused);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    /// Whatever one bit is turned over, in whatever part: the order is not proven.
    #[test]
    fn no_bit_can_be_turned_over(part in 0usize..4, at in any::<usize>(), bit in 0u8..8) {
        let mut case = case();
        prop_assert!(case.verdict().is_ok());
        let order_json = to_bytes(&case.order);
        let flip = |bytes: &mut [u8]| {
            let at = at % bytes.len();
            bytes[at] ^= 1 << bit;
        };
        match part {
            0 => flip(&mut case.proof.manifest),
            1 => {
                let which = at % case.proof.signatures.len();
                flip(&mut case.proof.signatures[which]);
            }
            2 => {
                let which = at % case.proof.path.len();
                flip(&mut case.proof.path[which].0);
            }
            _ => {
                let mut changed = order_json.clone();
                flip(&mut changed);
                case.order_json = Some(changed);
            }
        }
        prop_assert!(case.verdict().is_err());
    }
}
