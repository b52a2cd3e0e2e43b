//! Opening a database, the two pools behind one type, and the unit of work.
//!
//! Owns: `Db`, `Tx`, the migrations and the two macros that expand a query per engine. Must not know any table. Called by
//! the composition root ([`Db::open`]) and by every module of the store.

use super::error::{OpenDbError, StoreError, classify_open, classify_open_sql, of};
use super::sql;
use sqlx::postgres::{PgConnectOptions, PgPoolOptions};
use sqlx::sqlite::{SqliteConnectOptions, SqliteJournalMode, SqlitePoolOptions, SqliteSynchronous};
use sqlx::{Connection, PgConnection, PgPool, Postgres, Sqlite, SqliteConnection, SqlitePool, Transaction};
use std::path::Path;
use std::str::FromStr;
use std::time::Duration;
use tokio::time::timeout;

/// How long SQLite waits for another program that holds the file.
const BUSY_LIMIT: Duration = Duration::from_secs(5);
/// How long a writer waits for its turn (SQLite) or for a free connection.
const TURN_LIMIT: Duration = Duration::from_secs(10);
/// Connections that read, on SQLite.
const READERS: u32 = 4;
/// Connections, on PostgreSQL.
const PG_CONNECTIONS: u32 = 8;
/// How long PostgreSQL may take to accept a connection.
const PG_CONNECT_LIMIT: Duration = Duration::from_secs(10);

static MIGRATOR: sqlx::migrate::Migrator = sqlx::migrate!("../migrations");

/// Runs a read on the engine at hand: `on!(db, c => sqlx::query_as(sql::X).fetch_all(c).await)`.
macro_rules! on {
    ($db:expr, $c:ident => $body:expr) => {
        match &$db.0 {
            $crate::store::db::Engine::Lite { readers: $c, .. } => $body,
            $crate::store::db::Engine::Pg($c) => $body,
        }
    };
}

/// Runs a statement inside a unit of work, on the engine at hand.
macro_rules! tx {
    ($tx:expr, $c:ident => $body:expr) => {
        match &mut $tx.0 {
            $crate::store::db::Work::Lite(open) => {
                let $c = &mut **open;
                $body
            }
            $crate::store::db::Work::Pg(open) => {
                let $c = &mut **open;
                $body
            }
        }
    };
}

#[derive(Clone, Debug)]
pub(super) enum Engine {
    Lite { writer: SqlitePool, readers: SqlitePool },
    Pg(PgPool),
}

pub(super) enum Work {
    Lite(Transaction<'static, Sqlite>),
    Pg(Transaction<'static, Postgres>),
}

/// An open database. Cheap to clone: clones share the connections.
#[derive(Clone, Debug)]
pub struct Db(pub(super) Engine);

/// A unit of work: everything written through it is kept by [`Tx::commit`], or nothing is.
pub struct Tx(pub(super) Work);

/// Limits of a database.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DbSettings {
    /// How long to wait for another program that holds the file or a lock.
    pub busy_limit: Duration,
    /// How long a writer waits for its turn.
    pub turn_limit: Duration,
    /// Connections that read (SQLite).
    pub readers: u32,
    /// Connections (PostgreSQL).
    pub connections: u32,
}

impl Default for DbSettings {
    /// 5 s for a lock, 10 s for a turn; 4 readers or 8 connections.
    fn default() -> Self {
        Self { busy_limit: BUSY_LIMIT, turn_limit: TURN_LIMIT, readers: READERS, connections: PG_CONNECTIONS }
    }
}

impl Db {
    /// Opens `sqlite:///path/file.db` or `postgres://user@host/name` and brings its tables up to date.
    pub async fn open(url: &str) -> Result<Self, OpenDbError> {
        Self::open_with(url, &DbSettings::default()).await
    }

    /// As [`Db::open`], with other limits.
    pub async fn open_with(url: &str, settings: &DbSettings) -> Result<Self, OpenDbError> {
        match url.split_once("://") {
            Some(("sqlite", path)) if !path.is_empty() => Self::open_sqlite(Path::new(path), settings).await,
            Some(("postgres" | "postgresql", _)) => Self::open_postgres(url, settings).await,
            _ => Err(OpenDbError::BadUrl { scheme: url.split_once("://").map_or("", |(s, _)| s).to_owned() }),
        }
    }

