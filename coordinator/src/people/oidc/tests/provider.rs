//! A strict OIDC provider in this process. It refuses whatever a client may not do, and lies in its answers when told to.

use axum::extract::{Query, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Redirect, Response};
use axum::routing::{get, post};
use axum::{Json, Router};
use base64::Engine;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use ring::hmac;
use ring::rand::SystemRandom;
use ring::signature::{
    ECDSA_P256_SHA256_ASN1_SIGNING, ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, Ed25519KeyPair, KeyPair,
    RSA_PKCS1_SHA256, RsaKeyPair,
};
use serde_json::{Map, Value, json};
use sha2::{Digest, Sha256, Sha512};
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

pub const CLIENT: &str = "pointsman client+1";
pub const CLIENT_SECRET: &str = "s3cret/with:odd characters";
pub const REDIRECT: &str = "https://pointsman.example.net/api/v1/oidc/callback";
/// A key for tests only: the library can use RSA keys but not make them.
const RSA_KEY: &[u8] = include_bytes!("fixtures/rsa.pkcs8.der");

/// How the provider misbehaves.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Lie {
    None,
    OtherIssuer,
    OtherAudience,
    ExtraAudience,
    NoAudience,
    OtherParty,
    Expired,
    FromTheFuture,
    TooOld,
    NotYet,
    WrongNonce,
    NoNonce,
    AlgNone,
    HmacOfSecret,
    OtherAlgorithm,
    OtherKeySameId,
    UnknownKeyId,
    Tampered,
    SignatureOfOtherForm,
    NoSignature,
    Critical,
    DoubledClaim,
    TwoParts,
    Padded,
    WrongAccessToken,
    RedirectedToken,
    HugeToken,
    HugeAnswer,
    NotJson,
    SaysNo,
    NoSubject,
    LongSubject,
    NoName,
    OddName,
    NoGroups,
    KeyForEncryption,
    KeyOfOtherAlgorithm,
    OtherDiscovery,
    PlainEndpoint,
    NoPkce,
    NoCodeFlow,
    OnlyHs256,
    OtherSubjectShown,
    RedirectedShow,
}

#[derive(Clone)]
struct Pending {
    nonce: String,
    challenge: String,
}

pub struct World {
    pub lie: Lie,
    pub now_secs: u64,
    pub subject: String,
    pub claims: Map<String, Value>,
    pub algorithm: &'static str,
    pub key_number: u32,
    pub key_fetches: u32,
    pub names_itself: bool,
    /// Claims that are shown at the userinfo endpoint and not signed.
    pub shown: Map<String, Value>,
    ecdsa: Vec<u8>,
    ed25519: Vec<u8>,
    codes: BTreeMap<String, Pending>,
    issuer: String,
}

impl World {
    /// Other keys from now on.
    pub fn rotate(&mut self) {
        self.key_number += 1;
        (self.ecdsa, self.ed25519) = fresh_keys();
    }

    fn key_id(&self) -> String {
        format!("key-{}", self.key_number)
    }
}

fn fresh_keys() -> (Vec<u8>, Vec<u8>) {
    let random = SystemRandom::new();
    let ecdsa = EcdsaKeyPair::generate_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, &random).unwrap();
    let ed25519 = Ed25519KeyPair::generate_pkcs8(&random).unwrap();
    (ecdsa.as_ref().to_vec(), ed25519.as_ref().to_vec())
}

#[derive(Clone)]
pub struct TestProvider {
    pub world: Arc<Mutex<World>>,
    pub issuer: String,
}

impl TestProvider {
    pub async fn start(now_secs: u64) -> Self {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let issuer = format!("http://{}", listener.local_addr().unwrap());
        let claims = json!({
            "preferred_username": "Ann", "email": "ann@example.net", "email_verified": true, "groups": ["net-ops"],
        });
        let Value::Object(claims) = claims else { unreachable!() };
        let (ecdsa, ed25519) = fresh_keys();
        let world = Arc::new(Mutex::new(World {
            lie: Lie::None,
            now_secs,
            subject: "sub-1".to_owned(),
            claims,
            algorithm: "ES256",
            key_number: 1,
            key_fetches: 0,
            names_itself: true,
            shown: Map::new(),
            ecdsa,
            ed25519,
            codes: BTreeMap::new(),
            issuer: issuer.clone(),
        }));
        let router = Router::new()
            .route("/.well-known/openid-configuration", get(discovery))
            .route("/jwks", get(jwks))
            .route("/authorize", get(authorize))
            .route("/token", post(token))
            .route("/me", get(me))
            .with_state(Arc::clone(&world));
        tokio::spawn(async move { axum::serve(listener, router).await });
        Self { world, issuer }
    }

