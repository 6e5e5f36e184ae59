//! Whether what a command makes can be of use: where somebody else logs people in, hallpass has neither people nor clients.

use anyhow::anyhow;

use super::Place;
use crate::config::{Arrangement, House};
use crate::exit::Failure;

/// At one server at least, people log in through hallpass. `what` is what would be of no use otherwise.
pub(super) fn here(place: &Place, what: &str) -> Result<(), Failure> {
    if place.config.is_none() {
        return Ok(());
    }
    let config = place.config()?;
    of(&place.house(&config)?, what)
}

fn of(house: &House<'_>, what: &str) -> Result<(), Failure> {
    let servers = house.protected();
    let external = |one: &crate::config::Protected<'_>| one.server.arrangement == Arrangement::External;
    if servers.is_empty() || !servers.iter().all(external) {
        return Ok(());
    }
    Err(Failure::Usage(anyhow!(
        "{what} would be of no use: the arrangement is external, so people and clients are known to the provider, and hallpass has \
         neither; see to it there, or take another arrangement (docs/arrangements.md)"
    )))
}

#[cfg(test)]
mod tests {
    use super::super::which;
    use super::*;
    use crate::config::Config;

    fn is_of_use(toml: &str, tenant: Option<&str>) -> bool {
        let config: Config = toml::from_str(toml).unwrap();
        match of(&which::house(&config, tenant).unwrap(), "a user") {
            Err(Failure::Usage(error)) => {
                assert!(error.to_string().starts_with("a user would be of no use"), "{error}");
                false
            }
            judged => judged.is_ok(),
        }
    }

    #[test]
    fn where_everything_is_external_nobody_is_added() {
        let external = "arrangement = \"external\"";
        assert!(!is_of_use(&format!("[server]\n{external}"), None));
        assert!(!is_of_use(&format!("[servers.a]\n{external}\n[servers.b]\n{external}"), None));
        assert!(is_of_use(&format!("[servers.a]\n{external}\n[servers.b]"), None));
        assert!(is_of_use("[server]\narrangement = \"proxied\"", None));
        assert!(is_of_use("", None), "what the command line says is not known here");
    }

    /// What another tenant has is nothing here.
    #[test]
    fn each_tenant_is_a_house_of_its_own() {
        let toml = "[tenants.acme.server]\narrangement = \"external\"\n[tenants.globex.server]";
        assert!(!is_of_use(toml, Some("acme")) && is_of_use(toml, Some("globex")));
    }
}
