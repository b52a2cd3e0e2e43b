//! Whose signature it is, by the code of `engine::proof` that the hosts run.

use crate::store::approvals::ApprovalKind;
use engine::proof::{NAMESPACE_BREAK_GLASS, SshSignature, TrustedSet, dearmour};
use model::Approver;

/// A signature that a set knows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Signed<'a> {
    /// What it says.
    pub kind: ApprovalKind,
    /// Whose it is.
    pub approver: &'a Approver,
    /// The signature without armour.
    pub blob: Vec<u8>,
}

/// Why a signature is worth nothing.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct SignerError(pub String);

/// Whose signature over this manifest it is, in the eyes of this set.
pub fn signed_by<'a>(
    set: &'a TrustedSet,
    manifest: &str,
    signature: &str,
) -> Result<Signed<'a>, SignerError> {
    let refused = |detail: String| SignerError(detail);
    let blob = dearmour(signature).map_err(|error| refused(error.to_string()))?;
    let parsed = SshSignature::parse(&blob).map_err(|error| refused(error.to_string()))?;
    set.signers(manifest.as_bytes(), std::slice::from_ref(&blob))
        .map_err(|error| refused(error.to_string()))?;
    let Some(approver) = set.owner(&parsed) else {
        let set = set.set();
        return Err(refused(format!(
            "a key that is not in approver set `{}` version {}",
            set.name, set.version
        )));
    };
    let kind = match parsed.namespace() {
        NAMESPACE_BREAK_GLASS => ApprovalKind::BreakGlass,
        _ => ApprovalKind::Approval,
    };
    Ok(Signed { kind, approver, blob })
}
