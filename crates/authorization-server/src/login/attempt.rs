//! One attempt to log in.

use std::net::{IpAddr, Ipv6Addr};
use std::time::Duration;

use hallpass_protocol::secret::Secret;

use super::authenticated::HalfAuthenticated;
use super::authenticated::mark;
use super::{Authenticated, Busy, UserName, Verdict};
use crate::audit::{AuditKind, NewEvent};
use crate::browser::Browser;
use crate::random::digest;
use crate::server::Inner;
use crate::store::{Attempt, Shown, StoreError, UserRow};

/// Wrong passwords for one account before waits begin.
const FREE_FOR_ACCOUNT: i64 = 5;
/// Wrong passwords from one address before waits begin: a whole office may be behind it.
const FREE_FOR_ADDRESS: i64 = 30;

/// Why an attempt did not end in a login.
#[derive(Debug)]
pub(crate) enum LoginRefused {
    /// Name or password is wrong, or the account is disabled. Which one is not told.
    Wrong,
    /// Too many wrong passwords lately.
    Wait(Duration),
    Busy,
    Store(StoreError),
}

/// What a right password leads to.
pub(crate) enum PasswordLogin {
    Through(Authenticated),
    /// The second factor is missing.
    HalfWay(HalfAuthenticated),
}

impl From<StoreError> for LoginRefused {
    fn from(error: StoreError) -> Self {
        Self::Store(error)
    }
}

impl From<Busy> for LoginRefused {
    fn from(_: Busy) -> Self {
        Self::Busy
    }
}

/// Checks name and password. Counted before it is checked, for the account and for the
/// address, whether the account exists or not.
///
/// A browser in which the account has logged in before is counted by itself, for the account and for the address.
/// Otherwise whoever keeps on guessing would keep the owner out.
pub(crate) async fn log_in(
    server: &Inner,
    browser: &Browser,
    name: &str,
    password: Secret,
    address: Option<IpAddr>,
) -> Result<PasswordLogin, LoginRefused> {
    let key = UserName::parse(name).map_or_else(|_| String::new(), |name| name.key);
    let known = mark(browser, &key);
    let is_known = server.store.is_known_browser(&known).await?;
    let account = match is_known {
        true => known.clone(),
        false => digest(&format!("account\0{key}")),
    };
    let known_address = address.filter(|_| server.settings.count_addresses);
    let counted = address.filter(|_| server.settings.count_addresses && !is_known);
    let counted = counted.map(|address| digest(&format!("address\0{}", network(address))));
    if let Some(counted) = &counted {
        begin(server, counted, FREE_FOR_ADDRESS).await?;
    }
    begin(server, &account, FREE_FOR_ACCOUNT).await?;
    let user = server.store.find_user(&key).await?;
    let Some((user, hash)) = check(server, user.as_ref(), password).await? else {
        // What was typed into the name field may be a password, so only the name of an account is told.
        let account = user.as_ref().map_or("none of that name", |user| &user.name);
        tracing::warn!(account, address = address.map(tracing::field::display), "a login was refused");
        let event = NewEvent::new(AuditKind::LoginRefused).address(known_address).detail("by password");
        server.store.record(user.iter().fold(event, |event, user| event.user(&user.id)));
        return Err(LoginRefused::Wrong);
    };
    server.store.forget_failures(&account).await?;
    if let Some(counted) = &counted {
        // Not forgotten: whoever has one account could try all others for ever.
        server.store.take_back_attempt(counted).await?;
    }
    Ok(match user.second_factor {
        true => PasswordLogin::HalfWay(HalfAuthenticated::new(user.id.clone(), hash)),
        false => PasswordLogin::Through(Authenticated::new(user.id.clone(), Shown::Password(hash), known)),
    })
}

/// The user and the hash that counts, if the password fits and the account is not disabled. A hash that is weaker than today's is made anew: now
/// the password is there.
async fn check<'a>(
    server: &Inner,
    user: Option<&'a UserRow>,
    password: Secret,
) -> Result<Option<(&'a UserRow, String)>, LoginRefused> {
    let hash = user.map(|user| user.password_hash.as_str());
    let verdict = server.passwords.verify(password.clone(), hash).await?;
    let Some(user) = user.filter(|user| verdict != Verdict::Wrong && !user.disabled) else {
        return Ok(None);
    };
    if verdict == Verdict::RightButWeak
        && let Ok(better) = server.passwords.hash(password).await
        && server.store.replace_password_hash(&user.id, &user.password_hash, &better).await?
    {
        return Ok(Some((user, better)));
    }
    Ok(Some((user, user.password_hash.clone())))
}

async fn begin(server: &Inner, subject: &str, free: i64) -> Result<(), LoginRefused> {
    match server.store.begin_attempt(subject, free).await? {
        Attempt::Allowed => Ok(()),
        Attempt::TooEarly(until) => {
            let wait = server.store.now().until(until).max(Duration::from_secs(1));
            Err(LoginRefused::Wait(wait))
        }
    }
}

/// One customer of an IPv6 network has 2⁶⁴ addresses, so they count as one.
pub(crate) fn network(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(address) => Ipv6Addr::from_bits(address.to_bits() & !u128::from(u64::MAX)).into(),
        v4 => v4,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_ipv6_network_counts_as_one_address() {
        let of = |text: &str| network(text.parse().unwrap()).to_string();
        assert_eq!(of("2001:db8:1:2:3:4:5:6"), "2001:db8:1:2::");
        assert_eq!(of("::ffff:192.0.2.1"), "192.0.2.1");
        assert_eq!(of("192.0.2.1"), "192.0.2.1");
    }
}
