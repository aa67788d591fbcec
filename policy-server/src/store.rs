//! The database: SQLite with one writer and several readers.
//!
//! Only this module and those below it know SQL. Statements keep to what SQLite and PostgreSQL both
//! understand, so that the engine can be changed here and nowhere else.

pub mod admins;
pub mod alerts;
pub mod deeds;
pub mod devices;
pub mod members;
pub mod policies;
pub mod records;
pub mod tokens;
pub mod webhooks;

use sqlx::sqlite::{
    SqliteConnectOptions, SqliteJournalMode, SqlitePool, SqlitePoolOptions, SqliteSynchronous,
};
use std::fs::{OpenOptions, Permissions};
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::time::Duration;

const PRIVATE: u32 = 0o600;

/// What can go wrong with the database.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    #[error("the database {0} cannot be made its owner's alone: {1}")]
    NotPrivate(PathBuf, std::io::Error),
    #[error("the database failed: {0}")]
    Database(#[from] sqlx::Error),
    #[error("the database {0} cannot be brought up to date: {1}")]
    Migration(PathBuf, sqlx::migrate::MigrateError),
    /// What we wrote ourselves does not read back: somebody else wrote there.
    #[error("the database holds a {what} that cannot be read: {why}")]
    Unreadable { what: &'static str, why: String },
}

impl StoreError {
    fn unreadable(what: &'static str) -> impl Fn(serde_json::Error) -> Self {
        move |error| Self::Unreadable { what, why: error.to_string() }
    }
}

/// The open database. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Store {
    /// One connection: writers wait for each other here, and never meet `SQLITE_BUSY`.
    writer: SqlitePool,
    reader: SqlitePool,
}

impl Store {
    /// Opens the database, making it where it is not there, and brings its tables up to date.
    ///
    /// # Errors
    /// The file cannot be opened, or was written by a newer version.
    pub async fn open(file: &Path) -> Result<Self, StoreError> {
        close_to_others(file).map_err(|source| StoreError::NotPrivate(file.to_owned(), source))?;
        // FULL: what an agent was told is durable must survive a power cut.
        let options = SqliteConnectOptions::new()
            .filename(file)
            .create_if_missing(true)
            .journal_mode(SqliteJournalMode::Wal)
            .synchronous(SqliteSynchronous::Full)
            .foreign_keys(true)
            .busy_timeout(Duration::from_secs(10))
            .pragma("cache_size", "-32768");
        let writer = SqlitePoolOptions::new().max_connections(1).connect_with(options.clone()).await?;
        sqlx::migrate!("src/store/migrations")
            .run(&writer)
            .await
            .map_err(|error| StoreError::Migration(file.to_owned(), error))?;
        let reader =
            SqlitePoolOptions::new().max_connections(4).connect_with(options.read_only(true)).await?;
        Ok(Self { writer, reader })
    }

    /// A fact about the installation, written at the first start.
    pub async fn fact(&self, name: &str) -> Result<Option<String>, StoreError> {
        Ok(sqlx::query_scalar("SELECT value FROM facts WHERE name = $1")
            .bind(name)
            .fetch_optional(&self.reader)
            .await?)
    }

    pub async fn set_fact(&self, name: &str, value: &str) -> Result<(), StoreError> {
        sqlx::query(
            "INSERT INTO facts (name, value) VALUES ($1, $2)
             ON CONFLICT (name) DO UPDATE SET value = excluded.value",
        )
        .bind(name)
        .bind(value)
        .execute(&self.writer)
        .await?;
        Ok(())
    }

    pub async fn close(&self) {
        self.reader.close().await;
        self.writer.close().await;
    }
}

/// It holds everybody's calls. SQLite gives its journals the mode of the database; those that were
/// left behind have the mode of before.
fn close_to_others(file: &Path) -> std::io::Result<()> {
    OpenOptions::new().append(true).create(true).mode(PRIVATE).open(file)?;
    for suffix in ["", "-wal", "-shm"] {
        let mut part = file.as_os_str().to_owned();
        part.push(suffix);
        match std::fs::set_permissions(&part, Permissions::from_mode(PRIVATE)) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn another_user_of_the_server_reads_nobodys_calls() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("server.sqlite");
        let modes = || {
            ["", "-wal", "-shm"].map(|suffix| {
                let part = format!("{}{suffix}", file.display());
                std::fs::metadata(part).unwrap().permissions().mode() & 0o777
            })
        };
        let store = Store::open(&file).await.unwrap();
        assert_eq!(modes(), [PRIVATE; 3]);
        store.close().await;
        // As an older version left it.
        std::fs::set_permissions(&file, Permissions::from_mode(0o644)).unwrap();
        let _store = Store::open(&file).await.unwrap();
        assert_eq!(modes(), [PRIVATE; 3]);
    }
}
