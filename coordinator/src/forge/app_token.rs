//! The short-lived token of a GitHub App: a signed statement of who we are is changed for a token of one repository.
//!
//! Must not: write the key or a token anywhere. Called by `transport`, which makes the requests.

use super::ForgeError;
use super::transport::{Ask, Http, read, secret_header};
use crate::tasks::wall_now;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use model::Secret;
use reqwest::header::{AUTHORIZATION, HeaderValue};
use ring::rand::SystemRandom;
use ring::signature::{RSA_PKCS1_SHA256, RsaKeyPair};
use rustls::pki_types::PrivateKeyDer;
use rustls::pki_types::pem::PemObject;
use serde::Deserialize;
use serde_json::json;
use std::time::{Duration, Instant};
use tokio::sync::Mutex;

/// Seconds a statement is dated back, because clocks differ.
const BACKDATED_SECS: u64 = 60;
/// Seconds a statement is good for (GitHub takes at most 600 from its start).
const STATEMENT_SECS: u64 = 480;
/// Time a token is used; GitHub gives it for an hour.
const TOKEN_TIME: Duration = Duration::from_secs(50 * 60);

#[derive(Deserialize)]
struct Installation {
    id: u64,
}

#[derive(Deserialize)]
struct Granted {
    token: String,
}

/// Makes and keeps the token.
pub(super) struct AppToken {
    id: String,
    key: RsaKeyPair,
    owner: String,
    name: String,
    current: Mutex<Option<(HeaderValue, Instant)>>,
}

impl AppToken {
    pub(super) fn new(id: &str, key: &Secret, owner: &str, name: &str) -> Result<Self, ForgeError> {
        let wrong = |detail: String| {
            ForgeError::Settings(format!(
                "`forge.app_key_file` holds no RSA key as GitHub gives it out: {detail}"
            ))
        };
        let der = PrivateKeyDer::from_pem_slice(key.expose().as_bytes())
            .map_err(|error| wrong(error.to_string()))?;
        let key = match &der {
            PrivateKeyDer::Pkcs1(der) => RsaKeyPair::from_der(der.secret_pkcs1_der()),
            PrivateKeyDer::Pkcs8(der) => RsaKeyPair::from_pkcs8(der.secret_pkcs8_der()),
            _ => return Err(wrong("it is of another kind".to_owned())),
        };
        let key = key.map_err(|error| wrong(error.to_string()))?;
        Ok(Self {
            id: id.to_owned(),
            key,
            owner: owner.to_owned(),
            name: name.to_owned(),
            current: Mutex::new(None),
        })
    }

    /// The header of the token.
    pub(super) async fn authorization(&self, http: &Http) -> Result<HeaderValue, ForgeError> {
        let mut current = self.current.lock().await;
        if let Some((header, until)) = current.as_ref()
            && *until > Instant::now()
        {
            return Ok(header.clone());
        }
        let statement = secret_header(&format!("Bearer {}", self.statement(wall_now().0 / 1_000)?))?;
        let ask = Ask::get(&["repos", &self.owner, &self.name, "installation"]);
        let installation: Installation = read(&ask, &http.persist(&ask, &AUTHORIZATION, &statement).await?)?;
        // For this repository alone, whatever else the App is installed on.
        let body = json!({"repositories": [self.name]});
        let id = installation.id.to_string();
        let ask = Ask::post(&["app", "installations", &id, "access_tokens"], body);
        let granted: Granted = read(&ask, &http.persist(&ask, &AUTHORIZATION, &statement).await?)?;
        let header = secret_header(&format!("Bearer {}", granted.token))?;
        *current = Some((header.clone(), Instant::now() + TOKEN_TIME));
        Ok(header)
    }

    /// The name comments of the App carry.
    pub(super) async fn account(&self, http: &Http) -> Result<String, ForgeError> {
        #[derive(Deserialize)]
        struct App {
            slug: String,
        }
        let statement = secret_header(&format!("Bearer {}", self.statement(wall_now().0 / 1_000)?))?;
        let ask = Ask::get(&["app"]);
        let app: App = read(&ask, &http.persist(&ask, &AUTHORIZATION, &statement).await?)?;
        Ok(format!("{}[bot]", app.slug))
    }

    /// Takes the next token from the forge.
    pub(super) async fn forget(&self) {
        *self.current.lock().await = None;
    }

    /// A JWT, RS256.
    fn statement(&self, now_secs: u64) -> Result<String, ForgeError> {
        let issued = now_secs.saturating_sub(BACKDATED_SECS);
        let head = URL_SAFE_NO_PAD.encode(json!({"alg": "RS256", "typ": "JWT"}).to_string());
        let claims = json!({"iat": issued, "exp": now_secs + STATEMENT_SECS, "iss": self.id});
        let signed = format!("{head}.{}", URL_SAFE_NO_PAD.encode(claims.to_string()));
        let mut signature = vec![0; self.key.public().modulus_len()];
        self.key
            .sign(&RSA_PKCS1_SHA256, &SystemRandom::new(), signed.as_bytes(), &mut signature)
            .map_err(|_| ForgeError::Settings("the App's key cannot sign".to_owned()))?;
        Ok(format!("{signed}.{}", URL_SAFE_NO_PAD.encode(signature)))
    }
}
