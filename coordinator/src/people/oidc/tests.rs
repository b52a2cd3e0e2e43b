//! Signing in at a strict provider, and every lie of it.

pub mod provider;
mod real;

use super::*;
use crate::people::{Means, People, PeopleError};
use crate::store::logins::Waiting;
use crate::store::users::{self, UserName, UserStatus};
use crate::store::{Db, audit};
use model::{Millis, Secret, Wall};
use provider::{CLIENT, CLIENT_SECRET, Lie, REDIRECT, TestProvider};
use serde_json::json;

const START: Wall = Wall(2_000_000_000_000);

pub fn settings(issuer: &str) -> OidcSettings {
    let group = |name: &str| BTreeSet::from([name.to_owned()]);
    OidcSettings {
        issuer: issuer.to_owned(),
        client_id: CLIENT.to_owned(),
        client_secret: Some(Secret::new(CLIENT_SECRET)),
        redirect_url: REDIRECT.to_owned(),
        scopes: vec!["profile".to_owned(), "email".to_owned()],
        name_claim: "preferred_username".to_owned(),
        groups_claim: "groups".to_owned(),
        emails: EmailTrust::Verified,
        roles: BTreeMap::from([(Role::Operator, group("net-ops")), (Role::Admin, group("net-adm"))]),
        ca_file: None,
    }
}

struct Rig {
    provider: TestProvider,
    people: People,
    db: Db,
    browser: reqwest::Client,
    _dir: tempfile::TempDir,
}

impl Rig {
    async fn new() -> Self {
        Self::with(|_| ()).await
    }

    async fn with(change: impl FnOnce(&mut OidcSettings)) -> Self {
        // Chosen once per process; the same one every time.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let provider = TestProvider::start(START.0 / 1000).await;
        let dir = tempfile::tempdir().unwrap();
        let db = Db::open(&format!("sqlite://{}/p.db", dir.path().display())).await.unwrap();
        let mut settings = settings(&provider.issuer);
        change(&mut settings);
        let oidc = OidcProvider::new(settings).unwrap();
        let people = People::new(db.clone(), Secret::new("operators-token-of-this-test"), Some(oidc));
        let browser = reqwest::Client::builder().redirect(reqwest::redirect::Policy::none()).no_proxy();
        Self { provider, people, db, browser: browser.build().unwrap(), _dir: dir }
    }

    /// Begins a sign-in and lets the person sign in at the provider.
    async fn at_provider(&self, waiting: Option<Waiting>, now: Wall) -> Result<Returned, PeopleError> {
        let begun = self.people.oidc_begin(waiting, now).await?;
        let answer = self.browser.get(&begun.url).send().await.unwrap();
        assert_eq!(answer.status().as_u16(), 303, "the provider refused: {}", begun.url);
        let back = reqwest::Url::parse(answer.headers()["location"].to_str().unwrap()).unwrap();
        let query: BTreeMap<String, String> = back.query_pairs().into_owned().collect();
        Ok(Returned {
            state: query["state"].clone(),
            code: Some(query["code"].clone()),
            error: None,
            issuer: query.get("iss").cloned(),
            browser: Some(begun.browser.expose().to_owned()),
            source: "192.0.2.7".to_owned(),
        })
    }

    async fn sign_in(&self, now: Wall) -> Result<Finished, PeopleError> {
        let returned = self.at_provider(None, now).await?;
        self.people.oidc_finish(returned, now).await
    }

    async fn why(&self) -> String {
        let newest = audit::list(&self.db, 1).await.unwrap().remove(0);
        assert_eq!((newest.actor.as_str(), newest.action.as_str()), ("nobody", "session.refused"));
        let detail: serde_json::Value = serde_json::from_str(&newest.detail).unwrap();
        detail["why"].as_str().unwrap().to_owned()
    }

    async fn refused(&self, result: Result<Finished, PeopleError>, kind: &str) {
        let error = result.err().unwrap_or_else(|| panic!("{kind}: it was taken"));
        assert!(matches!(error, PeopleError::ProviderRefused(_)), "{kind}: {error}");
        assert!(!error.to_string().chars().any(char::is_control), "{error:?}");
        assert_eq!(self.why().await, kind);
    }

    async fn user(&self) -> Option<users::UserRecord> {
        users::get(&self.db, &"ann".parse().unwrap()).await.unwrap()
    }
}