    pub fn set(&self, change: impl FnOnce(&mut World)) {
        change(&mut self.world.lock().unwrap());
    }
}

type Shared = State<Arc<Mutex<World>>>;

async fn discovery(State(world): Shared) -> Json<Value> {
    let world = world.lock().unwrap();
    let at = &world.issuer;
    let issuer = if world.lie == Lie::OtherDiscovery { format!("{at}/other") } else { at.clone() };
    let token =
        if world.lie == Lie::PlainEndpoint { "ftp://x/token".to_owned() } else { format!("{at}/token") };
    let or = |lie: Lie, lied: &'static str, word: &'static str| if world.lie == lie { lied } else { word };
    Json(json!({
        "issuer": issuer,
        "authorization_endpoint": format!("{at}/authorize"),
        "token_endpoint": token,
        "jwks_uri": format!("{at}/jwks"),
        "response_types_supported": [or(Lie::NoCodeFlow, "id_token", "code")],
        "code_challenge_methods_supported": [or(Lie::NoPkce, "plain", "S256")],
        "id_token_signing_alg_values_supported": [or(Lie::OnlyHs256, "HS256", "ES256"), "HS512"],
        "authorization_response_iss_parameter_supported": world.names_itself,
        "userinfo_endpoint": format!("{at}/me"),
        "something_new": { "we": ["do not know"] },
    }))
}

async fn jwks(State(world): Shared) -> Json<Value> {
    let mut world = world.lock().unwrap();
    world.key_fetches += 1;
    let id = world.key_id();
    let b64 = |bytes: &[u8]| URL_SAFE_NO_PAD.encode(bytes);
    let random = SystemRandom::new();
    let ecdsa = EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, &world.ecdsa, &random).unwrap();
    let point = ecdsa.public_key().as_ref();
    let ed25519 = Ed25519KeyPair::from_pkcs8(&world.ed25519).unwrap();
    let rsa = RsaKeyPair::from_pkcs8(RSA_KEY).unwrap();
    let public: ring::rsa::PublicKeyComponents<Vec<u8>> = rsa.public().into();
    let usage = if world.lie == Lie::KeyForEncryption { "enc" } else { "sig" };
    let ec_alg = if world.lie == Lie::KeyOfOtherAlgorithm { "ES384" } else { "ES256" };
    Json(json!({ "keys": [
        { "kty": "EC", "crv": "P-256", "use": usage, "alg": ec_alg, "kid": id,
          "x": b64(&point[1..33]), "y": b64(&point[33..]) },
        { "kty": "OKP", "crv": "Ed25519", "kid": id, "x": b64(ed25519.public_key().as_ref()) },
        { "kty": "RSA", "use": "sig", "kid": id, "n": b64(&public.n), "e": b64(&public.e) },
        { "kty": "EC", "crv": "P-521", "kid": "unknown-to-us", "x": "AA", "y": "AA" },
        { "kty": "oct", "kid": "secret", "k": "AA" },
    ] }))
}

fn refuse(error: &str) -> Response {
    (StatusCode::BAD_REQUEST, Json(json!({ "error": error }))).into_response()
}

async fn authorize(State(world): Shared, Query(query): Query<BTreeMap<String, String>>) -> Response {
    let mut world = world.lock().unwrap();
    let get = |key: &str| query.get(key).map(String::as_str).unwrap_or_default();
    let challenge = get("code_challenge");
    let fits = get("response_type") == "code"
        && get("client_id") == CLIENT
        && get("redirect_uri") == REDIRECT
        && get("scope").split(' ').any(|scope| scope == "openid")
        && get("code_challenge_method") == "S256"
        && URL_SAFE_NO_PAD.decode(challenge).is_ok_and(|bytes| bytes.len() == 32)
        && get("state").len() >= 32
        && get("nonce").len() >= 32;
    if !fits {
        return refuse("invalid_request");
    }
    let code = format!("code/{}+{}", world.codes.len(), challenge);
    let pending = Pending { nonce: get("nonce").to_owned(), challenge: challenge.to_owned() };
    world.codes.insert(code.clone(), pending);
    let mut back = reqwest::Url::parse(REDIRECT).unwrap();
    back.query_pairs_mut().append_pair("code", &code).append_pair("state", get("state"));
    if world.names_itself {
        back.query_pairs_mut().append_pair("iss", &world.issuer);
    }
    Redirect::to(back.as_str()).into_response()
}