    async fn open_sqlite(path: &Path, settings: &DbSettings) -> Result<Self, OpenDbError> {
        let name = path.display().to_string();
        let folder = path.parent().filter(|f| !f.as_os_str().is_empty());
        if let Some(folder) = folder.filter(|f| !f.is_dir()) {
            return Err(OpenDbError::NoFolder { folder: folder.display().to_string() });
        }
        let options = SqliteConnectOptions::new()
            .filename(path)
            .create_if_missing(true)
            .busy_timeout(settings.busy_limit)
            .journal_mode(SqliteJournalMode::Wal)
            .synchronous(SqliteSynchronous::Full)
            .foreign_keys(true);
        let writer = SqlitePoolOptions::new()
            .max_connections(1)
            .acquire_timeout(settings.turn_limit.max(settings.busy_limit * 2))
            .idle_timeout(None)
            .max_lifetime(None)
            .before_acquire(|connection, _| Box::pin(async move { Ok(is_at_rest(connection)) }))
            .connect_with(options.clone())
            .await
            .map_err(|e| classify_open_sql(&name, settings.busy_limit, e))?;
        if let Err(error) = MIGRATOR.run(&writer).await {
            writer.close().await;
            return Err(classify_open(&name, newest_migration(), settings.busy_limit, error));
        }
        let readers = SqlitePoolOptions::new()
            .max_connections(settings.readers.max(1))
            .acquire_timeout(settings.turn_limit)
            .idle_timeout(None)
            .max_lifetime(None)
            .connect_with(options.read_only(true).create_if_missing(false))
            .await
            .map_err(|e| classify_open_sql(&name, settings.busy_limit, e))?;
        Ok(Self(Engine::Lite { writer, readers }))
    }

    async fn open_postgres(url: &str, settings: &DbSettings) -> Result<Self, OpenDbError> {
        let options = PgConnectOptions::from_str(url)
            .map_err(|_| OpenDbError::BadUrl { scheme: "postgres".to_owned() })?
            .application_name("pointsman");
        let name = format!("{}:{}", options.get_host(), options.get_port());
        let connecting = timeout(PG_CONNECT_LIMIT, PgConnection::connect_with(&options)).await;
        let first = connecting
            .unwrap_or_else(|_| Err(sqlx::Error::Io(std::io::ErrorKind::TimedOut.into())))
            .map_err(|e| classify_open_sql(&name, settings.busy_limit, e))?;
        // A pool would go on trying to connect and only say that time is up; this one told why.
        first.close().await.map_err(|e| classify_open_sql(&name, settings.busy_limit, e))?;
        let lock_limit = format!("{}ms", settings.busy_limit.as_millis());
        let pool = PgPoolOptions::new()
            .max_connections(settings.connections.max(2))
            .acquire_timeout(settings.turn_limit.max(PG_CONNECT_LIMIT))
            .after_connect(move |connection, _| {
                let lock_limit = lock_limit.clone();
                Box::pin(async move {
                    sqlx::query(sql::PG_LOCK_LIMIT).bind(lock_limit).execute(connection).await.map(|_| ())
                })
            })
            .connect_with(options)
            .await
            .map_err(|e| classify_open_sql(&name, settings.busy_limit, e))?;
        if let Err(error) = MIGRATOR.run(&pool).await {
            pool.close().await;
            return Err(classify_open(&name, newest_migration(), settings.busy_limit, error));
        }
        Ok(Self(Engine::Pg(pool)))
    }

    /// Starts a unit of work. On SQLite this waits for the one writer; do not hold one while asking for another.
    pub async fn begin(&self) -> Result<Tx, StoreError> {
        match &self.0 {
            Engine::Lite { writer, .. } => {
                writer.begin_with(sql::LITE_BEGIN).await.map(|t| Tx(Work::Lite(t))).map_err(of("begin"))
            }
            Engine::Pg(pool) => pool.begin().await.map(|t| Tx(Work::Pg(t))).map_err(of("begin")),
        }
    }

    /// Closes every connection after the work that is open has ended.
    pub async fn close(&self) {
        match &self.0 {
            Engine::Lite { writer, readers } => {
                readers.close().await;
                writer.close().await;
            }
            Engine::Pg(pool) => pool.close().await,
        }
    }

    /// The word for the engine, for logs and the status page.
    #[must_use]
    pub fn engine_name(&self) -> &'static str {
        match &self.0 {
            Engine::Lite { .. } => "sqlite",
            Engine::Pg(_) => "postgresql",
        }
    }
}

impl Tx {
    /// Keeps everything written through this unit of work.
    pub async fn commit(self) -> Result<(), StoreError> {
        match self.0 {
            Work::Lite(open) => open.commit().await.map_err(of("commit")),
            Work::Pg(open) => open.commit().await.map_err(of("commit")),
        }
    }

    /// Forgets everything written through this unit of work; dropping it does the same, a little later.
    pub async fn cancel(self) {
        let result = match self.0 {
            Work::Lite(open) => open.rollback().await,
            Work::Pg(open) => open.rollback().await,
        };
        if let Err(error) = result {
            // Nothing was kept: SQLite rolled back by itself (a full disk), or the server does as the connection ends.
            tracing::debug!(%error, "a unit of work had ended before it was cancelled");
        }
    }
}

/// Whether a connection can start a unit of work. After a full disk SQLite has rolled back by itself, the driver has not
/// noticed, and would refuse every later one: such a connection is replaced.
fn is_at_rest(connection: &SqliteConnection) -> bool {
    !connection.is_in_transaction()
}

/// Number of the newest migration this program knows.
pub(super) fn newest_migration() -> i64 {
    MIGRATOR.iter().map(|m| m.version).max().unwrap_or(0)
}
