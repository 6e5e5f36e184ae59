//! What a statement costs must not grow with what is stored. For `grant_id IN (SELECT id FROM grants WHERE …)` SQLite
//! reads all grants that are alive, at each refresh.

use hallpass_protocol::time::{Clock, Timestamp};
use hallpass_testkit::database::TestDatabase;
use sqlx::AssertSqlSafe;

use super::testing::open;
use super::{access_tokens, codes, device_codes, proxied, refresh_tokens, user_links, vault};

#[tokio::test]
async fn what_is_used_once_is_found_without_reading_a_whole_table() {
    let database = TestDatabase::sqlite();
    let store = open(&database, Clock::new(|| Timestamp::from_unix(1_000))).await;
    for statement in [
        codes::REDEEM,
        device_codes::REDEEM,
        refresh_tokens::ROTATE,
        user_links::USE,
        access_tokens::FIND,
        proxied::TAKE_TURN,
        vault::FIND,
        vault::LEASE,
        proxied::FIND_HANDED_OVER,
    ] {
        let plan: Vec<(i64, i64, i64, String)> =
            sqlx::query_as(AssertSqlSafe(format!("EXPLAIN QUERY PLAN {statement}")))
                .fetch_all(store.reader())
                .await
                .unwrap();
        assert!(!plan.is_empty());
        for (.., step) in plan {
            // A list is made of the whole of what is behind it, before the first row is looked for.
            assert!(!step.contains("SCAN") && !step.contains("LIST SUBQUERY"), "{step}\n{statement}");
        }
    }
}
