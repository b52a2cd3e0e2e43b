//! Pull requests, and the inbox that is emptied.

use super::{count, for_each_db, in_tx};
use crate::forge::{CommitStatus, PullState, StatusState};
use crate::review::{ReviewFacts, Subject, Verdict};
use crate::store::inbox::{self, Delivery};
use crate::store::pulls::{self, PullRecord};
use model::Wall;

fn record(number: u64) -> PullRecord {
    PullRecord {
        number,
        title: "A \0 title".to_owned(),
        author: "ann".to_owned(),
        state: PullState::Open,
        head: "1".repeat(40),
        merged: None,
        reviewed: None,
        reviewed_at: None,
        facts: None,
        said: None,
        done: false,
        updated: Wall(5),
    }
}

#[tokio::test]
async fn a_pull_request_is_kept_whole_and_per_forge() {
    for_each_db(async |db| {
        in_tx!(db, tx => pulls::put(&mut tx, "github:a/b", &record(7))).unwrap();
        in_tx!(db, tx => pulls::put(&mut tx, "gitlab:a/b", &record(7))).unwrap();
        let subject = Subject { name: "pull request 7".to_owned(), head: None, main: None };
        let said = CommitStatus {
            state: StatusState::Pending,
            description: "rolling out".to_owned(),
            target: None,
            context: "pointsman".to_owned(),
        };
        let later = PullRecord {
            title: "Other".to_owned(),
            state: PullState::Merged,
            merged: Some("2".repeat(40)),
            reviewed: Some("x".to_owned()),
            reviewed_at: Some(Wall(6)),
            facts: Some(ReviewFacts::bare(subject, Verdict::Ready)),
            said: Some(("2".repeat(40), said)),
            updated: Wall(7),
            ..record(7)
        };
        in_tx!(db, tx => pulls::put(&mut tx, "github:a/b", &later)).unwrap();
        assert_eq!(pulls::get(&db, "github:a/b", 7).await.unwrap(), Some(later.clone()));
        let other = pulls::get(&db, "gitlab:a/b", 7).await.unwrap().unwrap();
        assert_eq!((other.state, other.title.as_str()), (PullState::Open, "A \u{fffd} title"));
        assert_eq!(pulls::get(&db, "github:a/b", 8).await.unwrap(), None);
        assert_eq!(pulls::unfinished(&db, "github:a/b", 10).await.unwrap(), std::slice::from_ref(&later));
        in_tx!(db, tx => pulls::put(&mut tx, "github:a/b", &PullRecord { done: true, ..later })).unwrap();
        assert!(pulls::unfinished(&db, "github:a/b", 10).await.unwrap().is_empty());
    })
    .await;
}

#[tokio::test]
async fn old_deliveries_go_when_they_were_dealt_with() {
    for_each_db(async |db| {
        for (id, received) in [("a", 1), ("b", 2), ("c", 3)] {
            let delivery = Delivery {
                id: id.to_owned(),
                source: "github".to_owned(),
                body: "{}".to_owned(),
                received: Wall(received),
            };
            in_tx!(db, tx => inbox::insert(&mut tx, &delivery)).unwrap();
        }
        in_tx!(db, tx => inbox::mark_processed(&mut tx, "a", Wall(10))).unwrap();
        in_tx!(db, tx => inbox::mark_processed(&mut tx, "b", Wall(20))).unwrap();
        in_tx!(db, tx => inbox::prune(&mut tx, Wall(15))).unwrap();
        assert_eq!(count(&db, "SELECT COUNT(*) FROM inbox").await, 2);
        assert_eq!(inbox::pending(&db, 10).await.unwrap().len(), 1);
    })
    .await;
}
