//! What can go wrong with the database, told apart by what to do next.
//!
//! Owns: the public error types and the translation of driver errors. Must not retry. Called by every module of the store.

use sqlx::migrate::MigrateError;
use sqlx::postgres::PgDatabaseError;
use sqlx::sqlite::SqliteError;
use std::sync::Arc;
use std::time::Duration;

/// Why a read or a write failed. Nothing of the unit of work was kept.
#[derive(Debug, Clone, thiserror::Error)]
pub enum StoreError {
    /// Somebody else held the database for too long.
    #[error("{table}: the database is busy; try again, and look for another program that holds it open")]
    Busy {
        /// Where it happened.
        table: &'static str,
    },
    /// There is no room to write.
    #[error("{table}: the database cannot grow; make room on its disk and try again (nothing was written)")]
    Full {
        /// Where it happened.
        table: &'static str,
    },
    /// The server or the file cannot be reached.
    #[error("{table}: the database cannot be reached; check that it is running ({source})")]
    Unreachable {
        /// Where it happened.
        table: &'static str,
        /// What the driver said.
        source: Arc<sqlx::Error>,
    },
    /// What a write refers to is not there.
    #[error("{what} `{id}` is not known here; look for it with the list command")]
    NotFound {
        /// Kind of object.
        what: &'static str,
        /// Which one.
        id: String,
    },
    /// A write contradicts what is there.
    #[error("{what} `{id}`: {detail}")]
    Conflict {
        /// Kind of object.
        what: &'static str,
        /// Which one.
        id: String,
        /// The contradiction and the way on.
        detail: String,
    },
    /// A stored row cannot be understood.
    #[error(
        "{table}.{column} of `{id}` cannot be understood: {detail}; restore it from a backup or report a bug"
    )]
    Inconsistent {
        /// Table.
        table: &'static str,
        /// Column.
        column: String,
        /// Key of the row, when it is known.
        id: String,
        /// What is wrong.
        detail: String,
    },
    /// A value has no form that can be stored.
    #[error("{what} cannot be stored: {detail}")]
    Unfit {
        /// Kind of value.
        what: &'static str,
        /// Why.
        detail: String,
    },
    /// The task that writes groups has ended.
    #[error("the store is shutting down; the report will be sent again")]
    Closed,
    /// Anything else the engine said.
    #[error("{table}: {source}")]
    Engine {
        /// Where it happened.
        table: &'static str,
        /// What the driver said.
        source: Arc<sqlx::Error>,
    },
}

impl StoreError {
    /// Whether the same call may succeed later without anybody changing it.
    #[must_use]
    pub fn is_passing(&self) -> bool {
        matches!(self, Self::Busy { .. } | Self::Full { .. } | Self::Unreachable { .. } | Self::Closed)
    }
}

/// Why a database could not be opened.
#[derive(Debug, thiserror::Error)]
pub enum OpenDbError {
    /// Not a URL we know. (The URL is not repeated: it may hold a password.)
    #[error(
        "database URL with scheme `{scheme}` is not valid: use sqlite:///path/to/file.db or postgres://user@host/name"
    )]
    BadUrl {
        /// What stood before `://`.
        scheme: String,
    },
    /// The folder of the file is missing.
    #[error("folder `{folder}` for the database does not exist: make it, writable for this program")]
    NoFolder {
        /// The folder.
        folder: String,
    },
    /// Another program holds it.
    #[error(
        "database `{name}` is locked by another program for more than {limit:?}: stop the other coordinator or tool"
    )]
    Locked {
        /// File or server.
        name: String,
        /// How long was waited.
        limit: Duration,
    },
    /// No room.
    #[error("database `{name}` cannot grow: make room on its disk and start again")]
    Full {
        /// File or server.
        name: String,
    },
    /// The file is something else.
    #[error("`{name}` is not an SQLite database, or is damaged: point to another file or restore a backup")]
    NotADatabase {
        /// File.
        name: String,
    },
    /// Written by a newer release.
    #[error(
        "database `{name}` has version {found}, this program knows {known}: start the newer program, or restore the backup made before the upgrade"
    )]
    Newer {
        /// File or server.
        name: String,
        /// Version in the database.
        found: i64,
        /// Newest version this program knows.
        known: i64,
    },
    /// The tables are not those of any release.
    #[error(
        "database `{name}`: migration {version} was changed or only partly applied: restore a backup ({detail})"
    )]
    Altered {
        /// File or server.
        name: String,
        /// Which migration.
        version: i64,
        /// What the migrator said.
        detail: String,
    },
    /// Not reachable, or access refused.
    #[error("database `{name}` cannot be opened: check path, permissions, address and credentials")]
    Unreachable {
        /// File or server.
        name: String,
        /// What the driver said.
        #[source]
        source: sqlx::Error,
    },
    /// Anything else.
    #[error("database `{name}` cannot be brought up to date")]
    Migrate {
        /// File or server.
        name: String,
        /// What the migrator said.
        #[source]
        source: MigrateError,
    },
}