#[tokio::test]
async fn somebody_signs_in_with_each_algorithm_and_gets_the_roles_of_their_groups() {
    let rig = Rig::new().await;
    for algorithm in ["RS256", "ES256", "EdDSA"] {
        rig.provider.set(|world| world.algorithm = algorithm);
        let Finished::Browser(session) = rig.sign_in(START).await.unwrap() else { panic!("no session") };
        assert_eq!(session.user.as_str(), "ann");
        let who = rig.people.recognise_cookie(session.secret.expose(), START).await.unwrap().unwrap();
        assert_eq!((who.actor.as_str(), who.email.as_deref()), ("user:ann", Some("ann@example.net")));
        assert_eq!(who.roles.0, BTreeSet::from([Role::Operator]));
        assert!(matches!(who.means, Means::Cookie { .. }));
    }
    // Groups count anew at every sign-in; the name stays, whatever the provider calls them later.
    rig.provider.set(|world| {
        world.claims.insert("groups".to_owned(), json!(["net-adm", "x"]));
        world.claims.insert("preferred_username".to_owned(), json!("annette"));
        world.claims.insert("email_verified".to_owned(), json!(false));
    });
    rig.sign_in(START).await.unwrap();
    let ann = rig.user().await.unwrap();
    assert_eq!((ann.roles, ann.email), (BTreeSet::from([Role::Admin]), None));
    assert_eq!(users::list(&rig.db, 10).await.unwrap().len(), 1);
}

#[tokio::test]
async fn every_lie_in_the_signed_answer_is_refused_by_name() {
    let lies = [
        (Lie::OtherIssuer, "issuer"),
        (Lie::OtherAudience, "audience"),
        (Lie::ExtraAudience, "audience"),
        (Lie::NoAudience, "audience"),
        (Lie::OtherParty, "audience"),
        (Lie::Expired, "time"),
        (Lie::FromTheFuture, "time"),
        (Lie::TooOld, "time"),
        (Lie::NotYet, "time"),
        (Lie::WrongNonce, "nonce"),
        (Lie::NoNonce, "nonce"),
        (Lie::AlgNone, "algorithm"),
        (Lie::HmacOfSecret, "algorithm"),
        (Lie::OtherAlgorithm, "algorithm"),
        (Lie::OtherKeySameId, "signature"),
        (Lie::UnknownKeyId, "unknown_key"),
        (Lie::Tampered, "signature"),
        (Lie::SignatureOfOtherForm, "signature"),
        (Lie::NoSignature, "signature"),
        (Lie::Critical, "malformed"),
        (Lie::DoubledClaim, "malformed"),
        (Lie::TwoParts, "malformed"),
        (Lie::Padded, "malformed"),
        (Lie::WrongAccessToken, "access_token"),
        (Lie::RedirectedToken, "redirected"),
        (Lie::HugeToken, "too_large"),
        (Lie::HugeAnswer, "too_large"),
        (Lie::NotJson, "provider"),
        (Lie::SaysNo, "provider_said_no"),
        (Lie::NoSubject, "name"),
        (Lie::LongSubject, "name"),
        (Lie::NoName, "name"),
        (Lie::OddName, "name"),
        (Lie::NoGroups, "no_role"),
    ];
    let rig = Rig::new().await;
    for (lie, kind) in lies {
        rig.provider.set(|world| world.lie = lie);
        let result = rig.sign_in(START).await;
        rig.refused(result, kind).await;
        assert!(rig.user().await.is_none(), "{lie:?} made a user");
    }
    rig.provider.set(|world| world.lie = Lie::None);
    rig.sign_in(START).await.unwrap();
}

#[tokio::test]
async fn a_provider_whose_own_documents_do_not_fit_is_not_used() {
    for lie in [Lie::OtherDiscovery, Lie::PlainEndpoint, Lie::NoPkce, Lie::NoCodeFlow, Lie::OnlyHs256] {
        let rig = Rig::new().await;
        rig.provider.set(|world| world.lie = lie);
        let error = rig.people.oidc_begin(None, START).await.unwrap_err();
        assert!(matches!(error, PeopleError::ProviderRefused(_)), "{lie:?}: {error}");
    }
    for lie in [Lie::KeyForEncryption, Lie::KeyOfOtherAlgorithm] {
        let rig = Rig::new().await;
        rig.provider.set(|world| world.lie = lie);
        let result = rig.sign_in(START).await;
        rig.refused(result, "unknown_key").await;
    }
    let away = Rig::with(|settings| settings.issuer = "http://127.0.0.1:9".to_owned()).await;
    assert!(away.people.oidc_begin(None, START).await.is_err());
}

