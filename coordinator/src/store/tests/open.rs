//! Opening: migrations, refusals, locks, and a full disk.

use super::fixtures::{add_hosts, host, network};
use super::{PgDatabase, count, for_each_db, in_tx, lite_url, run_sql, settings};
use crate::store::db::newest_migration;
use crate::store::hosts::{self, HostFilter};
use crate::store::{Db, DbSettings, OpenDbError, StoreError, observations};
use model::Wall;
use std::io::{BufRead, BufReader, Lines, Write};
use std::process::{Child, ChildStdout, Command, Stdio};
use std::time::{Duration, Instant};

/// Tells the child process of a lock test which file to lock, and how.
const HOLD_FILE: &str = "POINTSMAN_TEST_HOLD_FILE";
const HOLD_HOW: &str = "POINTSMAN_TEST_HOLD_HOW";
/// How long to wait for a lock in tests that expect it to last.
const SHORT: Duration = Duration::from_millis(200);

#[tokio::test]
async fn opening_again_changes_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let postgres = PgDatabase::make().await;
    let urls = [Some(lite_url(&folder)), postgres.as_ref().map(|p| p.url.clone())];
    for url in urls.into_iter().flatten() {
        let first = Db::open_with(&url, &settings()).await.unwrap();
        add_hosts(&first, &["a"]).await;
        let applied = count(&first, "SELECT COUNT(*) FROM _sqlx_migrations").await;
        let second = Db::open_with(&url, &settings()).await.unwrap();
        assert_eq!(count(&second, "SELECT COUNT(*) FROM _sqlx_migrations").await, applied);
        assert!(hosts::get(&second, &host("a")).await.unwrap().is_some());
        let newest = count(&second, "SELECT MAX(version) FROM _sqlx_migrations").await;
        assert_eq!(newest_migration(), newest, "all migrations this program knows are applied");
        first.close().await;
        second.close().await;
    }
    if let Some(postgres) = postgres {
        postgres.drop_it().await;
    }
}

#[tokio::test]
async fn a_database_of_a_newer_or_another_program_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let postgres = PgDatabase::make().await;
    let urls = [Some(lite_url(&folder)), postgres.as_ref().map(|p| p.url.clone())];
    for url in urls.into_iter().flatten() {
        let db = Db::open_with(&url, &settings()).await.unwrap();
        run_sql(
            &db,
            "INSERT INTO _sqlx_migrations (version, description, success, checksum, execution_time)
            SELECT 9000, 'from the future', TRUE, checksum, 0 FROM _sqlx_migrations WHERE version = 1",
        )
        .await;
        let refused = Db::open_with(&url, &settings()).await;
        assert!(
            matches!(&refused, Err(OpenDbError::Newer { found: 9000, known, .. }) if *known == newest_migration()),
            "{refused:?}"
        );
        run_sql(&db, "DELETE FROM _sqlx_migrations WHERE version = 9000").await;
        run_sql(
            &db,
            "UPDATE _sqlx_migrations SET checksum =
            (SELECT checksum FROM _sqlx_migrations WHERE version = 1) WHERE version = 2",
        )
        .await;
        let refused = Db::open_with(&url, &settings()).await;
        assert!(matches!(&refused, Err(OpenDbError::Altered { version: 2, .. })), "{refused:?}");
        db.close().await;
    }
    if let Some(postgres) = postgres {
        postgres.drop_it().await;
    }
}

#[tokio::test]
async fn what_is_no_database_is_refused_with_a_reason() {
    for url in ["mysql://x", "nonsense", "sqlite://", ""] {
        assert!(matches!(Db::open(url).await, Err(OpenDbError::BadUrl { .. })), "{url}");
    }
    let folder = tempfile::tempdir().unwrap();
    let missing = format!("sqlite://{}/none/x.db", folder.path().display());
    assert!(matches!(Db::open(&missing).await, Err(OpenDbError::NoFolder { .. })));
    std::fs::write(folder.path().join("pointsman.db"), "Dear diary, ".repeat(400)).unwrap();
    let refused = Db::open(&lite_url(&folder)).await;
    assert!(matches!(refused, Err(OpenDbError::NotADatabase { .. })), "{refused:?}");
    let nobody_listens = Db::open("postgres://nobody:secret@127.0.0.1:1/none").await;
    let Err(OpenDbError::Unreachable { name, .. }) = &nobody_listens else { panic!("{nobody_listens:?}") };
    assert_eq!(name, "127.0.0.1:1", "no password in a message");
}

