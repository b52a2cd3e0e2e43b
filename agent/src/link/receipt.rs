//! Receipts: the key of this host's certificate signs every end of an order, so that neither the coordinator nor
//! anybody who holds its database can invent or change what a host said.
//!
//! Owns: the signature. Must not: say what the end was. Called by the stream, which reads the key when it connects.

use super::tls::{TlsError, host_key};
use crate::settings::Settings;
use proto::v1;
use proto::v1::agent_message::Message;
use rustls::SignatureScheme;
use rustls::sign::Signer;

/// The schemes of the keys that an authority of ours certifies.
const SCHEMES: [SignatureScheme; 3] = [
    SignatureScheme::ECDSA_NISTP256_SHA256,
    SignatureScheme::ECDSA_NISTP384_SHA384,
    SignatureScheme::ED25519,
];

/// Signs with the key of the host's certificate.
pub struct ReceiptSigner(Box<dyn Signer>);

impl ReceiptSigner {
    /// Reads the key, as the connection that is about to be made does.
    pub fn load(settings: &Settings) -> Result<Self, TlsError> {
        let unfit =
            || TlsError::Unusable(rustls::Error::General("the host's key cannot sign receipts".to_owned()));
        let key = rustls::crypto::ring::default_provider()
            .key_provider
            .load_private_key(host_key(settings)?)
            .map_err(TlsError::Unusable)?;
        key.choose_scheme(&SCHEMES).map(Self).ok_or_else(unfit)
    }

    /// Puts the receipt on an outcome; other messages carry none.
    pub fn sign(&self, message: &mut v1::AgentMessage) -> Result<(), rustls::Error> {
        if let Some(Message::Outcome(outcome)) = &mut message.message {
            outcome.receipt = self.0.sign(&proto::receipt_message(&outcome.outcome_json))?;
        }
        Ok(())
    }
}