#[tokio::test]
async fn keys_may_rotate_and_are_not_fetched_for_every_stranger() {
    let rig = Rig::new().await;
    rig.sign_in(START).await.unwrap();
    rig.provider.set(provider::World::rotate);
    // Too soon after the last look, the new key is unknown.
    let result = rig.sign_in(START).await;
    rig.refused(result, "unknown_key").await;
    let later = START.plus(Millis(10_000));
    rig.sign_in(later).await.unwrap();
    assert_eq!(rig.provider.world.lock().unwrap().key_fetches, 2);
    // A key that the provider took back is good for an hour at most.
    rig.sign_in(later).await.unwrap();
    rig.provider.set(|world| world.now_secs += 3_700);
    rig.sign_in(START.plus(Millis(3_700_000))).await.unwrap();
    assert_eq!(rig.provider.world.lock().unwrap().key_fetches, 3);
}

#[tokio::test]
async fn what_comes_back_must_be_what_was_begun() {
    let rig = Rig::new().await;
    let good = async || rig.at_provider(None, START).await.unwrap();
    let finish = async |returned: Returned, now: Wall| rig.people.oidc_finish(returned, now).await;
    // Used twice.
    let returned = good().await;
    finish(returned.clone(), START).await.unwrap();
    rig.refused(finish(returned, START).await, "unknown_state").await;
    // Another browser; the sign-in is spent by the attempt.
    let returned = good().await;
    let planted = Returned { browser: Some("0".repeat(64)), ..returned.clone() };
    rig.refused(finish(planted, START).await, "other_browser").await;
    rig.refused(finish(returned, START).await, "unknown_state").await;
    let returned = Returned { browser: None, ..good().await };
    rig.refused(finish(returned, START).await, "other_browser").await;
    // Never begun, too old, too long.
    let returned = Returned { state: "0".repeat(64), ..good().await };
    rig.refused(finish(returned, START).await, "unknown_state").await;
    let returned = good().await;
    rig.refused(finish(returned, START.plus(Millis(600_000))).await, "unknown_state").await;
    let returned = Returned { state: "0".repeat(5000), ..good().await };
    rig.refused(finish(returned, START).await, "unknown_state").await;
    // From another provider, or from none that gives its name.
    for issuer in [Some("https://evil.example".to_owned()), None] {
        let returned = Returned { issuer, ..good().await };
        rig.refused(finish(returned, START).await, "other_provider").await;
    }
    // Without a code, with a refusal, with another sign-in's code.
    let returned = Returned { code: None, ..good().await };
    rig.refused(finish(returned, START).await, "malformed").await;
    let returned = Returned { code: None, error: Some("access_denied".to_owned()), ..good().await };
    rig.refused(finish(returned, START).await, "provider_said_no").await;
    let (one, other) = (good().await, good().await);
    rig.refused(finish(Returned { code: other.code, ..one }, START).await, "provider_said_no").await;
}

#[tokio::test]
async fn a_command_line_gets_its_session_with_its_own_secret_only() {
    let rig = Rig::new().await;
    let verifier = "v".repeat(64);
    let waiting = || Some(Waiting { port: 40_000, challenge: challenge_of(&verifier) });
    let code = async || {
        let returned = rig.at_provider(waiting(), START).await.unwrap();
        let Finished::CommandLine { port, code } = rig.people.oidc_finish(returned, START).await.unwrap()
        else {
            panic!("a browser's session")
        };
        assert_eq!(port, 40_000);
        code
    };
    let redeem = async |code: &Secret, verifier: &str, now: Wall| {
        rig.people.oidc_redeem(code.expose(), verifier, "192.0.2.7", now).await
    };
    let first = code().await;
    assert!(redeem(&first, "somebody else's", START).await.is_err());
    assert_eq!(rig.why().await, "code");
    assert!(redeem(&first, &verifier, START).await.is_err(), "spent by the attempt");
    let second = code().await;
    let session = redeem(&second, &verifier, START).await.unwrap();
    assert!(redeem(&second, &verifier, START).await.is_err());
    let who = rig.people.recognise_bearer(session.secret.expose(), START).await.unwrap().unwrap();
    assert_eq!(who.actor, "user:ann");
    assert_eq!(rig.people.recognise_cookie(session.secret.expose(), START).await.unwrap(), None);
    let late = code().await;
    assert!(redeem(&late, &verifier, START.plus(Millis(60_000))).await.is_err());
    for waiting in [
        Waiting { port: 0, challenge: challenge_of("x") },
        Waiting { port: 1, challenge: "short".to_owned() },
    ] {
        let error = rig.people.oidc_begin(Some(waiting), START).await.unwrap_err();
        assert!(matches!(error, PeopleError::Invalid(_)), "{error}");
    }
}