/// Not a test by itself: run as a child process it locks a file until its input ends.
#[tokio::test]
async fn lock_holder() {
    let (Ok(file), Ok(how)) = (std::env::var(HOLD_FILE), std::env::var(HOLD_HOW)) else { return };
    use sqlx::{ConnectOptions, Executor};
    let options = sqlx::sqlite::SqliteConnectOptions::new().filename(file).create_if_missing(true);
    let mut connection = options.connect().await.unwrap();
    if how == "all" {
        connection.execute("PRAGMA locking_mode = EXCLUSIVE").await.unwrap();
    }
    connection.execute("BEGIN IMMEDIATE").await.unwrap();
    connection.execute("CREATE TABLE IF NOT EXISTS holder (x BIGINT)").await.unwrap();
    if how == "all" {
        connection.execute("COMMIT").await.unwrap();
    }
    println!("\nheld");
    std::io::stdout().flush().unwrap();
    let mut line = String::new();
    std::io::stdin().read_line(&mut line).unwrap();
}

/// Another process that holds a lock until this value is dropped.
struct Holder {
    child: Child,
    /// Kept open, or the holder could not print.
    _output: Lines<BufReader<ChildStdout>>,
}

impl Holder {
    fn start(folder: &tempfile::TempDir, how: &str) -> Self {
        let (_, module) = module_path!().split_once("::").unwrap();
        let mut child = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", &format!("{module}::lock_holder"), "--nocapture"])
            .env(HOLD_FILE, folder.path().join("pointsman.db"))
            .env(HOLD_HOW, how)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        assert!(lines.any(|line| line.unwrap() == "held"), "the holder ended early");
        Self { child, _output: lines }
    }
}

impl Drop for Holder {
    fn drop(&mut self) {
        drop(self.child.stdin.take());
        let _ = self.child.wait();
    }
}

#[tokio::test]
async fn a_file_locked_by_another_process_is_a_typed_error_in_time() {
    let folder = tempfile::tempdir().unwrap();
    let holder = Holder::start(&folder, "all");
    let started = Instant::now();
    let short = DbSettings { busy_limit: SHORT, ..DbSettings::default() };
    let refused = Db::open_with(&lite_url(&folder), &short).await;
    assert!(matches!(refused, Err(OpenDbError::Locked { limit: SHORT, .. })), "{refused:?}");
    assert!(started.elapsed() < Duration::from_secs(10), "waited {:?}", started.elapsed());
    drop(holder);
    Db::open_with(&lite_url(&folder), &settings()).await.unwrap();
}

#[tokio::test]
async fn while_another_process_writes_reads_go_on_and_writes_say_busy() {
    let folder = tempfile::tempdir().unwrap();
    let short = DbSettings { busy_limit: SHORT, ..DbSettings::default() };
    let db = Db::open_with(&lite_url(&folder), &short).await.unwrap();
    add_hosts(&db, &["a"]).await;
    let holder = Holder::start(&folder, "write");
    let busy = db.begin().await.err().unwrap();
    assert!(matches!(busy, StoreError::Busy { .. }) && busy.is_passing(), "{busy:?}");
    assert!(hosts::get(&db, &host("a")).await.unwrap().is_some());
    drop(holder);
    add_hosts(&db, &["a", "b"]).await;
    assert_eq!(hosts::list(&db, &HostFilter::default(), None, 9).await.unwrap().items.len(), 2);
}

