//! Between the password and the second factor.

use std::time::Duration;

use http::HeaderMap;

use super::recovery::code_hash;
use super::totp::step_of_sealed;
use crate::audit::{AuditKind, NewEvent};
use crate::browser::Browser;
use crate::login::Authenticated;
use crate::login::authenticated::{HalfAuthenticated, mark};
use crate::random::{digest, token};
use crate::server::Inner;
use crate::store::{Attempt, HalfLoginRow, Result, Shown, StoreError};

/// How long a right password waits for its second factor.
const WAITS: Duration = Duration::from_secs(10 * 60);
/// Wrong codes before waits begin.
const FREE: i64 = 5;
/// Wrong codes in browsers that the person has never used, until none is looked at there any more: one in ten thousand
/// gets in so far (three codes of a million are right at a time). Whoever guesses has the password, so the way on is
/// another password, which only the owner can set; a browser that the person has used, a recovery code and a passkey go
/// on working, so nobody is locked out for good.
const MOST: i64 = 33;

/// Someone with the right password, who has no session.
pub(crate) struct HalfLogin {
    token_hash: String,
    row: HalfLoginRow,
}

/// Why the second factor did not end in a login.
#[derive(Debug)]
pub(crate) enum SecondFactorRefused {
    /// Neither a code of now nor a recovery code, or one that was used before. Which, is not told.
    Wrong,
    /// Too many wrong codes lately.
    Wait(Duration),
    /// Too many wrong codes since the last login: here they are not looked at any more.
    Stopped,
    /// The half login is over.
    Over,
    Store(StoreError),
}

impl From<StoreError> for SecondFactorRefused {
    fn from(error: StoreError) -> Self {
        Self::Store(error)
    }
}

/// Begins to wait for the second factor, and gives the token for the cookie. It takes the place of a session's, so the
/// browser is logged out in the meantime. None where the password was changed a moment ago.
pub(crate) async fn begin_half_login(
    server: &Inner,
    headers: &HeaderMap,
    person: &HalfAuthenticated,
) -> Result<Option<(String, Duration)>> {
    let half = token();
    let ends = server.store.now().after(WAITS);
    let began = server
        .store
        .insert_half_login(&digest(&half), person.user_id(), person.password_hash(), ends)
        .await?;
    if !began {
        return Ok(None);
    }
    if let Some(old) = server.cookies.session(headers) {
        server.store.delete_session(&digest(&old)).await?;
    }
    Ok(Some((half, WAITS)))
}

impl HalfLogin {
    /// The half login that a request's cookie stands for.
    pub(crate) async fn current(server: &Inner, headers: &HeaderMap) -> Result<Option<Self>> {
        let Some(token) = server.cookies.session(headers) else { return Ok(None) };
        let token_hash = digest(&token);
        let row = server.store.find_half_login(&token_hash).await?;
        Ok(row.map(|row| Self { token_hash, row }))
    }

    pub(crate) fn user_name(&self) -> &str {
        &self.row.user_name
    }

    /// Checks a code. Counted before it is checked; a browser that the account knows is counted by itself, as with
    /// passwords. With a refusal the half login comes back, for another try.
    pub(crate) async fn complete(
        self,
        server: &Inner,
        browser: &Browser,
        code: &str,
    ) -> std::result::Result<Authenticated, (Self, SecondFactorRefused)> {
        match self.check(server, browser, code).await {
            Ok(known) => {
                let shown = Shown::Password(self.row.password_hash);
                Ok(Authenticated::new(self.row.user_id, shown, known))
            }
            Err(refused) => Err((self, refused)),
        }
    }

    async fn check(
        &self,
        server: &Inner,
        browser: &Browser,
        code: &str,
    ) -> std::result::Result<String, SecondFactorRefused> {
        let known = mark(browser, &self.row.name_key);
        let is_known = server.store.is_known_browser(&known).await?;
        let subject = match is_known {
            true => digest(&format!("second factor\0{known}")),
            false => digest(&format!("second factor\0{}", self.row.user_id)),
        };
        if let Attempt::TooEarly(until) = server.store.begin_attempt(&subject, FREE).await? {
            let wait = server.store.now().until(until).max(Duration::from_secs(1));
            return Err(SecondFactorRefused::Wait(wait));
        }
        if let Err(refused) = use_code(server, &self.row.user_id, code, is_known).await {
            tracing::warn!(account = self.row.user_name, ?refused, "a second factor was refused");
            server.store.record(NewEvent::new(AuditKind::SecondFactorRefused).user(&self.row.user_id));
            return Err(refused);
        }
        if !server.store.finish_half_login(&self.token_hash).await? {
            return Err(SecondFactorRefused::Over);
        }
        server.store.forget_failures(&subject).await?;
        server.store.forget_guesses(&self.row.user_id).await?;
        Ok(known)
    }
}

/// Consumes a code of now, or a recovery code. Recovery codes are too long to be guessed, and count as they are.
async fn use_code(
    server: &Inner,
    user_id: &str,
    code: &str,
    is_known: bool,
) -> std::result::Result<(), SecondFactorRefused> {
    let Some(sealed) = server.store.find_totp(user_id).await? else { return Err(SecondFactorRefused::Wrong) };
    let (key, now) = (server.store.key(), server.store.now());
    if let Some(hash) = code_hash(key, user_id, code)
        && server.store.use_recovery_code(user_id, &hash).await?
    {
        return Ok(());
    }
    if !is_known && !server.store.count_guess(user_id, MOST).await? {
        return Err(SecondFactorRefused::Stopped);
    }
    let digits: String = code.chars().filter(|c| !c.is_whitespace()).take(7).collect();
    match step_of_sealed(key, user_id, &sealed, &digits, now)? {
        Some(step) if server.store.use_totp_step(user_id, step).await? => Ok(()),
        _ => Err(SecondFactorRefused::Wrong),
    }
}
