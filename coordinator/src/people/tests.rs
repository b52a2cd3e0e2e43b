//! Recognising, signing in, locking, and the table of permissions, on a real database and a clock that is a number.

use super::password;
use super::role::TABLE;
use super::service::{SESSION_IDLE, SESSION_LIFE};
use super::*;
use crate::store::Db;
use crate::store::audit;
use crate::store::sessions::SessionKind;
use crate::store::users::{self, UserStatus};
use model::{Millis, Secret, Wall};
use std::collections::BTreeSet;

const TOKEN: &str = "the-operators-token-of-these-tests";
const PASSWORD: &str = "correct horse battery";
const START: Wall = Wall(1_000_000_000);

struct Rig {
    people: People,
    db: Db,
    _dir: tempfile::TempDir,
}

async fn rig() -> Rig {
    let dir = tempfile::tempdir().unwrap();
    let db = Db::open(&format!("sqlite://{}/p.db", dir.path().display())).await.unwrap();
    let people = People::new(db.clone(), Secret::new(TOKEN), None);
    let ann = UserToAdd {
        name: "ann".parse().unwrap(),
        email: Some("Ann@Example.net".to_owned()),
        roles: vec![Role::Operator],
        password: PASSWORD.to_owned(),
    };
    people.add_user(&Identity::operator(), ann, START).await.unwrap();
    Rig { people, db, _dir: dir }
}

impl Rig {
    async fn sign_in(&self, name: &str, password: &str, now: Wall) -> Result<SignedIn, PeopleError> {
        self.people.sign_in(name, password.to_owned(), SessionKind::Cli, "192.0.2.1", now).await
    }

    async fn bearer(&self, token: &str, now: Wall) -> Option<Identity> {
        self.people.recognise_bearer(token, now).await.unwrap()
    }
}

fn after(start: Wall, span: Millis) -> Wall {
    start.plus(span)
}

#[test]
fn every_permission_has_roles_and_admins_have_all() {
    let listed: BTreeSet<Permission> = TABLE.iter().map(|(permission, _)| *permission).collect();
    assert_eq!(listed.len(), TABLE.len(), "a permission stands twice");
    for (permission, roles) in TABLE {
        assert!(roles.contains(&Role::Admin), "{permission:?}");
        assert!(Roles::one(Role::Admin).may(*permission));
    }
    let viewer = Roles::one(Role::Viewer);
    assert!(viewer.may(Permission::FleetRead) && !viewer.may(Permission::RolloutSteer));
    // The one who stops rollouts is not the one who approves them.
    let operator = Roles::one(Role::Operator);
    assert!(
        !operator.may(Permission::ChangeApprove) && !Roles::one(Role::Approver).may(Permission::RolloutSteer)
    );
    assert!(
        operator.cover(Role::Viewer) && operator.cover(Role::Engineer) && !operator.cover(Role::Approver)
    );
    assert!(!Roles::default().may(Permission::OwnAccess), "no role, no right");
}

#[test]
fn authors_are_compared_by_mail_address() {
    use Authorship::{Other, Same, Unknown};
    let ann = Some("Ann@Example.net");
    for (person, author, expected) in [
        (ann, "Ann Lee <ann@example.NET>", Same),
        (ann, "ann@example.net", Same),
        (ann, " Ann < ann@example.net > ", Same),
        (ann, "Ann <eve@evil.net> <ann@example.net>", Same),
        (ann, "Bob <bob@example.net>", Other),
        (ann, "Ann <ann@example.net.evil>", Other),
        (ann, "Ann Lee", Unknown),
        (ann, "Ann <ann@example.net", Unknown),
        (ann, "", Unknown),
        (None, "Ann Lee <ann@example.net>", Unknown),
        (Some("no address"), "Ann Lee <ann@example.net>", Unknown),
    ] {
        assert_eq!(Authorship::of(person, author), expected, "{person:?} {author}");
    }
    assert_eq!(Identity::operator().authorship("Ann <ann@example.net>"), Unknown);
}

#[test]
fn passwords_are_argon2id_and_damaged_ones_fit_nothing() {
    let (one, two) = (password::hash(PASSWORD).unwrap(), password::hash(PASSWORD).unwrap());
    assert!(one.starts_with("$argon2id$v=19$m=19456,t=2,p=1$") && one != two, "salted");
    assert!(password::fits(PASSWORD, &one) && !password::fits("correct horse batterx", &one));
    assert!(!password::is_outdated(&one));
    let weak = one.replace("t=2", "t=1");
    assert!(password::is_outdated(&weak) && !password::fits(PASSWORD, &weak));
    let greedy = one.replace("m=19456", "m=4000000000");
    for stored in
        ["", "x", "$argon2id$v=19$m=19456,t=2,p=1$$", &one[..one.len() - 8], &greedy, &password::decoy()]
    {
        assert!(!password::fits(PASSWORD, stored), "{stored}");
        assert!(!password::fits("", stored), "{stored}");
    }
}

#[tokio::test]
async fn the_published_vector_of_argon2id_fits() {
    // `echo -n password | argon2 somesalt -id -t 2 -k 65536 -p 1`, as in the reference implementation's tests.
    let known = "$argon2id$v=19$m=65536,t=2,p=1$c29tZXNhbHQ$CTFhFdXPJO1aFaMaO6Mm5c8y7cJHAph8ArZWb2GRPPc";
    assert!(password::fits("password", known) && !password::fits("passwore", known));
}

