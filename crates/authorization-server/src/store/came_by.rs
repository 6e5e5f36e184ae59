//! Which login at a provider something came of, and what ends with that login.

use hallpass_protocol::time::Timestamp;

use super::locks::Turn;
use super::{Result, SeenBy, Store, Transaction};
use crate::delegation::is_of;
use crate::random::digest;

/// The login at a provider that a session began with, and whatever came of the session.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct CameBy {
    /// The row of who that is there.
    pub(crate) identity_id: String,
    /// The provider's own session, where it names one.
    pub(crate) sid: Option<SidHash>,
}

impl CameBy {
    pub(super) fn identity_id(&self) -> &str {
        &self.identity_id
    }

    pub(super) fn sid_hash(&self) -> Option<&str> {
        self.sid.as_ref().map(SidHash::as_str)
    }

    pub(super) fn read(identity_id: Option<String>, sid_hash: Option<String>) -> Option<Self> {
        identity_id.map(|identity_id| Self { identity_id, sid: sid_hash.map(SidHash) })
    }
}

/// The name of a session at an issuer (`sid`, OpenID Connect Back-Channel Logout 1.0 §2.1). It is the issuer's own: the same
/// text is another session at another.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct SidHash(String);

impl SidHash {
    pub(crate) fn of(issuer: &str, sid: &str) -> Self {
        Self(digest(&format!("sid\0{issuer}\0{sid}")))
    }

    pub(super) fn as_str(&self) -> &str {
        &self.0
    }
}

/// Whom an issuer names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Whom<'a> {
    /// By its own name for them; of whichever tenant of the issuer, where it does not say which.
    Subject { authority: &'a str, subject: &'a str, any_tenant: bool },
    /// By an address, in lower case, that it may speak for.
    Address(&'a str),
}

/// Word of an issuer that logins have ended.
#[derive(Clone, Debug)]
pub(crate) struct Ended<'a> {
    /// Whose; where nobody is named, whoever has the session.
    pub(crate) whom: Option<Whom<'a>>,
    /// Which one of their sessions there; all, where none is named.
    pub(crate) sid: Option<SidHash>,
    /// The issuer, where it has a say in what came through it alone: a provider that people sign in through is one of several ways
    /// in.
    pub(crate) through: Option<&'a str>,
    /// Whether grants end that were made to outlast a login (`offline_access`).
    pub(crate) outlasting: bool,
    /// What began later goes on: word of it may come late.
    pub(crate) until: Timestamp,
    /// Whose word it is, and the id and end of what says so. It counts once: where nothing could be ended, it may be sent again.
    pub(crate) once: (SeenBy, &'a str, &'a str, Timestamp),
}

/// What came of that word.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum EndedFor {
    /// These people; perhaps nobody who is known here.
    People(Vec<String>),
    /// It had come before.
    Before,
}

/// Of somebody: all; or what came of that session, and where the person is named (`$3`) also what came of none that is known. Of
/// that, all; or what came through that issuer (`$4`).
macro_rules! of_the_login {
    () => {
        "user_id = $1 AND ($2 = '' OR sid_hash = $2 OR ($3 = 1 AND sid_hash IS NULL))
         AND ($4 = '' OR came_by IN (SELECT id FROM identities WHERE user_id = $1 AND issuer = $4))"
    };
}

impl Store {
    /// Ends the logins that an issuer says have ended, all or nothing: sessions, codes, devices, grants, and the tokens that came
    /// from assertions about a person who is named.
    pub(crate) async fn end_logins(&self, ended: &Ended<'_>) -> Result<EndedFor> {
        let mut tx = self.begin().await?;
        self.take_turn(&mut tx, Turn::EndingGrants).await?;
        let (by, sender, id, until) = ended.once;
        if !self.see_id_in(&mut tx, by, sender, id, until).await? {
            return Ok(EndedFor::Before);
        }
        let people = match (&ended.whom, &ended.sid) {
            (Some(whom), _) => self.whom(&mut tx, whom).await?,
            (None, Some(sid)) => self.who_has(&mut tx, sid).await?,
            (None, None) => Vec::new(),
        };
        let mut revoked = Vec::new();
        for user_id in &people {
            self.hold_user_alone(&mut tx, user_id).await?;
            revoked.extend(self.end_login_of(&mut tx, user_id, ended).await?);
        }
        tx.commit().await?;
        self.remember_revoked(revoked);
        Ok(EndedFor::People(people))
    }