/// What RFC 6749 2.3.1 makes of the client's name and secret.
fn is_our_client(headers: &HeaderMap) -> bool {
    let given = headers.get("authorization").and_then(|value| value.to_str().ok());
    let Some(pair) = given.and_then(|text| text.strip_prefix("Basic ")) else { return false };
    let pair = String::from_utf8(STANDARD.decode(pair).unwrap()).unwrap();
    let encoded = |text: &str| super::super::text::escaped(text);
    pair == format!("{}:{}", encoded(CLIENT), encoded(CLIENT_SECRET))
}

async fn token(State(world): Shared, headers: HeaderMap, body: String) -> Response {
    let form = reqwest::Url::parse(&format!("form:?{body}")).unwrap();
    let form: BTreeMap<String, String> = form.query_pairs().into_owned().collect();
    let mut world = world.lock().unwrap();
    let get = |key: &str| form.get(key).map(String::as_str).unwrap_or_default();
    if !is_our_client(&headers) {
        return refuse("invalid_client");
    }
    // A code is dead after its first use, whatever comes of it.
    let Some(pending) = world.codes.remove(get("code")) else { return refuse("invalid_grant") };
    let shown = URL_SAFE_NO_PAD.encode(Sha256::digest(get("code_verifier").as_bytes()));
    let fits = get("grant_type") == "authorization_code" && get("redirect_uri") == REDIRECT;
    if !fits || shown != pending.challenge {
        return refuse("invalid_grant");
    }
    match world.lie {
        Lie::RedirectedToken => return Redirect::temporary("/token").into_response(),
        Lie::HugeAnswer => return "x".repeat(400 * 1024).into_response(),
        Lie::NotJson => return "<html>".into_response(),
        Lie::SaysNo => return refuse("invalid_grant\r\nwith a line break"),
        _ => {}
    }
    let access = "access-token-1";
    let id_token = signed(&world, &payload(&world, &pending, access));
    Json(json!({ "token_type": "Bearer", "access_token": access, "id_token": id_token })).into_response()
}

async fn me(State(world): Shared, headers: HeaderMap) -> Response {
    let world = world.lock().unwrap();
    if headers.get("authorization").is_none_or(|value| value != "Bearer access-token-1") {
        return (StatusCode::UNAUTHORIZED, "").into_response();
    }
    let mut shown = world.shown.clone();
    let sub = if world.lie == Lie::OtherSubjectShown { "sub-of-eve" } else { &world.subject };
    shown.insert("sub".to_owned(), json!(sub));
    match world.lie {
        Lie::RedirectedShow => Redirect::temporary("/me").into_response(),
        _ => Json(Value::Object(shown)).into_response(),
    }
}

