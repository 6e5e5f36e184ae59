//! Opaque access tokens: stored hashed, each with what a JWT in its place would say.

use hallpass_protocol::jose::AccessTokenClaims;

use super::{Result, Store, StoreError};

pub(super) const FIND: &str = "SELECT claims FROM access_tokens WHERE token_hash = $1";

const ANY: &str = "SELECT expires_at FROM access_tokens WHERE expires_at > $1 LIMIT 1";

impl Store {
    pub(crate) async fn insert_access_token(
        &self,
        token_hash: &str,
        claims: &AccessTokenClaims,
    ) -> Result<()> {
        let text = serde_json::to_string(claims).map_err(|_| unreadable())?;
        sqlx::query("INSERT INTO access_tokens (token_hash, claims, expires_at) VALUES ($1, $2, $3)")
            .bind(token_hash)
            .bind(text)
            .bind(claims.exp.unix())
            .execute(self.writer())
            .await?;
        Ok(())
    }

    /// What is known of a token, until it is swept: whether it has ended, or was revoked, is for the caller to judge.
    pub(crate) async fn find_access_token(&self, token_hash: &str) -> Result<Option<AccessTokenClaims>> {
        let found: Option<String> =
            sqlx::query_scalar(FIND).bind(token_hash).fetch_optional(self.reader()).await?;
        found.map(|text| serde_json::from_str(&text).map_err(|_| unreadable())).transpose()
    }

    /// Whether there is one that has not ended, whosever and for whatever it is.
    pub(crate) async fn has_access_tokens(&self) -> Result<bool> {
        let end: Option<i64> =
            sqlx::query_scalar(ANY).bind(self.now().unix()).fetch_optional(self.reader()).await?;
        Ok(end.is_some())
    }
}

fn unreadable() -> StoreError {
    StoreError::Unreadable { what: "access token" }
}

#[cfg(test)]
mod tests {
    use hallpass_protocol::jose::Audience;
    use hallpass_protocol::scope::ScopeSet;
    use hallpass_protocol::time::Timestamp;
    use hallpass_testkit::clock::FakeClock;
    use hallpass_testkit::database::TestDatabase;
    use serde_json::json;

    use super::*;
    use crate::store::testing::open;

    #[tokio::test]
    async fn what_it_says_is_kept_until_it_ends() {
        let database = TestDatabase::new();
        let clock = FakeClock::at(Timestamp::from_unix(1_000));
        let store = open(&database, clock.clock()).await;
        let other = json!({"cnf": {"jkt": "k"}, "act": {"sub": "b"}, "auth_time": 900});
        let claims = AccessTokenClaims {
            iss: "https://login.example".to_owned(),
            sub: "u".to_owned(),
            aud: Audience(vec!["https://a.example/mcp".to_owned(), "https://b.example/mcp".to_owned()]),
            exp: Timestamp::from_unix(1_600),
            iat: Timestamp::from_unix(1_000),
            jti: "g.t".to_owned(),
            client_id: "c".to_owned(),
            scope: Some(ScopeSet::parse("x y").unwrap()),
            other: other.as_object().unwrap().clone(),
        };
        assert!(!store.has_access_tokens().await.unwrap());
        store.insert_access_token("h", &claims).await.unwrap();
        assert!(store.has_access_tokens().await.unwrap());
        assert_eq!(store.find_access_token("h").await.unwrap(), Some(claims));
        assert_eq!(store.find_access_token("g").await.unwrap(), None);
        clock.set(Timestamp::from_unix(1_599));
        assert_eq!(store.sweep().await.unwrap(), 0);
        clock.set(Timestamp::from_unix(1_600));
        assert!(!store.has_access_tokens().await.unwrap(), "not swept yet, and no good any more");
        assert_eq!(store.sweep().await.unwrap(), 1);
        assert_eq!(store.find_access_token("h").await.unwrap(), None);
    }
}
