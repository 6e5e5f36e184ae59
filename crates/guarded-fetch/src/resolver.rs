use std::net::SocketAddr;
use std::sync::Arc;

use reqwest::dns::{Addrs, Name, Resolve, Resolving};

use crate::{FetchError, Policy};

/// Resolves names, and hands out the addresses that may be connected to and no others.
pub(crate) struct GuardedResolver(pub(crate) Arc<Policy>);

impl Resolve for GuardedResolver {
    fn resolve(&self, name: Name) -> Resolving {
        let policy = Arc::clone(&self.0);
        Box::pin(async move {
            let host = name.as_str();
            let found = tokio::net::lookup_host((host, 0))
                .await
                .map_err(|error| FetchError::Resolve { host: host.to_owned(), reason: error.to_string() })?;
            let allowed = allowed(&policy, host, found)?;
            Ok(Box::new(allowed.into_iter()) as Addrs)
        })
    }
}

/// Those of a name's addresses that may be connected to; an error if there are none.
fn allowed(
    policy: &Policy,
    host: &str,
    found: impl Iterator<Item = SocketAddr>,
) -> Result<Vec<SocketAddr>, FetchError> {
    if policy.is_open(host) {
        return Ok(found.collect());
    }
    let mut allowed = Vec::new();
    let mut refusal =
        FetchError::Resolve { host: host.to_owned(), reason: "the name has no address".to_owned() };
    for address in found {
        match policy.check_address(host, address.ip()) {
            Ok(()) => allowed.push(address),
            Err(error) => refusal = error,
        }
    }
    if allowed.is_empty() { Err(refusal) } else { Ok(allowed) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn addresses(list: &[&str]) -> std::vec::IntoIter<SocketAddr> {
        let parse = |ip: &&str| SocketAddr::new(ip.parse().unwrap(), 0);
        list.iter().map(parse).collect::<Vec<_>>().into_iter()
    }

    #[test]
    fn a_name_yields_its_public_addresses_only() {
        let found = addresses(&["10.0.0.1", "8.8.8.8", "::1"]);
        let allowed = allowed(&Policy::default(), "example.com", found).unwrap();
        assert_eq!(allowed, ["8.8.8.8:0".parse().unwrap()]);
    }

    #[test]
    fn a_name_without_public_addresses_is_refused() {
        let found = addresses(&["::ffff:169.254.169.254"]);
        let refused = allowed(&Policy::default(), "example.com", found);
        assert!(matches!(refused, Err(FetchError::Address { .. })), "{refused:?}");
    }

    #[test]
    fn an_opened_host_may_be_anywhere() {
        let policy = Policy { opened_hosts: vec!["idp.corp".into()], ..Policy::default() };
        assert!(allowed(&policy, "idp.corp", addresses(&["10.0.0.1"])).is_ok());
        assert!(allowed(&policy, "IDP.corp.", addresses(&["10.0.0.1"])).is_ok());
        assert!(allowed(&policy, "evil.idp.corp", addresses(&["10.0.0.1"])).is_err());
    }

    #[test]
    fn localhost_leads_to_this_machine_or_nowhere() {
        let policy = Policy { allow_loopback: true, ..Policy::default() };
        assert!(allowed(&policy, "localhost", addresses(&["127.0.0.1"])).is_ok());
        assert!(allowed(&policy, "localhost", addresses(&["8.8.8.8"])).is_err());
        assert!(allowed(&policy, "example.com", addresses(&["10.0.0.1"])).is_err());
    }

    #[test]
    fn a_name_without_addresses_is_an_error() {
        let refused = allowed(&Policy::default(), "example.com", addresses(&[]));
        assert!(matches!(refused, Err(FetchError::Resolve { .. })), "{refused:?}");
    }
}
