//! Whether a browser that is started here would be seen by the person.

/// What sshd sets.
const SSH: [&str; 3] = ["SSH_CONNECTION", "SSH_CLIENT", "SSH_TTY"];

/// Looks at the environment through `variable`. What a person set in `BROWSER` counts before all signs.
pub(super) fn look(variable: impl Fn(&str) -> Option<String>) -> Result<(), &'static str> {
    let is_set = |name: &&str| variable(name).is_some_and(|value| !value.is_empty());
    if is_set(&"BROWSER") {
        return Ok(());
    }
    // Over X forwarding a browser would start, on the wrong machine, with nobody's sessions in it.
    if SSH.iter().any(&is_set) {
        return Err("this is an SSH session");
    }
    let has_screens = ["DISPLAY", "WAYLAND_DISPLAY", "WSL_DISTRO_NAME"].iter().any(&is_set);
    if cfg!(target_os = "linux") && !has_screens {
        return Err("this machine has no display");
    }
    Ok(())
}

/// Whether the person may sit at another machine than this one.
pub(super) fn is_remote() -> bool {
    SSH.iter().any(|name| std::env::var_os(name).is_some_and(|value| !value.is_empty()))
}

/// The environment of this process.
pub(super) fn here() -> Result<(), &'static str> {
    look(|name| std::env::var(name).ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn with(set: &[(&str, &str)]) -> Result<(), &'static str> {
        look(|name| set.iter().find(|(known, _)| *known == name).map(|(_, value)| (*value).to_owned()))
    }

    #[test]
    fn no_browser_is_started_over_ssh_unless_one_is_named() {
        let ssh = ("SSH_CONNECTION", "192.0.2.1 50000 192.0.2.2 22");
        assert_eq!(with(&[ssh, ("DISPLAY", ":10")]), Err("this is an SSH session"));
        assert_eq!(with(&[ssh, ("BROWSER", "w3m")]), Ok(()));
        assert_eq!(with(&[ssh, ("BROWSER", ""), ("DISPLAY", ":10")]), Err("this is an SSH session"));
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn no_browser_is_started_without_a_display() {
        assert_eq!(with(&[]), Err("this machine has no display"));
        for screen in ["DISPLAY", "WAYLAND_DISPLAY", "WSL_DISTRO_NAME"] {
            assert_eq!(with(&[(screen, "x")]), Ok(()), "{screen}");
        }
    }
}
