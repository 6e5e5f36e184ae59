//! The steps from an empty database to today's, the same for SQLite and PostgreSQL. A step that was released is never
//! changed again; its checksum is in every database that took it.

use sqlx::SqlSafeStr;
use sqlx::migrate::{Migration, MigrationType, Migrator};

/// On PostgreSQL the migrator takes an advisory lock, so that of several replicas which start at once one migrates.
pub(super) fn migrations() -> Migrator {
    let step = |version, name: &'static str, sql: &'static str| {
        Migration::new(version, name.into(), MigrationType::Simple, sql.into_sql_str(), false)
    };
    Migrator::with_migrations(vec![
        step(1, "first light", include_str!("migrations/0001_first_light.sql")),
        step(2, "strangers", include_str!("migrations/0002_strangers.sql")),
        step(10, "key rotation", include_str!("migrations/0010_key_rotation.sql")),
        step(11, "clients and bindings", include_str!("migrations/0011_clients_and_bindings.sql")),
        step(12, "pushed and devices", include_str!("migrations/0012_pushed_and_devices.sql")),
        step(13, "trusted issuers", include_str!("migrations/0013_trusted_issuers.sql")),
        step(20, "people", include_str!("migrations/0020_people.sql")),
        step(21, "factors", include_str!("migrations/0021_factors.sql")),
    ])
}
