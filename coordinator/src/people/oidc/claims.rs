//! What the provider says in its signed answer, and whether it is the answer to our question.
//!
//! Must not: look at a signature (that comes before). Called by `provider`.

use super::keys::Algorithm;
use super::refusal::OidcRefusal;
use super::text::to_base64url;
use super::{EmailTrust, OidcSettings};
use crate::people::secret::same;
use crate::store::users::UserName;
use model::Wall;
use serde::Deserialize;
use serde_json::{Map, Value};
use sha2::{Digest, Sha256, Sha512};
use std::collections::BTreeSet;

/// How far the provider's clock may be from ours, in seconds.
const SKEW_SECS: u64 = 60;
/// Oldest answer that is taken, in seconds.
const AGE_SECS_MAX: u64 = 600;
/// Longest subject, in bytes (OpenID Connect Core, section 2).
const SUBJECT_BYTES_MAX: usize = 255;
/// Most groups that are looked at.
const GROUPS_MAX: usize = 2000;

#[derive(Debug, Deserialize)]
struct Claims {
    iss: String,
    sub: String,
    aud: Audience,
    exp: Number,
    iat: Number,
    nbf: Option<Number>,
    nonce: Option<String>,
    azp: Option<String>,
    at_hash: Option<String>,
    #[serde(flatten)]
    about: About,
}

#[derive(Debug, Deserialize)]
#[serde(untagged)]
enum Audience {
    One(String),
    Many(Vec<String>),
}

/// Seconds since 1970; some providers write fractions.
#[derive(Debug, Clone, Copy, Deserialize)]
#[serde(untagged)]
enum Number {
    Whole(u64),
    Fraction(f64),
}

impl Number {
    /// Whole seconds; what makes no sense as a time is 1970.
    fn secs(self) -> u64 {
        match self {
            Self::Whole(secs) => secs,
            Self::Fraction(secs) => format!("{:.0}", secs.floor()).parse().unwrap_or(0),
        }
    }
}

/// What the answer must fit.
pub struct Expected<'a> {
    pub settings: &'a OidcSettings,
    pub nonce: &'a str,
    pub access_token: Option<&'a str>,
    pub now: Wall,
}

/// Somebody the provider vouches for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Vouched {
    pub subject: String,
    pub name: UserName,
    pub email: Option<String>,
    pub groups: BTreeSet<String>,
}

/// A signed answer that is the one to our question.
#[derive(Debug)]
pub struct Checked {
    subject: String,
    about: About,
}

/// What is said about a person.
#[derive(Debug, Default, Deserialize)]
struct About {
    email: Option<String>,
    email_verified: Option<Value>,
    #[serde(flatten)]
    other: Map<String, Value>,
}

/// What the provider adds where it shows people, unsigned but over its own address.
#[derive(Debug, Deserialize)]
pub struct UserInfo {
    sub: String,
    #[serde(flatten)]
    about: About,
}

/// Checks everything that the answer says about itself.
pub fn check(payload: &[u8], algorithm: Algorithm, expected: &Expected<'_>) -> Result<Checked, OidcRefusal> {
    let claims: Claims = serde_json::from_slice(payload)
        .map_err(|_| OidcRefusal::Malformed("a claim is missing, doubled or of the wrong kind"))?;
    let settings = expected.settings;
    if claims.iss != settings.issuer {
        return Err(OidcRefusal::Issuer);
    }
    audience(&claims, &settings.client_id)?;
    times(&claims, expected.now.0 / 1000)?;
    if !claims.nonce.as_deref().is_some_and(|nonce| same(nonce, expected.nonce)) {
        return Err(OidcRefusal::Nonce);
    }
    if let (Some(stated), Some(token)) = (&claims.at_hash, expected.access_token)
        && !same(stated, &half_hash(algorithm, token))
    {
        return Err(OidcRefusal::AccessToken);
    }
    let subject = claims.sub;
    if subject.is_empty() || subject.len() > SUBJECT_BYTES_MAX || subject.chars().any(char::is_control) {
        return Err(OidcRefusal::Name("its subject is empty, too long or not printable"));
    }
    Ok(Checked { subject, about: claims.about })
}