enum Cause {
    Busy,
    Full,
    Unreachable,
    NotADatabase,
    Other,
}

/// SQLite's primary result codes (sqlite.org/rescode.html).
mod lite {
    pub const BUSY: i32 = 5;
    pub const LOCKED: i32 = 6;
    pub const FULL: i32 = 13;
    pub const CANNOT_OPEN: i32 = 14;
    pub const NOT_A_DATABASE: i32 = 26;
    pub const CORRUPT: i32 = 11;
    /// An extended code carries its primary one in the low byte.
    pub const PRIMARY_MASK: i32 = 0xff;
}

fn cause(error: &sqlx::Error) -> Cause {
    match error {
        sqlx::Error::PoolTimedOut => Cause::Busy,
        sqlx::Error::Io(_) | sqlx::Error::Tls(_) | sqlx::Error::PoolClosed | sqlx::Error::WorkerCrashed => {
            Cause::Unreachable
        }
        sqlx::Error::Database(told) => {
            let code = told.code().unwrap_or_default();
            if told.try_downcast_ref::<SqliteError>().is_some() {
                lite_cause(&code)
            } else if told.try_downcast_ref::<PgDatabaseError>().is_some() {
                pg_cause(&code)
            } else {
                Cause::Other
            }
        }
        _ => Cause::Other,
    }
}

fn lite_cause(code: &str) -> Cause {
    match code.parse::<i32>().unwrap_or(0) & lite::PRIMARY_MASK {
        lite::BUSY | lite::LOCKED => Cause::Busy,
        lite::FULL => Cause::Full,
        lite::CANNOT_OPEN => Cause::Unreachable,
        lite::NOT_A_DATABASE | lite::CORRUPT => Cause::NotADatabase,
        _ => Cause::Other,
    }
}

/// SQLSTATE: 40001 serialization, 40P01 deadlock, 55P03 lock not available, 57014 cancelled, 53 no resources, 57P going down,
/// 08 connection, 28 credentials, 3D no such database.
fn pg_cause(code: &str) -> Cause {
    match code {
        "40001" | "40P01" | "55P03" | "57014" | "53300" => Cause::Busy,
        "53100" | "53400" => Cause::Full,
        _ if ["08", "57P", "28", "3D"].iter().any(|class| code.starts_with(class)) => Cause::Unreachable,
        _ => Cause::Other,
    }
}

/// Makes a driver error ours, naming the table.
pub(super) fn of(table: &'static str) -> impl Fn(sqlx::Error) -> StoreError {
    move |error| match (cause(&error), error) {
        (Cause::Busy, _) => StoreError::Busy { table },
        (Cause::Full, _) => StoreError::Full { table },
        (Cause::Unreachable, error) => StoreError::Unreachable { table, source: Arc::new(error) },
        (_, sqlx::Error::ColumnDecode { index, source }) => StoreError::Inconsistent {
            table,
            column: index.trim_matches('"').to_owned(),
            id: "a row".to_owned(),
            detail: source.to_string(),
        },
        (_, error) => StoreError::Engine { table, source: Arc::new(error) },
    }
}

/// Makes a driver error met while opening ours.
pub(super) fn classify_open_sql(name: &str, limit: Duration, error: sqlx::Error) -> OpenDbError {
    let name = name.to_owned();
    match cause(&error) {
        Cause::Busy => OpenDbError::Locked { name, limit },
        Cause::Full => OpenDbError::Full { name },
        Cause::NotADatabase => OpenDbError::NotADatabase { name },
        Cause::Unreachable | Cause::Other => OpenDbError::Unreachable { name, source: error },
    }
}

/// Makes an error of the migrator ours. `known` is the newest migration of this program.
pub(super) fn classify_open(name: &str, known: i64, limit: Duration, error: MigrateError) -> OpenDbError {
    let name = name.to_owned();
    let detail = error.to_string();
    match error {
        MigrateError::Execute(inner) => classify_open_sql(&name, limit, inner),
        MigrateError::ExecuteMigration(inner, version) => match cause(&inner) {
            Cause::Other => {
                OpenDbError::Migrate { name, source: MigrateError::ExecuteMigration(inner, version) }
            }
            _ => classify_open_sql(&name, limit, inner),
        },
        MigrateError::VersionMissing(found) if found > known => OpenDbError::Newer { name, found, known },
        MigrateError::VersionMissing(version)
        | MigrateError::VersionMismatch(version)
        | MigrateError::Dirty(version) => OpenDbError::Altered { name, version, detail },
        other => OpenDbError::Migrate { name, source: other },
    }
}
