//! Nouns of Pointsman: the pure types every other crate speaks.
//!
//! Owns: names and bounded values, desired and observed networks, documents, plans, and the
//! data of the apply and rollout machines. Must not: decide anything, do I/O, read a clock or
//! use randomness. Called by every crate of the workspace.
#![warn(missing_docs)]

mod address;
mod apply;
mod desired;
mod document;
mod drift;
mod finding;
mod hash;
mod host;
mod id;
mod identity;
mod known;
mod local;
mod mac;
mod mtu;
mod names;
mod observed;
mod operation;
mod order;
mod plan;
mod policy;
mod probe;
mod release;
mod rfc;
mod rollout;
mod secret;
mod site;
mod time;
mod vlan;
mod vmkernel;

pub use address::{Ipv4Cidr, Ipv6Cidr, ParseCidrError, RouteNetwork};
pub use apply::{ApplyOutcome, ApplyPhase, OutcomeKind, RefusalReason};
pub use desired::{
    DesiredIpv6, DesiredNetstack, DesiredNetwork, DesiredNic, DesiredPortGroup, DesiredVmk, DesiredVswitch,
    Duplex, ManagedScope, NicLink, ObjectKind, Presence, RouteSetting,
};
pub use document::{
    DriftPolicy, GroupDocument, GroupRollout, HostDocument, HostOverride, HostSelector, SCHEMA_VERSION,
};
pub use drift::{Difference, DifferenceKind, DriftReport};
pub use finding::{Component, Finding, Severity, Span};
pub use hash::{InvalidHash, SHA256_BYTES, Sha256Hash};
pub use host::{BootId, HostFacts, Labels};
pub use id::{ChangeId, Generation, GenerationCheck, HostGroupId, HostId, InvalidId, RfcId, RolloutId};
pub use identity::KeyFingerprint;
pub use known::Known;
pub use local::{LocalAction, LocalVerb};
pub use mac::{InvalidMac, MacAddress};
pub use mtu::{InvalidMtu, Mtu};
pub use names::{InvalidName, NetstackName, PortGroupName, VmkName, VmnicName, VswitchName};
pub use observed::{
    InheritedField, LinkState, ObservedDvs, ObservedIpv4, ObservedIpv6, ObservedNetstack, ObservedNetwork,
    ObservedNic, ObservedPortGroup, ObservedPortGroupSecurity, ObservedPortGroupShaping,
    ObservedPortGroupTeaming, ObservedRoute, ObservedVm, ObservedVmk, ObservedVswitch, VmkAttachment,
};
pub use operation::{
    Operation, OperationObject, PolicyReset, SecurityChange, ShapingChange, TeamingChange, VmkIpv6Change,
};
pub use order::{
    CONFIRM_TIMEOUT_SECS_DEFAULT, CONFIRM_TIMEOUT_SECS_MAX, CONFIRM_TIMEOUT_SECS_MIN, Order, ProbePlan,
};
pub use plan::{Disruption, ObjectRef, Plan, PlanDigest, Step};
pub use policy::{
    CdpStatus, DesiredSecurity, DesiredShaping, DesiredTeaming, FailureDetection, LoadBalancing,
    PortGroupSecurity, PortGroupShaping, PortGroupTeaming, SecurityPolicy, Setting, ShapingPolicy,
    ShapingRate, TeamingPolicy, UplinkOrder,
};
pub use probe::{Probe, ProbeResult, ProbeVerdict};
pub use release::{
    APPROVER_SET_BYTES_MAX, ApprovalMode, ApprovalNote, Approver, ApproverRotation, ApproverSet,
    MANIFEST_BYTES_MAX, PATH_STEPS_MAX, RELEASE_FORMAT, ROTATION_BYTES_MAX, ReleaseLeaf, ReleaseManifest,
    ReleaseProof, SIGNATURE_BYTES_MAX, SIGNATURES_MAX, Unproven, UnprovenKind,
};
pub use rfc::{
    Approvers, ChangeType, RfcFrontMatter, RfcImpact, RfcLinks, RfcRisk, RfcRollout, RfcStatus, RfcTargets,
};
pub use rollout::{HostOutcome, RolloutPhase, RolloutSpec, Wave, WaveSize};
pub use secret::Secret;
pub use site::{SiteDocument, SiteRole, VlanFacts};
pub use time::{Millis, Now, Uptime, Wall};
pub use vlan::{InvalidVlan, Vlan, VlanId};
pub use vmkernel::{Ipv4Config, ServiceTag};
