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
        step(3, "house secrets", include_str!("migrations/0003_house_secrets.sql")),
        step(10, "key rotation", include_str!("migrations/0010_key_rotation.sql")),
        step(11, "clients and bindings", include_str!("migrations/0011_clients_and_bindings.sql")),
        step(12, "pushed and devices", include_str!("migrations/0012_pushed_and_devices.sql")),
        step(13, "trusted issuers", include_str!("migrations/0013_trusted_issuers.sql")),
        step(20, "people", include_str!("migrations/0020_people.sql")),
        step(21, "factors", include_str!("migrations/0021_factors.sql")),
        step(22, "registration management", include_str!("migrations/0022_registration_management.sql")),
        step(23, "audit", include_str!("migrations/0023_audit.sql")),
        step(30, "service accounts", include_str!("migrations/0030_service_accounts.sql")),
        step(31, "logins and bindings", include_str!("migrations/0031_logins_and_bindings.sql")),
        step(32, "registrations", include_str!("migrations/0032_registrations.sql")),
        step(33, "access tokens", include_str!("migrations/0033_access_tokens.sql")),
        step(34, "provider legs", include_str!("migrations/0034_provider_legs.sql")),
        step(35, "identities", include_str!("migrations/0035_identities.sql")),
        step(36, "provisioning", include_str!("migrations/0036_provisioning.sql")),
        step(37, "proxied", include_str!("migrations/0037_proxied.sql")),
        step(38, "bounded people", include_str!("migrations/0038_bounded_people.sql")),
        step(39, "vault", include_str!("migrations/0039_vault.sql")),
        step(40, "came by", include_str!("migrations/0040_came_by.sql")),
        step(41, "agreed", include_str!("migrations/0041_agreed.sql")),
        step(42, "acts at", include_str!("migrations/0042_acts_at.sql")),
        step(43, "leg kinds", include_str!("migrations/0043_leg_kinds.sql")),
        step(44, "handed over under", include_str!("migrations/0044_handed_over_under.sql")),
    ])
}

#[cfg(test)]
mod tests {
    use hallpass_protocol::time::{Clock, Timestamp};
    use hallpass_testkit::database::{DatabasePlace, TestDatabase};
    use sqlx::{AnyConnection, Connection};

    use super::*;
    use crate::keys::MasterKey;
    use crate::store::testing::open;

    /// Everybody's database has taken these very texts (SHA-384); a change would keep it from opening.
    #[test]
    fn a_step_that_was_released_is_never_changed() {
        let released = [
            (
                1,
                "7171223a204a124abda92d356fee7db46f0e70ca250746e617e9e0d2a19f34483c21269179180ed193be6702f775cbe8",
            ),
            (
                2,
                "d0c4569240cb40c5db2ebf8ea89872e2df45fc83a8fe89420fca33cdef7d02744ce4bc1b5b7d8528d0d546d7d1433a90",
            ),
        ];
        let steps = migrations();
        for (version, checksum) in released {
            let step = steps.iter().find(|step| step.version == version).unwrap();
            let hex: String = step.checksum.iter().map(|byte| format!("{byte:02x}")).collect();
            assert_eq!(hex, checksum, "step {version}");
        }
    }

    #[tokio::test]
    async fn a_house_of_version_2_opens_with_all_that_is_in_it() {
        let database = TestDatabase::new();
        let url = match database.place() {
            DatabasePlace::File(path) => {
                // Its folder, and the file for its owner alone.
                std::fs::create_dir_all(path.parent().unwrap()).unwrap();
                drop(crate::store::open::private_file(&path).unwrap());
                crate::store::open::url_of(&path).unwrap()
            }
            DatabasePlace::Url(url) => url.to_owned(),
        };
        sqlx::any::install_default_drivers();
        let mut old = AnyConnection::connect(&url).await.unwrap();
        let first_two = migrations().iter().filter(|step| step.version <= 2).cloned().collect();
        Migrator::with_migrations(first_two).run(&mut old).await.unwrap();
        sqlx::raw_sql(include_str!("migrations/tests/version_2_rows.sql")).execute(&mut old).await.unwrap();
        old.close().await.unwrap();

        let store = open(&database, Clock::new(|| Timestamp::from_unix(1_000))).await;
        let user = store.find_user("ada").await.unwrap().unwrap();
        assert!(user.id == "u1" && !user.disabled);
        assert!(store.find_user("bob").await.unwrap().unwrap().disabled);
        assert_eq!(store.find_session("session").await.unwrap().unwrap().user_id, "u1");
        let secret = store.find_client("web").await.unwrap().unwrap().secret_hash.unwrap();
        assert_eq!(store.key().client_secret_hash("s3cret"), secret);
        assert!(store.redeem_code("code", Timestamp::from_unix(9_000), None, None).await.unwrap());
        let ends = Timestamp::from_unix(9_000);
        assert!(!store.rotate("first", "x", "s", ends).await.unwrap(), "used");
        assert!(store.rotate("second", "third", "s", ends).await.unwrap());
        assert_eq!(store.revoked().is_revoked("g0.token"), Ok(true));
        let sealed: String = sqlx::query_scalar("SELECT sealed FROM signing_keys WHERE kid = 'kid'")
            .fetch_one(store.reader())
            .await
            .unwrap();
        let key = MasterKey::from_bytes([1; 32]);
        assert_eq!(key.sealing("signing key").open("kid", &sealed).unwrap(), b"pkcs8");
        assert_eq!(store.sealed_under_former_keys().await.unwrap(), 1, "sealed before keys had ids");
        assert_eq!(store.reseal().await.unwrap(), 1);
    }
}
