//! One suite, two engines: every test here runs on SQLite in a temporary file and on PostgreSQL in a database of its own.
//!
//! PostgreSQL comes from POINTSMAN_TEST_PG_URL (a server on which databases may be made). Without it those halves are skipped
//! and say so; with CI=true that is a failure.

mod changes;
mod fixtures;
mod hosts;
mod identities;
mod inconsistent;
mod observations;
mod open;
mod people;
mod pulls;
mod records;
mod releases;
mod statements;
mod writer;

use super::{Db, DbSettings, StoreError};
use sqlx::AssertSqlSafe;
use std::time::Duration;

/// Limits in tests: long enough for a busy machine.
pub const PATIENT: Duration = Duration::from_secs(30);

pub fn settings() -> DbSettings {
    DbSettings { busy_limit: PATIENT, turn_limit: PATIENT, ..DbSettings::default() }
}

/// Runs `test` on a fresh database of each engine.
pub async fn for_each_db(test: impl AsyncFn(Db)) {
    let folder = tempfile::tempdir().unwrap();
    let db = Db::open_with(&lite_url(&folder), &settings()).await.unwrap();
    test(db.clone()).await;
    db.close().await;
    if let Some(fresh) = PgDatabase::make().await {
        let db = Db::open_with(&fresh.url, &settings()).await.unwrap();
        test(db.clone()).await;
        db.close().await;
        fresh.drop_it().await;
    }
}

pub fn lite_url(folder: &tempfile::TempDir) -> String {
    format!("sqlite://{}", folder.path().join("pointsman.db").display())
}

/// A database on the test server. One that a failed test leaves behind goes with the server.
pub struct PgDatabase {
    server: String,
    name: String,
    pub url: String,
}

impl PgDatabase {
    pub async fn make() -> Option<Self> {
        let Ok(server) = std::env::var("POINTSMAN_TEST_PG_URL") else {
            assert!(
                std::env::var("CI").as_deref() != Ok("true"),
                "PostgreSQL is needed in CI: set POINTSMAN_TEST_PG_URL or run cargo xtask test"
            );
            println!("skipped: PostgreSQL (set POINTSMAN_TEST_PG_URL or run cargo xtask test)");
            return None;
        };
        let name = format!("pointsman_test_{}", uuid::Uuid::now_v7().simple());
        run_on_server(&server, format!("CREATE DATABASE {name}")).await;
        let (base, parameters) = server.split_once('?').map_or((server.as_str(), ""), |(b, p)| (b, p));
        let authority_end = base.find("://").map_or(0, |at| at + 3);
        let end = base[authority_end..].find('/').map_or(base.len(), |at| authority_end + at);
        let url = format!("{}/{name}?{parameters}", &base[..end]);
        Some(Self { server, name, url })
    }

    pub async fn drop_it(self) {
        run_on_server(&self.server, format!("DROP DATABASE {} WITH (FORCE)", self.name)).await;
    }
}

async fn run_on_server(server: &str, text: String) {
    use sqlx::Connection;
    let mut connection = sqlx::PgConnection::connect(server).await.unwrap();
    sqlx::query(AssertSqlSafe(text)).execute(&mut connection).await.unwrap();
    connection.close().await.unwrap();
}

/// Runs a statement of a test, which no registry needs to know, in a unit of work of its own.
pub async fn run_sql(db: &Db, text: &'static str) {
    let mut tx = db.begin().await.unwrap();
    tx!(tx, c => sqlx::query(text).execute(c).await.map(|_| ())).unwrap();
    tx.commit().await.unwrap();
}

/// Reads one number.
pub async fn count(db: &Db, text: &'static str) -> i64 {
    on!(db, c => sqlx::query_scalar(text).fetch_one(c).await).unwrap()
}

/// Runs one writing call in a unit of work of its own: `in_tx!(db, tx => hosts::enrol(&mut tx, ..))`.
macro_rules! in_tx {
    ($db:expr, $tx:ident => $call:expr) => {{
        let mut $tx = $db.begin().await.unwrap();
        let result = $call.await;
        if result.is_ok() {
            $tx.commit().await.unwrap();
        } else {
            $tx.cancel().await;
        }
        result
    }};
}
pub(in crate::store::tests) use in_tx;

/// Whether an error is the expected one, with the error in the message when it is not.
pub fn assert_not_found<T: std::fmt::Debug>(result: Result<T, StoreError>) {
    assert!(matches!(result, Err(StoreError::NotFound { .. })), "{result:?}");
}