/// Made for us, and for nobody else we do not know of.
fn audience(claims: &Claims, client_id: &str) -> Result<(), OidcRefusal> {
    let only_us = match &claims.aud {
        Audience::One(one) => one == client_id,
        Audience::Many(all) => !all.is_empty() && all.iter().all(|one| one == client_id),
    };
    let authorised = claims.azp.as_ref().is_none_or(|azp| azp == client_id);
    if only_us && authorised { Ok(()) } else { Err(OidcRefusal::Audience) }
}

fn times(claims: &Claims, now: u64) -> Result<(), OidcRefusal> {
    let (issued, ends) = (claims.iat.secs(), claims.exp.secs());
    if now >= ends.saturating_add(SKEW_SECS) {
        return Err(OidcRefusal::Time("it expired"));
    }
    if issued > now + SKEW_SECS {
        return Err(OidcRefusal::Time("it was made in the future"));
    }
    if now > issued.saturating_add(AGE_SECS_MAX) {
        return Err(OidcRefusal::Time("it is too old"));
    }
    if claims.nbf.is_some_and(|from| from.secs() > now + SKEW_SECS) {
        return Err(OidcRefusal::Time("it is not good yet"));
    }
    Ok(())
}

/// The left half of the hash of the access token, as OpenID Connect Core 3.1.3.6 says.
fn half_hash(algorithm: Algorithm, token: &str) -> String {
    match algorithm {
        Algorithm::Rs256 | Algorithm::Es256 => {
            let hash = Sha256::digest(token.as_bytes());
            to_base64url(&hash[..hash.len() / 2])
        }
        Algorithm::EdDsa => {
            let hash = Sha512::digest(token.as_bytes());
            to_base64url(&hash[..hash.len() / 2])
        }
    }
}

impl Checked {
    /// Whether something is missing that the provider may show elsewhere.
    pub fn is_short(&self, settings: &OidcSettings) -> bool {
        let About { email, other, .. } = &self.about;
        let named = match settings.name_claim.as_str() {
            "sub" => true,
            "email" => email.is_some(),
            claim => other.contains_key(claim),
        };
        !named || email.is_none() || !other.contains_key(&settings.groups_claim)
    }

    /// Adds what the provider shows elsewhere. What was signed stands; a mail address and its proof come from one place.
    pub fn with(mut self, info: UserInfo) -> Result<Self, OidcRefusal> {
        let UserInfo { sub, about } = info;
        if sub != self.subject {
            return Err(OidcRefusal::OtherSubject);
        }
        if self.about.email.is_none() {
            self.about.email = about.email;
            self.about.email_verified = about.email_verified;
        }
        for (claim, value) in about.other {
            self.about.other.entry(claim).or_insert(value);
        }
        Ok(self)
    }

    /// The person.
    pub fn vouched(self, settings: &OidcSettings) -> Result<Vouched, OidcRefusal> {
        let Self { subject, about: About { email, email_verified, other } } = self;
        let trusted = match (email_verified, settings.emails) {
            (Some(Value::Bool(true)), _) | (None, EmailTrust::Provider) => true,
            (Some(_) | None, _) => false,
        };
        let email = email.filter(|_| trusted);
        let email = email.and_then(|text| crate::people::administration::mail_address(&text).ok());
        let name = match settings.name_claim.as_str() {
            "email" => email.clone().ok_or(OidcRefusal::Name("no verified mail address"))?,
            "sub" => subject.clone(),
            claim => match other.get(claim) {
                Some(Value::String(name)) => name.clone(),
                _ => return Err(OidcRefusal::Name("the claim that names people is missing")),
            },
        };
        let name = UserName::try_from(name.to_lowercase())
            .map_err(|_| OidcRefusal::Name("the name has characters that user names have not"))?;
        let groups = match other.get(&settings.groups_claim) {
            Some(Value::String(one)) => BTreeSet::from([one.clone()]),
            Some(Value::Array(all)) => {
                all.iter().take(GROUPS_MAX).filter_map(Value::as_str).map(str::to_owned).collect()
            }
            _ => BTreeSet::new(),
        };
        Ok(Vouched { subject, name, email, groups })
    }
}
