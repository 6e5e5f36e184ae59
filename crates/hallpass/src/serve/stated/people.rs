//! How people sign in, in words: by what, through whom, who enters, and what groups mean.

use std::fmt::{Display, Formatter, Result};

use hallpass_authorization_server::SignIn;

use crate::serve::client_of::ClientOf;
use crate::serve::house_plan::HousePlan;

/// How people sign in to a house that logs them in.
pub(super) struct Ways<'a>(pub(super) &'a HousePlan);

impl Display for Ways<'_> {
    fn fmt(&self, f: &mut Formatter<'_>) -> Result {
        let through: Vec<_> = self.0.sign_in.iter().map(|one| one.shown.as_str()).collect();
        match (self.0.authorization_server.passwords, through.is_empty()) {
            (true, true) => f.write_str("by password or passkey"),
            (true, false) => write!(f, "by password or passkey, or through {}", through.join(" or ")),
            (false, _) => write!(f, "through {} alone: passwords are off", through.join(" or ")),
        }
    }
}

/// A third party of which hallpass is a client, at that issuer of its own.
pub(super) struct Party<'a>(pub(super) &'a ClientOf<'a>, pub(super) Option<&'a str>);

impl Display for Party<'_> {
    fn fmt(&self, f: &mut Formatter<'_>) -> Result {
        let (party, settings) = (self.0, self.0.provider.settings());
        writeln!(
            f,
            "  provider   {}, where hallpass is {}: {}",
            settings.issuer,
            settings.client_id,
            party.purpose()
        )?;
        if let Some(issuer) = self.1 {
            let back = party.redirect_uri(issuer);
            writeln!(f, "             its redirect URI, to be registered there: {back}")?;
        }
        let Some(sign_in) = party.sign_in else { return Ok(()) };
        writeln!(f, "             enters: {}", entering(sign_in))?;
        groups(sign_in, f)?;
        match (&sign_in.signals_audience, self.1) {
            (Some(audience), Some(issuer)) => writeln!(
                f,
                "             its security events for {audience} are taken at {}/security_events",
                issuer.trim_end_matches('/')
            ),
            _ => Ok(()),
        }
    }
}

fn entering(sign_in: &SignIn) -> String {
    let (who, claim) = (&sign_in.who, &sign_in.groups.claim);
    let groups = format!("members of {} (claim {claim})", who.groups.join(" or "));
    match (who.domains.is_empty(), who.groups.is_empty()) {
        (false, false) => format!("people of {} who are {groups}", who.domains.join(" or ")),
        (false, true) => format!("people of {}", who.domains.join(" or ")),
        (true, false) => groups,
        (true, true) if who.anybody => "whoever it knows".to_owned(),
        (true, true) => "people who have linked their account there, and nobody else".to_owned(),
    }
}

fn groups(sign_in: &SignIn, f: &mut Formatter<'_>) -> Result {
    let rules = &sign_in.groups;
    for (group, scopes) in &rules.scopes {
        writeln!(f, "             members of {group} may be granted {scopes}")?;
    }
    if !rules.scopes.is_empty() {
        writeln!(f, "             members of none of these may be granted nothing")?;
    }
    match rules.administrators.as_slice() {
        [] => Ok(()),
        groups => writeln!(
            f,
            "             members of {} run this server, and nobody else who comes this way",
            groups.join(" or ")
        ),
    }
}
