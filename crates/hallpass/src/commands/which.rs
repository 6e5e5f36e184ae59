//! Which of the servers in the configuration a command means.

use anyhow::anyhow;

use crate::config::{Config, Protected};
use crate::exit::Failure;

/// The server that `--server` names, or the only one.
pub(crate) fn which<'c>(config: &'c Config, named: Option<&str>) -> Result<Protected<'c>, Failure> {
    let (mut all, names) = (config.protected(), names(config));
    let wrong = |why: String| Err(Failure::Usage(anyhow!(why)));
    match named {
        Some(name) => match config.named(name) {
            Some(found) => Ok(found),
            None if names.is_empty() => wrong(format!(
                "--server {name}: the configuration names no servers ([servers.NAME]); leave --server out, and the only one is meant"
            )),
            None => wrong(format!(
                "--server {name}: there is no such server in the configuration; there are {names}"
            )),
        },
        None if all.len() > 1 => {
            wrong(format!("the configuration has several servers: say which with --server NAME ({names})"))
        }
        None => Ok(all.swap_remove(0)),
    }
}

fn names(config: &Config) -> String {
    let names: Vec<&str> = config.servers.keys().map(|name| name.as_str()).collect();
    names.join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn chosen(toml: &str, named: Option<&str>) -> Result<String, String> {
        let config: Config = toml::from_str(toml).unwrap();
        match which(&config, named) {
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
}