fn payload(world: &World, pending: &Pending, access: &str) -> String {
    let (lie, now) = (world.lie, world.now_secs);
    let mut claims = world.claims.clone();
    let mut set = |key: &str, value: Value| claims.insert(key.to_owned(), value);
    set("iss", json!(if lie == Lie::OtherIssuer { "https://evil.example" } else { &world.issuer }));
    set(
        "sub",
        match lie {
            Lie::NoSubject => json!(""),
            Lie::LongSubject => json!("s".repeat(256)),
            _ => json!(world.subject),
        },
    );
    set(
        "aud",
        match lie {
            Lie::OtherAudience => json!("other"),
            Lie::ExtraAudience => json!([CLIENT, "other"]),
            Lie::NoAudience => json!([]),
            _ => json!([CLIENT]),
        },
    );
    if lie == Lie::OtherParty {
        set("azp", json!("other"));
    }
    let issued = match lie {
        Lie::FromTheFuture => now + 3600,
        Lie::TooOld => now - 3600,
        _ => now,
    };
    set("iat", json!(issued));
    set("exp", json!(if lie == Lie::Expired { now - 120 } else { now + 7200 }));
    if lie == Lie::NotYet {
        set("nbf", json!(now + 3600));
    }
    match lie {
        Lie::NoNonce => None,
        Lie::WrongNonce => set("nonce", json!("another-nonce")),
        _ => set("nonce", json!(pending.nonce)),
    };
    let stated = if lie == Lie::WrongAccessToken { "another" } else { access };
    let half = |hash: &[u8]| URL_SAFE_NO_PAD.encode(&hash[..hash.len() / 2]);
    set(
        "at_hash",
        json!(match world.algorithm {
            "EdDSA" => half(&Sha512::digest(stated)),
            _ => half(&Sha256::digest(stated)),
        }),
    );
    match lie {
        Lie::NoName => drop(claims.remove("preferred_username")),
        Lie::OddName => drop(claims.insert("preferred_username".to_owned(), json!("ann/../root"))),
        Lie::NoGroups => drop(claims.insert("groups".to_owned(), json!(["others"]))),
        Lie::HugeToken => drop(claims.insert("filler".to_owned(), json!("x".repeat(70 * 1024)))),
        _ => {}
    }
    let text = Value::Object(claims).to_string();
    match lie {
        Lie::DoubledClaim => text.replacen('{', "{\"sub\":\"eve\",", 1),
        _ => text,
    }
}

fn signed(world: &World, payload: &str) -> String {
    let lie = world.lie;
    let algorithm = match lie {
        Lie::AlgNone => "none",
        Lie::HmacOfSecret => "HS256",
        Lie::OtherAlgorithm => "PS256",
        _ => world.algorithm,
    };
    let id = if lie == Lie::UnknownKeyId { "key-77".to_owned() } else { world.key_id() };
    let mut header = json!({ "alg": algorithm, "kid": id, "typ": "JWT" });
    if lie == Lie::Critical {
        header["crit"] = json!(["exp"]);
    }
    let encode = |text: &str| match lie {
        Lie::Padded => format!("{}=", URL_SAFE_NO_PAD.encode(text)),
        _ => URL_SAFE_NO_PAD.encode(text),
    };
    let message = format!("{}.{}", encode(&header.to_string()), encode(payload));
    let signature = sign(world, message.as_bytes());
    match lie {
        Lie::TwoParts => message,
        Lie::NoSignature | Lie::AlgNone => format!("{message}."),
        Lie::Tampered => {
            let forged = payload.replace("net-ops", "net-adm");
            let message = format!("{}.{}", encode(&header.to_string()), encode(&forged));
            format!("{message}.{}", URL_SAFE_NO_PAD.encode(signature))
        }
        _ => format!("{message}.{}", URL_SAFE_NO_PAD.encode(signature)),
    }
}

fn sign(world: &World, message: &[u8]) -> Vec<u8> {
    let random = SystemRandom::new();
    let (other_ecdsa, _) = fresh_keys();
    let key = if world.lie == Lie::OtherKeySameId { &other_ecdsa } else { &world.ecdsa };
    let form = match world.lie {
        Lie::SignatureOfOtherForm => &ECDSA_P256_SHA256_ASN1_SIGNING,
        _ => &ECDSA_P256_SHA256_FIXED_SIGNING,
    };
    match (world.lie, world.algorithm) {
        (Lie::HmacOfSecret, _) => {
            let key = hmac::Key::new(hmac::HMAC_SHA256, CLIENT_SECRET.as_bytes());
            hmac::sign(&key, message).as_ref().to_vec()
        }
        (_, "EdDSA") => Ed25519KeyPair::from_pkcs8(&world.ed25519).unwrap().sign(message).as_ref().to_vec(),
        (_, "RS256") => {
            let rsa = RsaKeyPair::from_pkcs8(RSA_KEY).unwrap();
            let mut signature = vec![0; rsa.public().modulus_len()];
            rsa.sign(&RSA_PKCS1_SHA256, &random, message, &mut signature).unwrap();
            signature
        }
        _ => {
            let key = EcdsaKeyPair::from_pkcs8(form, key, &random).unwrap();
            key.sign(&random, message).unwrap().as_ref().to_vec()
        }
    }
}
