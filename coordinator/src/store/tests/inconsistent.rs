//! Rows that somebody damaged: the error names table, column and key; nothing panics.

use super::fixtures::{accept, acceptance, add_hosts, change_id, host, network, outcome};
use super::{for_each_db, in_tx, run_sql};
use crate::store::{StoreError, changes, hosts, observations, outcomes, plans, releases, rollouts};
use model::{OutcomeKind, Wall};

fn assert_names<T: std::fmt::Debug>(result: Result<T, StoreError>, table: &str, column: &str) {
    match result {
        Err(StoreError::Inconsistent { table: found, column: which, .. }) => {
            assert_eq!((found, which.as_str()), (table, column));
        }
        other => panic!("{table}.{column}: {other:?}"),
    }
}

#[tokio::test]
async fn damaged_rows_are_named() {
    for_each_db(async |db| {
        add_hosts(&db, &["a"]).await;
        accept(&db, &acceptance("c1", &["a"], 20, 5)).await;
        in_tx!(db, tx => outcomes::record(&mut tx, &host("a"), &outcome("c1", 1, OutcomeKind::Committed), Wall(6))).unwrap();
        in_tx!(db, tx => observations::record(&mut tx, &host("a"), &network(1, 1), "h", Wall(1))).unwrap();
        run_sql(&db, "UPDATE plans SET steps = '[{]'").await;
        assert_names(plans::get(&db, &change_id("c1"), &host("a")).await, "plans", "steps");
        run_sql(&db, "UPDATE release_leaves SET order_json = '{\"surprise\": 1}'").await;
        assert_names(plans::order(&db, &change_id("c1"), &host("a")).await, "release_leaves", "order_json");
        run_sql(&db, "UPDATE release_leaves SET path = 'abc'").await;
        assert_names(releases::leaf(&db, &change_id("c1"), &host("a")).await, "release_leaves", "path");
        run_sql(&db, "UPDATE rollouts SET state = '{'").await;
        assert_eq!(rollouts::active(&db).await.unwrap()[0].state, "{", "the state is the machine's to read");
        run_sql(&db, "UPDATE rollouts SET spec = ''").await;
        assert_names(rollouts::active(&db).await, "rollouts", "spec");
        run_sql(&db, "UPDATE changes SET created_at = -1").await;
        assert_names(changes::list(&db, 1).await, "changes", "created_at");
        run_sql(&db, "UPDATE host_outcomes SET steps_run = 99999999999").await;
        assert_names(outcomes::outcomes_of(&db, &change_id("c1")).await, "host_outcomes", "steps_run");
        run_sql(&db, "UPDATE observation_documents SET document = 'null'").await;
        assert_names(observations::latest(&db, &host("a")).await, "observation_documents", "document");
        run_sql(&db, "UPDATE hosts SET committed_change = '../x'").await;
        assert_names(hosts::get(&db, &host("a")).await, "hosts", "committed_change");
    })
    .await;
}

#[tokio::test]
async fn words_outside_the_checks_are_not_stored() {
    for_each_db(async |db| {
        add_hosts(&db, &["a"]).await;
        for text in [
            "UPDATE hosts SET status = 'friendly'",
            "UPDATE hosts SET generation_committed = 5",
            "INSERT INTO audit_head (id, sequence, hash) VALUES (2, 0, '')",
        ] {
            let mut tx = db.begin().await.unwrap();
            assert!(tx!(tx, c => sqlx::query(text).execute(c).await.map(|_| ())).is_err(), "{text}");
            tx.cancel().await;
        }
    })
    .await;
}

/// SQLite keeps any type in any column: a number that is none must not be a panic or a zero.
#[tokio::test]
async fn a_text_in_a_number_column_is_named_on_sqlite() {
    let folder = tempfile::tempdir().unwrap();
    let db = crate::store::Db::open(&super::lite_url(&folder)).await.unwrap();
    add_hosts(&db, &["a"]).await;
    run_sql(&db, "UPDATE hosts SET last_seen_at = 'yesterday'").await;
    assert_names(hosts::get(&db, &host("a")).await, "hosts", "last_seen_at");
}