#[tokio::test]
async fn disabled_users_and_taken_names_stay_out() {
    let rig = Rig::new().await;
    rig.sign_in(START).await.unwrap();
    let ann: UserName = "ann".parse().unwrap();
    let set = async |status| {
        let change = crate::people::UserChange { status: Some(status), ..Default::default() };
        let operator = crate::people::Identity::operator();
        rig.people.change_user(&operator, &ann, change, START).await.unwrap();
    };
    set(UserStatus::Disabled).await;
    let result = rig.sign_in(START).await;
    rig.refused(result, "disabled").await;
    set(UserStatus::Active).await;
    rig.sign_in(START).await.unwrap();
    // Another person of the provider with the same name is not this user.
    rig.provider.set(|world| world.subject = "sub-2".to_owned());
    let result = rig.sign_in(START).await;
    rig.refused(result, "name_taken").await;
    let roles = crate::people::UserChange { roles: Some(vec![Role::Admin]), ..Default::default() };
    let operator = crate::people::Identity::operator();
    let error = rig.people.change_user(&operator, &ann, roles, START).await.unwrap_err();
    assert!(error.to_string().contains("come from the OIDC provider"), "{error}");
}

#[tokio::test]
async fn addresses_count_only_as_far_as_the_provider_vouches() {
    for (verified, emails, counts) in [
        (json!(true), EmailTrust::Verified, true),
        (json!(false), EmailTrust::Verified, false),
        (json!("true"), EmailTrust::Verified, false),
        (json!(null), EmailTrust::Verified, false),
        (json!(null), EmailTrust::Provider, true),
        (json!(false), EmailTrust::Provider, false),
    ] {
        let rig = Rig::with(|settings| settings.emails = emails).await;
        rig.provider.set(|world| {
            match verified.is_null() {
                true => world.claims.remove("email_verified"),
                false => world.claims.insert("email_verified".to_owned(), verified.clone()),
            };
        });
        rig.sign_in(START).await.unwrap();
        assert_eq!(rig.user().await.unwrap().email.is_some(), counts, "{verified} {emails:?}");
    }
    // Whoever names people by address needs one that counts.
    let rig = Rig::with(|settings| settings.name_claim = "email".to_owned()).await;
    rig.provider.set(|world| drop(world.claims.insert("email_verified".to_owned(), json!(false))));
    let result = rig.sign_in(START).await;
    rig.refused(result, "name").await;
}

#[tokio::test]
async fn what_is_not_signed_may_be_shown_by_the_provider() {
    let rig = Rig::new().await;
    rig.provider.set(|world| world.shown = std::mem::take(&mut world.claims));
    rig.sign_in(START).await.unwrap();
    let ann = rig.user().await.unwrap();
    assert_eq!(
        (ann.roles, ann.email.as_deref()),
        (BTreeSet::from([Role::Operator]), Some("ann@example.net"))
    );
    for (lie, kind) in [(Lie::OtherSubjectShown, "other_subject"), (Lie::RedirectedShow, "redirected")] {
        rig.provider.set(|world| world.lie = lie);
        let result = rig.sign_in(START).await;
        rig.refused(result, kind).await;
    }
    // What is signed stands, whatever is shown beside it; a shown proof is none for a signed address.
    rig.provider.set(|world| {
        world.lie = Lie::None;
        world.claims.insert("groups".to_owned(), json!(["net-ops"]));
        world.claims.insert("email".to_owned(), json!("eve@example.net"));
        world.shown.insert("groups".to_owned(), json!(["net-adm"]));
    });
    rig.sign_in(START).await.unwrap();
    let ann = rig.user().await.unwrap();
    assert_eq!((ann.roles, ann.email), (BTreeSet::from([Role::Operator]), None));
}

#[tokio::test]
async fn without_a_provider_there_is_nothing_to_begin() {
    let dir = tempfile::tempdir().unwrap();
    let db = Db::open(&format!("sqlite://{}/p.db", dir.path().display())).await.unwrap();
    let people = People::new(db, Secret::new("operators-token-of-this-test"), None);
    assert!(people.oidc_issuer().is_none());
    assert!(matches!(people.oidc_begin(None, START).await, Err(PeopleError::Invalid(_))));
}
