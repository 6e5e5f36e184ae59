//! Which of the servers in the configuration a command means.

use anyhow::anyhow;

use crate::config::{Config, House, Protected, TenantName};
use crate::exit::Failure;

/// The tenant that `--tenant` names, or the only one; what stands outside of all tenants, where something does.
pub(super) fn house<'c>(config: &'c Config, named: Option<&str>) -> Result<House<'c>, Failure> {
    let mut all = config.houses();
    let tenants: Vec<&str> = config.tenants.keys().map(TenantName::as_str).collect();
    let names = tenants.join(", ");
    let wrong = |why: String| Err(Failure::Usage(anyhow!(why)));
    match named {
        Some(name) => match config.house(Some(name)) {
            Some(found) => Ok(found),
            None if names.is_empty() => wrong(format!(
                "--tenant {name}: the configuration names no tenants ([tenants.NAME]); leave --tenant out"
            )),
            None => wrong(format!(
                "--tenant {name}: there is no such tenant in the configuration; there are {names}"
            )),
        },
        None if all.len() > 1 && all.iter().all(|house| house.tenant().is_some()) => {
            wrong(format!("the configuration has several tenants: say which with --tenant NAME ({names})"))
        }
        None => Ok(all.swap_remove(0)),
    }
}

/// The server that `--server` names, or the only one of that house.
pub(crate) fn which<'c>(house: &House<'c>, named: Option<&str>) -> Result<Protected<'c>, Failure> {
    let (mut all, names) = (house.protected(), names(house));
    let wrong = |why: String| Err(Failure::Usage(anyhow!(why)));
    let whose =
        house.tenant().map_or_else(|| "the configuration".to_owned(), |name| format!("the tenant {name}"));
    match named {
        Some(name) => match house.named(name) {
            Some(found) => Ok(found),
            None if names.is_empty() => wrong(format!(
                "--server {name}: {whose} names no servers ([servers.NAME]); leave --server out, and the only one is meant"
            )),
            None => wrong(format!("--server {name}: there is no such server in {whose}; there are {names}")),
        },
        None if all.len() > 1 => {
            wrong(format!("{whose} has several servers: say which with --server NAME ({names})"))
        }
        None if all.is_empty() => wrong(format!("{whose} has no server; `hallpass config check` says more")),
        None => Ok(all.swap_remove(0)),
    }
}

fn names(house: &House<'_>) -> String {
    let mut names: Vec<_> =
        house.protected().iter().filter_map(|one| one.section.name()).map(|name| name.as_str()).collect();
    names.sort_unstable();
    names.join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn chosen(toml: &str, named: Option<&str>) -> Result<String, String> {
        let config: Config = toml::from_str(toml).unwrap();
        match which(&house(&config, None).unwrap(), named) {
            Ok(one) => Ok(one.section.title()),
            Err(Failure::Usage(error)) => Err(error.to_string()),
            Err(other) => panic!("{other:?}"),
        }
    }

    #[test]
    fn of_several_one_has_to_be_named() {
        let several = "[servers.notes]\n[servers.mail]";
        assert_eq!(chosen(several, Some("mail")).as_deref(), Ok("servers.mail"));
        assert_eq!(chosen("[servers.notes]", None).as_deref(), Ok("servers.notes"));
        assert_eq!(chosen("[server]", None).as_deref(), Ok("server"));
        assert_eq!(chosen("", None).as_deref(), Ok("server"));
        for (toml, named, says) in [
            (several, None, "--server NAME (mail, notes)"),
            (several, Some("post"), "there are mail, notes"),
            ("[server]", Some("notes"), "leave --server out"),
        ] {
            assert!(chosen(toml, named).unwrap_err().contains(says), "{toml}");
        }
    }
    #[test]
    fn of_several_tenants_one_has_to_be_named() {
        let chosen = |toml: &str, named: Option<&str>| {
            let config: Config = toml::from_str(toml).unwrap();
            match house(&config, named) {
                Ok(one) => Ok(one.title()),
                Err(Failure::Usage(error)) => Err(error.to_string()),
                Err(other) => panic!("{other:?}"),
            }
        };
        let several = "[tenants.acme.server]\n[tenants.globex.server]";
        assert_eq!(chosen(several, Some("acme")).as_deref(), Ok("tenants.acme"));
        assert_eq!(chosen("[tenants.acme.server]", None).as_deref(), Ok("tenants.acme"));
        assert_eq!(chosen("[tenants.acme.server]\n[server]", None).as_deref(), Ok(""), "what stands outside");
        for (toml, named, says) in [
            (several, None, "--tenant NAME (acme, globex)"),
            (several, Some("initech"), "there are acme, globex"),
            ("[server]", Some("acme"), "leave --tenant out"),
        ] {
            assert!(chosen(toml, named).unwrap_err().contains(says), "{toml}");
        }
    }
}
