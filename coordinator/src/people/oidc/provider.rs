//! The client of one provider: what it says about itself, its keys, and a code turned into somebody it vouches for.
//!
//! Owns: the cache of discovery and keys. Must not: store anything, or read a clock. Called by `flow`.

use super::OidcSettings;
use super::claims::{Expected, UserInfo, Vouched, check};
use super::http::{Http, json, word};
use super::keys::{Algorithm, KeyDocument, Keys, Signed};
use super::refusal::OidcRefusal;
use super::text::{challenge_of, escaped, form};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use model::{Millis, Wall};
use serde::Deserialize;
use std::sync::{Arc, Mutex, PoisonError};

/// How long what the provider says about itself is believed: 1 hour.
const DISCOVERY_LIFE: Millis = Millis(60 * 60 * 1000);
/// How long keys are believed: 1 hour. A key taken back is good here for no longer.
const KEYS_LIFE: Millis = Millis(60 * 60 * 1000);
/// An unknown key has the keys fetched again, but not more often than this: 10 s.
const KEYS_REST: Millis = Millis(10 * 1000);

/// Why the settings make no client.
#[derive(Debug, thiserror::Error)]
#[error("the OIDC provider `{issuer}` cannot be set up: {detail}")]
pub struct OidcSetupError {
    issuer: String,
    detail: String,
}

/// What the provider says about itself.
#[derive(Debug, Clone, Deserialize)]
struct Discovery {
    issuer: String,
    authorization_endpoint: String,
    token_endpoint: String,
    jwks_uri: String,
    userinfo_endpoint: Option<String>,
    #[serde(default)]
    response_types_supported: Option<Vec<String>>,
    #[serde(default)]
    code_challenge_methods_supported: Option<Vec<String>>,
    #[serde(default)]
    id_token_signing_alg_values_supported: Option<Vec<String>>,
    #[serde(default)]
    token_endpoint_auth_methods_supported: Option<Vec<String>>,
    #[serde(default)]
    authorization_response_iss_parameter_supported: bool,
}

/// The answer of the token endpoint.
#[derive(Deserialize)]
struct TokenAnswer {
    id_token: String,
    access_token: Option<String>,
}

#[derive(Debug, Deserialize)]
struct TokenProblem {
    error: String,
}

#[derive(Default)]
struct Cache {
    discovery: Option<(Wall, Arc<Discovery>)>,
    keys: Option<(Wall, Arc<Keys>)>,
}

/// The client.
pub struct OidcProvider {
    pub(super) settings: OidcSettings,
    http: Http,
    cache: Mutex<Cache>,
}

impl OidcProvider {
    /// A client for these settings. Nothing is asked yet: the provider may be down while we start.
    pub fn new(settings: OidcSettings) -> Result<Self, OidcSetupError> {
        let http = Http::new(settings.ca_file.as_deref())
            .map_err(|detail| OidcSetupError { issuer: settings.issuer.clone(), detail })?;
        Ok(Self { settings, http, cache: Mutex::default() })
    }

    /// The provider's name.
    #[must_use]
    pub fn issuer(&self) -> &str {
        &self.settings.issuer
    }

    /// Where to send a browser.
    pub(super) async fn sign_in_url(
        &self,
        state: &str,
        nonce: &str,
        verifier: &str,
        now: Wall,
    ) -> Result<String, OidcRefusal> {
        let discovery = self.discovery(now).await?;
        let mut scopes = vec!["openid".to_owned()];
        scopes.extend(self.settings.scopes.iter().filter(|scope| *scope != "openid").cloned());
        let query = form(&[
            ("response_type", "code"),
            ("client_id", &self.settings.client_id),
            ("redirect_uri", &self.settings.redirect_url),
            ("scope", &scopes.join(" ")),
            ("state", state),
            ("nonce", nonce),
            ("code_challenge", &challenge_of(verifier)),
            ("code_challenge_method", "S256"),
        ]);
        let mark = if discovery.authorization_endpoint.contains('?') { '&' } else { '?' };
        Ok(format!("{}{mark}{query}", discovery.authorization_endpoint))
    }

    /// Whether an answer may come from this provider, by the name that came with it (RFC 9207).
    pub(super) async fn check_source(&self, named: Option<&str>, now: Wall) -> Result<(), OidcRefusal> {
        let must = self.discovery(now).await?.authorization_response_iss_parameter_supported;
        match named {
            Some(named) if named == self.settings.issuer => Ok(()),
            None if !must => Ok(()),
            Some(_) | None => Err(OidcRefusal::OtherProvider),
        }
    }

    /// Turns a code into somebody the provider vouches for.
    pub(super) async fn redeem(
        &self,
        code: &str,
        verifier: &str,
        nonce: &str,
        now: Wall,
    ) -> Result<Vouched, OidcRefusal> {
        let discovery = self.discovery(now).await?;
        let answer = self.token(&discovery, code, verifier).await?;
        let signed = Signed::parse(&answer.id_token)?;
        let keys = self.keys(&discovery, now, |keys| signed.is_known_to(keys)).await?;
        let (payload, algorithm) = signed.verified(&keys)?;
        let expected =
            Expected { settings: &self.settings, nonce, access_token: answer.access_token.as_deref(), now };
        let checked = check(&payload, algorithm, &expected)?;
        match (&discovery.userinfo_endpoint, &answer.access_token) {
            (Some(url), Some(token)) if checked.is_short(&self.settings) => {
                let info: UserInfo = self.http.get_with("the userinfo endpoint", url, token).await?;
                checked.with(info)?.vouched(&self.settings)
            }
            _ => checked.vouched(&self.settings),
        }
    }