#[tokio::test]
async fn a_second_writer_waits_for_its_turn_no_longer_than_the_limit() {
    let folder = tempfile::tempdir().unwrap();
    let short = DbSettings { busy_limit: SHORT, turn_limit: SHORT * 2, ..DbSettings::default() };
    let db = Db::open_with(&lite_url(&folder), &short).await.unwrap();
    let open = db.begin().await.unwrap();
    let second = db.begin().await.err().unwrap();
    assert!(matches!(second, StoreError::Busy { .. }), "{second:?}");
    drop(open);
    db.begin().await.unwrap().commit().await.unwrap();
}

#[tokio::test]
async fn a_row_held_by_another_unit_of_work_is_busy_on_postgresql_too() {
    let Some(postgres) = PgDatabase::make().await else { return };
    let short = DbSettings { busy_limit: SHORT, ..DbSettings::default() };
    let db = Db::open_with(&postgres.url, &short).await.unwrap();
    add_hosts(&db, &["a"]).await;
    let mut first = db.begin().await.unwrap();
    hosts::enrol(&mut first, &host("a"), None, Wall(1)).await.unwrap();
    let mut second = db.begin().await.unwrap();
    let busy = hosts::enrol(&mut second, &host("a"), None, Wall(2)).await;
    assert!(matches!(busy, Err(StoreError::Busy { .. })), "{busy:?}");
    second.cancel().await;
    first.commit().await.unwrap();
    db.close().await;
    postgres.drop_it().await;
}

#[tokio::test]
async fn on_a_full_disk_nothing_is_half_written_and_it_recovers() {
    let folder = tempfile::tempdir().unwrap();
    let db = Db::open_with(&lite_url(&folder), &settings()).await.unwrap();
    add_hosts(&db, &["a"]).await;
    in_tx!(db, tx => observations::record(&mut tx, &host("a"), &network(10, 1), "h10", Wall(1))).unwrap();
    let pages = count(&db, "SELECT page_count FROM pragma_page_count").await;
    limit_pages(&db, pages).await;
    let mut large = network(20, 2);
    large.facts.vendor = "x".repeat(64 * 1024);
    let full = in_tx_dropped(&db, &large).await;
    assert!(matches!(full, Err(StoreError::Full { .. })), "{full:?}");
    let latest = observations::latest(&db, &host("a")).await.unwrap().unwrap();
    assert_eq!((latest.hash.as_str(), latest.observed_at), ("h10", Wall(1)));
    assert_eq!(count(&db, "SELECT COUNT(*) FROM observation_documents").await, 1);
    assert_eq!(count(&db, "SELECT COUNT(*) FROM port_groups WHERE vlan = 10").await, 1);
    limit_pages(&db, pages + 1000).await;
    in_tx_dropped(&db, &large).await.unwrap();
    assert_eq!(observations::latest(&db, &host("a")).await.unwrap().unwrap().hash, "large");
}

/// As production code does it: after an error the unit of work is simply dropped.
async fn in_tx_dropped(db: &Db, network: &model::ObservedNetwork) -> Result<(), StoreError> {
    let mut tx = db.begin().await?;
    observations::record(&mut tx, &host("a"), network, "large", Wall(2)).await?;
    tx.commit().await
}

async fn limit_pages(db: &Db, pages: i64) {
    let crate::store::db::Engine::Lite { writer, .. } = &db.0 else { panic!("SQLite only") };
    let text = format!("PRAGMA max_page_count = {pages}");
    sqlx::query(sqlx::AssertSqlSafe(text)).execute(writer).await.unwrap();
}

#[tokio::test]
async fn a_dropped_unit_of_work_keeps_nothing() {
    for_each_db(async |db| {
        {
            let mut tx = db.begin().await.unwrap();
            hosts::enrol(&mut tx, &host("a"), None, Wall(1)).await.unwrap();
        }
        assert_eq!(hosts::get(&db, &host("a")).await.unwrap(), None);
        add_hosts(&db, &["b"]).await;
    })
    .await;
}
