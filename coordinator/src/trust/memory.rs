//! A host that signs, for tests only.

use super::peer::{HostChain, certificates};
use super::{Authority, Receipt};
use model::{HostId, Wall};
use rcgen::{CertificateParams, KeyPair};
use rustls::SignatureScheme;
use rustls::pki_types::PrivatePkcs8KeyDer;

/// A time of tests.
pub const NOW: Wall = Wall(1_790_000_000_000);

/// Signs an outcome as the agent of a host does, with a certificate of this authority made at [`NOW`].
pub fn receipt(authority: &Authority, host: &HostId, key: &KeyPair, outcome_json: &[u8]) -> Receipt {
    let csr = CertificateParams::default().serialize_request(key).unwrap().pem().unwrap();
    let signed = authority.sign_host_csr(&csr, host, NOW).unwrap();
    let certificate = HostChain::new(&certificates(&signed.chain_pem).unwrap()).unwrap();
    let pkcs8 = PrivatePkcs8KeyDer::from(key.serialize_der());
    let signing = super::crypto().key_provider.load_private_key(pkcs8.into()).unwrap();
    let schemes = [
        SignatureScheme::ECDSA_NISTP256_SHA256,
        SignatureScheme::ECDSA_NISTP384_SHA384,
        SignatureScheme::ED25519,
    ];
    let signer = signing.choose_scheme(&schemes).unwrap();
    let signature = signer.sign(&proto::receipt_message(outcome_json)).unwrap();
    Receipt { outcome_json: outcome_json.to_vec(), signature, certificate }
}