    async fn whom(&self, tx: &mut Transaction, whom: &Whom<'_>) -> Result<Vec<String>> {
        match whom {
            Whom::Subject { authority, subject, any_tenant } => {
                let known: Vec<(String, String)> =
                    sqlx::query_as("SELECT issuer, user_id FROM identities WHERE subject = $1")
                        .bind(subject)
                        .fetch_all(&mut **tx)
                        .await?;
                let fits = |issuer: &str| issuer == *authority || (*any_tenant && is_of(issuer, authority));
                let known = known.into_iter().filter(|(issuer, _)| fits(issuer));
                let mut people: Vec<String> = known.map(|(_, user_id)| user_id).collect();
                people.sort();
                people.dedup();
                Ok(people)
            }
            Whom::Address(address) => Ok(sqlx::query_scalar(
                "SELECT id FROM users WHERE name_key = $1
                 UNION
                 SELECT user_id FROM provisioned WHERE address = $1",
            )
            .bind(address)
            .fetch_all(&mut **tx)
            .await?),
        }
    }

    async fn who_has(&self, tx: &mut Transaction, sid: &SidHash) -> Result<Vec<String>> {
        Ok(sqlx::query_scalar(
            "SELECT user_id FROM sessions WHERE sid_hash = $1
             UNION SELECT user_id FROM codes WHERE sid_hash = $1
             UNION SELECT user_id FROM device_codes WHERE sid_hash = $1
             UNION SELECT user_id FROM grants WHERE sid_hash = $1",
        )
        .bind(sid.as_str())
        .fetch_all(&mut **tx)
        .await?)
    }

    async fn end_login_of(
        &self,
        tx: &mut Transaction,
        user_id: &str,
        ended: &Ended<'_>,
    ) -> Result<Vec<String>> {
        let sid = ended.sid.as_ref().map_or("", SidHash::as_str);
        let named = ended.whom.is_some();
        // A session of the issuer's own came through it in any case.
        let through = ended.through.filter(|_| named).unwrap_or_default();
        let sessions = concat!("DELETE FROM sessions WHERE ", of_the_login!(), " AND authenticated_at <= $5");
        let delete = sqlx::query(sessions).bind(user_id).bind(sid).bind(i64::from(named)).bind(through);
        delete.bind(ended.until.unix()).execute(&mut **tx).await?;
        // These live for minutes: whoever has one from a later login asks once more.
        for delete in [
            concat!("DELETE FROM codes WHERE ", of_the_login!()),
            concat!("DELETE FROM device_codes WHERE ", of_the_login!()),
        ] {
            let delete = sqlx::query(delete).bind(user_id).bind(sid).bind(i64::from(named)).bind(through);
            delete.execute(&mut **tx).await?;
        }
        let mut revoked: Vec<String> = sqlx::query_scalar(concat!(
            "UPDATE grants SET revoked_at = $5 WHERE ",
            of_the_login!(),
            " AND revoked_at IS NULL AND created_at <= $7 AND ($6 = 1 OR ' ' || scopes || ' ' NOT LIKE '% offline_access %')
             RETURNING id"
        ))
        .bind(user_id)
        .bind(sid)
        .bind(i64::from(named))
        .bind(through)
        .bind(self.now().unix())
        .bind(i64::from(ended.outlasting))
        .bind(ended.until.unix())
        .fetch_all(&mut **tx)
        .await?;
        for id in &revoked {
            self.write_revocation(tx, id).await?;
        }
        if named && through.is_empty() {
            sqlx::query("DELETE FROM half_logins WHERE user_id = $1")
                .bind(user_id)
                .execute(&mut **tx)
                .await?;
        }
        if named {
            revoked.extend(self.revoke_identities_at(tx, user_id, through).await?);
        }
        Ok(revoked)
    }

    /// Ends what a person's sessions through this identity are good for: they themselves, and codes that nobody has redeemed yet.
    pub(super) async fn end_sessions_through(
        &self,
        tx: &mut Transaction,
        user_id: &str,
        identity_id: &str,
    ) -> Result<()> {
        for delete in [
            "DELETE FROM sessions WHERE user_id = $1 AND came_by = $2",
            "DELETE FROM codes WHERE user_id = $1 AND came_by = $2",
            "DELETE FROM device_codes WHERE user_id = $1 AND came_by = $2",
        ] {
            sqlx::query(delete).bind(user_id).bind(identity_id).execute(&mut **tx).await?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_session_is_known_at_its_own_issuer_alone() {
        let of = SidHash::of;
        assert_eq!(of("https://idp.example", "1"), of("https://idp.example", "1"));
        assert_ne!(of("https://idp.example", "1"), of("https://other.example", "1"));
        assert_ne!(of("https://idp.example", "1"), of("https://idp.example", "2"));
        assert!(!of("https://idp.example", "canary").as_str().contains("canary"));
    }
}
