//! Every registered statement is prepared by both engines.

use super::for_each_db;
use crate::store::sql;
use sqlx::{AssertSqlSafe, Executor, SqlSafeStr};
use std::collections::BTreeSet;

#[tokio::test]
async fn every_statement_is_understood_by_both_engines() {
    for_each_db(async |db| {
        for (name, text) in sql::registry() {
            let prepared = on!(db, pool => {
                let mut connection = pool.acquire().await.unwrap();
                (&mut *connection).prepare(AssertSqlSafe(text.clone()).into_sql_str()).await.map(|_| ())
            });
            prepared.unwrap_or_else(|e| panic!("{name} on {}: {e}\n{text}", db.engine_name()));
        }
    })
    .await;
}

#[test]
fn names_are_unique_and_texts_have_no_foreign_parameters() {
    let registry = sql::registry();
    assert!(registry.len() > 70, "{} statements: is a file missing from the registry?", registry.len());
    let mut names = BTreeSet::new();
    for (name, text) in registry {
        assert!(names.insert(name), "{name} twice");
        assert!(!text.contains('?') && !text.contains('#'), "{name}: parameters are $1, $2");
    }
}

#[test]
fn bulk_numbers_its_parameters() {
    assert!(
        sql::HOSTS_TOUCH
            .text(2)
            .contains("(CAST($1 AS TEXT), CAST($2 AS BIGINT)), (CAST($3 AS TEXT), CAST($4 AS BIGINT))")
    );
}
