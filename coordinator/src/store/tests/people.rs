//! Users, sessions, API tokens and sign-ins under way, on both engines.

use super::{assert_not_found, for_each_db, in_tx};
use crate::store::api_tokens::{self, ApiTokenRecord};
use crate::store::logins::{self, LoginRecord, Waiting};
use crate::store::sessions::{self, SessionKind, SessionRecord};
use crate::store::users::{self, Account, NewUser, Role, UserName, UserStatus};
use crate::store::{Db, StoreError};
use model::{HostGroupId, Wall};
use std::collections::BTreeSet;

fn name(text: &str) -> UserName {
    text.parse().unwrap()
}

fn new_user(text: &str, account: Account) -> NewUser {
    NewUser {
        name: name(text),
        account,
        email: Some(format!("{text}@example.net")),
        roles: BTreeSet::from([Role::Viewer, Role::Approver]),
        created_by: "operator".to_owned(),
        created: Wall(1),
    }
}

fn local() -> Account {
    Account::Local { password: "$argon2id$..".to_owned() }
}

fn oidc(subject: &str) -> Account {
    Account::Oidc { issuer: "https://id.example.net".to_owned(), subject: subject.to_owned() }
}

async fn add(db: &Db, user: NewUser) -> Result<(), StoreError> {
    in_tx!(db, tx => users::create(&mut tx, &user))
}

#[tokio::test]
async fn users_come_back_as_they_were_made_and_changed() {
    for_each_db(async |db| {
        add(&db, new_user("ann", local())).await.unwrap();
        add(&db, new_user("bob@example.net", oidc("17"))).await.unwrap();
        assert!(matches!(add(&db, new_user("ann", oidc("18"))).await, Err(StoreError::Conflict { .. })));
        assert!(add(&db, new_user("eve", oidc("17"))).await.is_err(), "one account, one user");
        let ann = users::get(&db, &name("ann")).await.unwrap().unwrap();
        assert_eq!((ann.account.clone(), ann.status), (local(), UserStatus::Active));
        assert_eq!(ann.roles, BTreeSet::from([Role::Viewer, Role::Approver]));
        let bob = users::of_subject(&db, "https://id.example.net", "17").await.unwrap().unwrap();
        assert_eq!(bob.name, name("bob@example.net"));
        assert_eq!(users::of_subject(&db, "https://other.example.net", "17").await.unwrap(), None);
        in_tx!(db, tx => users::set_roles(&mut tx, &name("ann"), &BTreeSet::from([Role::Admin]))).unwrap();
        in_tx!(db, tx => users::set_status(&mut tx, &name("ann"), UserStatus::Disabled)).unwrap();
        in_tx!(db, tx => users::set_email(&mut tx, &name("ann"), None)).unwrap();
        in_tx!(db, tx => users::set_password(&mut tx, &name("ann"), "$argon2id$new")).unwrap();
        let listed = users::list(&db, 10).await.unwrap();
        assert_eq!(listed.len(), 2);
        let ann = &listed[0];
        assert_eq!((ann.status, ann.email.as_deref()), (UserStatus::Disabled, None));
        assert_eq!(ann.roles, BTreeSet::from([Role::Admin]));
        assert_eq!(ann.account, Account::Local { password: "$argon2id$new".to_owned() });
        assert_not_found(in_tx!(db, tx => users::set_password(&mut tx, &name("bob@example.net"), "x")));
        assert_not_found(in_tx!(db, tx => users::set_status(&mut tx, &name("zoe"), UserStatus::Active)));
        assert_not_found(in_tx!(db, tx => users::logged_in(&mut tx, &name("zoe"), Wall(1))));
    })
    .await;
}

#[tokio::test]
async fn failures_are_counted_and_lock_from_the_limit_on() {
    for_each_db(async |db| {
        add(&db, new_user("ann", local())).await.unwrap();
        let fail =
            async |until| in_tx!(db, tx => users::failed(&mut tx, &name("ann"), 3, Wall(until))).unwrap();
        let locked = async || users::get(&db, &name("ann")).await.unwrap().unwrap().locked_until;
        assert_eq!((fail(10).await, fail(11).await, locked().await), (1, 2, None));
        assert_eq!((fail(12).await, locked().await), (3, Some(Wall(12))));
        assert_eq!((fail(13).await, locked().await), (4, Some(Wall(13))));
        in_tx!(db, tx => users::logged_in(&mut tx, &name("ann"), Wall(20))).unwrap();
        let ann = users::get(&db, &name("ann")).await.unwrap().unwrap();
        assert_eq!((ann.failures, ann.locked_until, ann.last_login), (0, None, Some(Wall(20))));
    })
    .await;
}

