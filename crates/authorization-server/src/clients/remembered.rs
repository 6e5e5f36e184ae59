//! Clients that ask for tokens of their own, remembered for a moment: a robot comes again and again, and its row is all that
//! has to be read for it.
//!
//! What is remembered may be a second behind the database, so it serves nothing but tokens that hang on the client's own
//! grant. Whoever switches a client off or takes it away ends that grant in the same transaction: a token that comes of an
//! old memory is dead when it is signed. Where this process knows of that end, the memory counts no more.

use std::sync::Arc;

use hallpass_protocol::time::Timestamp;
use quick_cache::sync::Cache;

use super::{Client, ClientKind};
use crate::revocations::Revocations;

/// Operators have fewer; those beyond are read each time.
const MOST: usize = 1000;

/// How the row of a client is found.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub(crate) enum LookUp {
    /// In the database, at this moment.
    Now,
    /// As it was within this second: for what hangs on the client's own grant.
    WithinThisSecond,
}

/// The clients that were read in this second.
pub(crate) struct RememberedClients(Cache<String, Remembered>);

#[derive(Clone)]
struct Remembered {
    client: Arc<Client>,
    /// Before the row was read.
    read_at: Timestamp,
}

impl Default for RememberedClients {
    fn default() -> Self {
        Self(Cache::new(MOST))
    }
}

impl RememberedClients {
    /// The client, where it was read in this second, and its own grant has not ended since. Where it is not known what has
    /// ended, nothing is remembered either.
    pub(crate) fn get(&self, id: &str, now: Timestamp, ended: &Revocations) -> Option<Arc<Client>> {
        let Remembered { client, read_at } = self.0.get(id)?;
        let counts = read_at == now && ended.is_revoked(&client.own_grant) == Ok(false);
        counts.then_some(client)
    }

    /// Keeps what was read. Of those that register themselves there may be any number, and none gets tokens of its own.
    pub(crate) fn keep(&self, client: &Arc<Client>, read_at: Timestamp) {
        if client.kind == ClientKind::Configured {
            self.0.insert(client.id.clone(), Remembered { client: Arc::clone(client), read_at });
        }
    }
}

#[cfg(test)]
mod tests {
    use hallpass_protocol::time::Clock;

    use super::super::{Authentication, ClientDetails};
    use super::*;

    const NOW: Timestamp = Timestamp::from_unix(1_000);

    fn client(kind: ClientKind) -> Arc<Client> {
        Arc::new(Client {
            id: "robot".to_owned(),
            name: None,
            kind,
            redirect_uris: Vec::new(),
            authentication: Authentication::Secret("hash".to_owned()),
            grant_types: Vec::new(),
            may_refresh: false,
            scopes: None,
            own_grant: "its own".to_owned(),
            details: ClientDetails::default(),
        })
    }

    fn nothing_ended() -> Revocations {
        let ended = Revocations::new(Clock::new(|| NOW));
        ended.read([], NOW);
        ended
    }

    #[test]
    fn counts_within_the_second_in_which_it_was_read() {
        let (remembered, ended) = (RememberedClients::default(), nothing_ended());
        remembered.keep(&client(ClientKind::Configured), NOW);
        assert!(remembered.get("robot", NOW, &ended).is_some());
        assert!(remembered.get("other", NOW, &ended).is_none());
        for other in [1_001, 999] {
            let now = Timestamp::from_unix(other);
            assert!(remembered.get("robot", now, &ended).is_none(), "{other}");
        }
    }

    #[test]
    fn counts_no_more_when_its_own_grant_has_ended() {
        let (remembered, ended) = (RememberedClients::default(), nothing_ended());
        remembered.keep(&client(ClientKind::Configured), NOW);
        ended.insert([("its own".to_owned(), Timestamp::from_unix(2_000))]);
        assert!(remembered.get("robot", NOW, &ended).is_none());
    }

    #[test]
    fn counts_not_while_nobody_knows_what_has_ended() {
        let remembered = RememberedClients::default();
        remembered.keep(&client(ClientKind::Configured), NOW);
        let never_read = Revocations::new(Clock::new(|| NOW));
        assert!(remembered.get("robot", NOW, &never_read).is_none());
    }

    #[test]
    fn who_registered_itself_is_not_remembered() {
        let remembered = RememberedClients::default();
        remembered.keep(&client(ClientKind::Dynamic), NOW);
        assert!(remembered.get("robot", NOW, &nothing_ended()).is_none());
    }
}