    async fn token(
        &self,
        discovery: &Discovery,
        code: &str,
        verifier: &str,
    ) -> Result<TokenAnswer, OidcRefusal> {
        const WHAT: &str = "the token endpoint";
        let settings = &self.settings;
        let mut fields = vec![
            ("grant_type", "authorization_code"),
            ("code", code),
            ("redirect_uri", settings.redirect_url.as_str()),
            ("code_verifier", verifier),
        ];
        let methods = discovery.token_endpoint_auth_methods_supported.as_ref();
        let basic = methods.is_none_or(|methods| methods.iter().any(|m| m == "client_secret_basic"));
        let authorization = match &settings.client_secret {
            Some(secret) if basic => {
                let pair = format!("{}:{}", escaped(&settings.client_id), escaped(secret.expose()));
                Some(format!("Basic {}", STANDARD.encode(pair)))
            }
            Some(secret) => {
                fields
                    .extend([("client_id", settings.client_id.as_str()), ("client_secret", secret.expose())]);
                None
            }
            None => {
                fields.push(("client_id", settings.client_id.as_str()));
                None
            }
        };
        let (status, body) =
            self.http.post_form(WHAT, &discovery.token_endpoint, form(&fields), authorization).await?;
        if status != 200 {
            let problem: TokenProblem = json(WHAT, &body)?;
            return Err(OidcRefusal::ProviderSaidNo(word(&problem.error)));
        }
        json(WHAT, &body)
    }

    async fn discovery(&self, now: Wall) -> Result<Arc<Discovery>, OidcRefusal> {
        let known = self.cache.lock().unwrap_or_else(PoisonError::into_inner).discovery.clone();
        if let Some((at, discovery)) = known
            && now < at.plus(DISCOVERY_LIFE)
        {
            return Ok(discovery);
        }
        let url = format!("{}/.well-known/openid-configuration", self.settings.issuer.trim_end_matches('/'));
        let discovery: Discovery = self.http.get("the discovery document", &url).await?;
        fits(&discovery, &self.settings)?;
        let discovery = Arc::new(discovery);
        let mut cache = self.cache.lock().unwrap_or_else(PoisonError::into_inner);
        cache.discovery = Some((now, Arc::clone(&discovery)));
        Ok(discovery)
    }

    /// The keys; fetched again when they are old, or when none of them will do.
    async fn keys(
        &self,
        discovery: &Discovery,
        now: Wall,
        will_do: impl Fn(&Keys) -> bool,
    ) -> Result<Arc<Keys>, OidcRefusal> {
        let known = self.cache.lock().unwrap_or_else(PoisonError::into_inner).keys.clone();
        if let Some((at, keys)) = known {
            let fresh = now < at.plus(KEYS_LIFE) && will_do(&keys);
            if fresh || (now < at.plus(KEYS_REST) && now >= at) {
                return Ok(keys);
            }
        }
        let document: KeyDocument = self.http.get("the list of keys", &discovery.jwks_uri).await?;
        let keys = Arc::new(Keys::from(document));
        let mut cache = self.cache.lock().unwrap_or_else(PoisonError::into_inner);
        cache.keys = Some((now, Arc::clone(&keys)));
        Ok(keys)
    }
}

/// Whether what the provider says about itself is about the one we mean, and enough for us.
fn fits(discovery: &Discovery, settings: &OidcSettings) -> Result<(), OidcRefusal> {
    let bad = |detail: &str| Err(OidcRefusal::Provider(detail.to_owned()));
    if discovery.issuer != settings.issuer {
        return bad("its discovery document is of another issuer");
    }
    let scheme = if settings.issuer.starts_with("http://") { "http://" } else { "https://" };
    let endpoints = [&discovery.authorization_endpoint, &discovery.token_endpoint, &discovery.jwks_uri];
    if endpoints
        .into_iter()
        .chain(&discovery.userinfo_endpoint)
        .any(|url| !url.starts_with(scheme) && !url.starts_with("https://"))
    {
        return bad("an endpoint of it is not https");
    }
    let has = |list: &Option<Vec<String>>, wanted: &str| {
        list.as_ref().is_none_or(|list| list.iter().any(|word| word == wanted))
    };
    if !has(&discovery.response_types_supported, "code") {
        return bad("it has no authorization code flow");
    }
    if !has(&discovery.code_challenge_methods_supported, "S256") {
        return bad("it does not know PKCE with S256");
    }
    let ours = |list: &Vec<String>| list.iter().any(|word| Algorithm::parse(word).is_some());
    if !discovery.id_token_signing_alg_values_supported.as_ref().is_none_or(ours) {
        return bad("it signs with none of RS256, ES256, EdDSA");
    }
    Ok(())
}