#[tokio::test]
async fn sessions_begin_are_touched_and_end() {
    for_each_db(async |db| {
        add(&db, new_user("ann", local())).await.unwrap();
        let session = |hash: &str, expires| SessionRecord {
            hash: hash.to_owned(),
            user: name("ann"),
            kind: SessionKind::Browser,
            source: "192.0.2.1".to_owned(),
            created: Wall(5),
            last_seen: Wall(5),
            expires: Wall(expires),
        };
        for (hash, expires) in [("a", 100), ("b", 50), ("c", 100)] {
            in_tx!(db, tx => sessions::create(&mut tx, &session(hash, expires))).unwrap();
        }
        assert_eq!(sessions::get(&db, "a").await.unwrap(), Some(session("a", 100)));
        in_tx!(db, tx => sessions::touch(&mut tx, "a", Wall(40))).unwrap();
        in_tx!(db, tx => sessions::touch(&mut tx, "a", Wall(30))).unwrap();
        assert_eq!(sessions::get(&db, "a").await.unwrap().unwrap().last_seen, Wall(40), "never back");
        assert_eq!(in_tx!(db, tx => sessions::prune(&mut tx, Wall(50), Wall(4))).unwrap(), 1);
        assert_eq!(in_tx!(db, tx => sessions::prune(&mut tx, Wall(50), Wall(5))).unwrap(), 1);
        assert!(sessions::get(&db, "a").await.unwrap().is_some());
        in_tx!(db, tx => sessions::create(&mut tx, &session("d", 100))).unwrap();
        in_tx!(db, tx => sessions::end(&mut tx, "a")).unwrap();
        assert_eq!(sessions::get(&db, "a").await.unwrap(), None);
        in_tx!(db, tx => sessions::end_all_of(&mut tx, &name("ann"))).unwrap();
        assert_eq!(sessions::get(&db, "d").await.unwrap(), None);
    })
    .await;
}

#[tokio::test]
async fn api_tokens_are_found_by_hash_and_revoked_once() {
    for_each_db(async |db| {
        add(&db, new_user("ann", local())).await.unwrap();
        let token = ApiTokenRecord {
            id: "t1".to_owned(),
            name: "nightly".to_owned(),
            user: Some(name("ann")),
            role: Role::Operator,
            group: Some(HostGroupId::new("prod").unwrap()),
            created_by: "user:ann".to_owned(),
            created: Wall(1),
            expires: Wall(100),
            last_used: None,
            revoked: None,
        };
        let other = ApiTokenRecord { id: "t2".to_owned(), user: None, group: None, ..token.clone() };
        in_tx!(db, tx => api_tokens::create(&mut tx, "h1", &token)).unwrap();
        in_tx!(db, tx => api_tokens::create(&mut tx, "h2", &other)).unwrap();
        assert_eq!(api_tokens::by_hash(&db, "h1").await.unwrap(), Some(token.clone()));
        assert_eq!(api_tokens::by_hash(&db, "t1").await.unwrap(), None);
        assert_eq!(api_tokens::list(&db, Some(&name("ann")), 10).await.unwrap().len(), 1);
        assert_eq!(api_tokens::list(&db, None, 10).await.unwrap().len(), 2);
        assert_eq!(api_tokens::count_live(&db, "user:ann", Wall(99)).await.unwrap(), 2);
        assert_eq!(api_tokens::count_live(&db, "user:ann", Wall(100)).await.unwrap(), 0);
        in_tx!(db, tx => api_tokens::touch(&mut tx, "t1", Wall(7))).unwrap();
        assert!(in_tx!(db, tx => api_tokens::revoke(&mut tx, "t1", "operator", Wall(8))).unwrap());
        assert!(!in_tx!(db, tx => api_tokens::revoke(&mut tx, "t1", "operator", Wall(9))).unwrap());
        let token = api_tokens::get(&db, "t1").await.unwrap().unwrap();
        assert_eq!(token.last_used, Some(Wall(7)));
        assert_eq!(token.revoked, Some((Wall(8), "operator".to_owned())));
    })
    .await;
}

#[tokio::test]
async fn sign_ins_under_way_are_good_once() {
    for_each_db(async |db| {
        add(&db, new_user("ann", oidc("1"))).await.unwrap();
        let login = |waiting| LoginRecord {
            browser_hash: "b".to_owned(),
            nonce: "n".to_owned(),
            verifier: "v".to_owned(),
            waiting,
            expires: Wall(10),
        };
        let waiting = Waiting { port: 65_535, challenge: "c".to_owned() };
        in_tx!(db, tx => logins::begin(&mut tx, "s1", &login(None))).unwrap();
        in_tx!(db, tx => logins::begin(&mut tx, "s2", &login(Some(waiting.clone())))).unwrap();
        assert_eq!(logins::count(&db).await.unwrap(), 2);
        assert_eq!(in_tx!(db, tx => logins::take(&mut tx, "s2")).unwrap(), Some(login(Some(waiting))));
        assert_eq!(in_tx!(db, tx => logins::take(&mut tx, "s2")).unwrap(), None);
        in_tx!(db, tx => logins::add_code(&mut tx, "k", &name("ann"), "c", Wall(20))).unwrap();
        in_tx!(db, tx => logins::add_code(&mut tx, "old", &name("ann"), "c", Wall(10))).unwrap();
        in_tx!(db, tx => logins::prune(&mut tx, Wall(10))).unwrap();
        assert_eq!(in_tx!(db, tx => logins::take(&mut tx, "s1")).unwrap(), None);
        assert_eq!(in_tx!(db, tx => logins::take_code(&mut tx, "old")).unwrap(), None);
        let taken = in_tx!(db, tx => logins::take_code(&mut tx, "k")).unwrap();
        assert_eq!(taken, Some((name("ann"), "c".to_owned(), Wall(20))));
        assert_eq!(in_tx!(db, tx => logins::take_code(&mut tx, "k")).unwrap(), None);
    })
    .await;
}