#[tokio::test]
async fn the_operators_token_is_the_administrator() {
    let rig = rig().await;
    let who = rig.bearer(TOKEN, START).await.unwrap();
    assert_eq!((who.actor.as_str(), who.may(Permission::PeopleManage)), ("operator", true));
    for wrong in ["", "x", &TOKEN[1..], &format!("{TOKEN}x"), &"x".repeat(10_000)] {
        assert_eq!(rig.bearer(wrong, START).await, None);
    }
}

#[tokio::test]
async fn a_session_ends_by_age_by_rest_and_by_word() {
    let rig = rig().await;
    let first = rig.sign_in("ann", PASSWORD, START).await.unwrap();
    let secret = first.secret.expose();
    let who = rig.bearer(secret, START).await.unwrap();
    assert_eq!((who.actor.as_str(), who.email.as_deref()), ("user:ann", Some("Ann@Example.net")));
    assert_eq!(rig.people.recognise_cookie(secret, START).await.unwrap(), None, "it is none of a browser");
    // Used again and again it lives, but not for ever.
    let step = Millis(SESSION_IDLE.0 - 1);
    let mut now = START;
    while after(now, step) < after(START, SESSION_LIFE) {
        now = after(now, step);
        assert!(rig.bearer(secret, now).await.is_some(), "{now:?}");
    }
    assert_eq!(rig.bearer(secret, after(START, SESSION_LIFE)).await, None);
    // Not used it ends sooner.
    let second = rig.sign_in("ann", PASSWORD, now).await.unwrap();
    assert_eq!(rig.bearer(second.secret.expose(), after(now, SESSION_IDLE)).await, None);
    let third = rig.sign_in("ann", PASSWORD, now).await.unwrap();
    let who = rig.bearer(third.secret.expose(), now).await.unwrap();
    rig.people.sign_out(&who, now).await.unwrap();
    assert_eq!(rig.bearer(third.secret.expose(), now).await, None);
    assert!(rig.people.sign_out(&Identity::operator(), now).await.is_err());
}

#[tokio::test]
async fn wrong_passwords_lock_for_a_while_and_look_all_alike() {
    let rig = rig().await;
    let mut told = BTreeSet::new();
    for _ in 0..FAILURES_MAX {
        told.insert(rig.sign_in("ann", "wrong wrong wrong", START).await.unwrap_err().to_string());
    }
    told.insert(rig.sign_in("ann", PASSWORD, START).await.unwrap_err().to_string());
    told.insert(rig.sign_in("nobody-here", PASSWORD, START).await.unwrap_err().to_string());
    told.insert(rig.sign_in("Not A Name", PASSWORD, START).await.unwrap_err().to_string());
    assert_eq!(told.len(), 1, "{told:?}");
    let trail = audit::list(&rig.db, 100).await.unwrap();
    let has = |text: &str| trail.iter().any(|entry| entry.detail.contains(text));
    assert!(has("wrong_password") && has("locked") && has("unknown_user"));
    assert!(rig.sign_in("ann", PASSWORD, Wall(START.0 + LOCK.0 - 1)).await.is_err());
    let later = after(START, LOCK);
    rig.sign_in("ann", PASSWORD, later).await.unwrap();
    let ann = users::get(&rig.db, &"ann".parse().unwrap()).await.unwrap().unwrap();
    assert_eq!((ann.failures, ann.locked_until, ann.last_login), (0, None, Some(later)));
}

#[tokio::test]
async fn a_token_is_never_more_than_its_owner() {
    let rig = rig().await;
    let session = rig.sign_in("ann", PASSWORD, START).await.unwrap();
    let ann = rig.bearer(session.secret.expose(), START).await.unwrap();
    let wish = |role| TokenToMake { name: "t".to_owned(), role, group: None, ttl_secs: 3600 };
    let (token, secret) = rig.people.make_token(&ann, wish(Role::Operator), START).await.unwrap();
    let who = rig.bearer(secret.expose(), START).await.unwrap();
    assert_eq!(who.actor, format!("user:ann+token:{}", token.id));
    assert!(who.may(Permission::RolloutSteer) && !who.may(Permission::ChangeApprove));
    let set = async |change: UserChange| {
        let ann = "ann".parse().unwrap();
        rig.people.change_user(&Identity::operator(), &ann, change, START).await.unwrap();
    };
    set(UserChange { roles: Some(vec![Role::Viewer]), ..UserChange::default() }).await;
    let who = rig.bearer(secret.expose(), START).await.unwrap();
    assert!(who.may(Permission::FleetRead) && !who.may(Permission::RolloutSteer));
    set(UserChange { status: Some(UserStatus::Disabled), ..UserChange::default() }).await;
    assert_eq!(rig.bearer(secret.expose(), START).await, None);
    set(UserChange { status: Some(UserStatus::Active), ..UserChange::default() }).await;
    assert!(rig.bearer(secret.expose(), START).await.is_some());
    assert_eq!(rig.bearer(secret.expose(), after(START, Millis::from_secs(3600))).await, None);
}

#[tokio::test]
async fn tokens_of_one_maker_have_a_limit() {
    let rig = rig().await;
    let operator = Identity::operator();
    let wish = || TokenToMake { name: "t".to_owned(), role: Role::Viewer, group: None, ttl_secs: 60 };
    for _ in 0..administration::TOKENS_LIVE_MAX {
        rig.people.make_token(&operator, wish(), START).await.unwrap();
    }
    let error = rig.people.make_token(&operator, wish(), START).await.unwrap_err();
    assert!(error.to_string().contains("revoke those"), "{error}");
    rig.people.make_token(&operator, wish(), after(START, Millis::from_secs(60))).await.unwrap();
}
