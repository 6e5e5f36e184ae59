//! The account of the operating system that a program runs under.

/// Why it can't.
#[derive(Debug, thiserror::Error)]
pub(crate) enum AccountFault {
    /// The system knows no such user.
    #[error("there is no user {0} on this system; make one, or name another")]
    #[cfg_attr(not(unix), allow(dead_code))]
    NoUser(String),
    /// The system knows no such group.
    #[error("there is no group {0} on this system; make one, or name another")]
    #[cfg_attr(not(unix), allow(dead_code))]
    NoGroup(String),
    /// A number that nobody has says nothing of a group.
    #[error("the user {0} has no name here, so its group is unknown; say group as well")]
    #[cfg_attr(not(unix), allow(dead_code))]
    Nameless(String),
    /// A group without a user.
    #[error("group is set, and user is not; say under which user the command runs")]
    GroupAlone,
    /// Only root can become somebody else.
    #[error("hallpass itself runs under another user, and only root can run a command as {0}")]
    #[cfg_attr(not(unix), allow(dead_code))]
    NotRoot(String),
    /// Other systems have other accounts.
    #[error("a command runs under another user on Unix only; take out user")]
    #[cfg_attr(unix, allow(dead_code))]
    NotUnix,
    /// The system could not be asked.
    #[error("the system does not say who {0} is: {1}")]
    #[cfg_attr(not(unix), allow(dead_code))]
    Unknown(String, String),
}

/// Who a program runs as.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Run {
    /// User and group; hallpass's own where there is nothing.
    pub(super) account: Option<(u32, u32)>,
    /// What such a user finds in its environment.
    pub(super) variables: Vec<(&'static str, String)>,
}

/// Looks an account up, by name or by number.
pub(super) fn find(user: Option<&str>, group: Option<&str>) -> Result<Run, AccountFault> {
    match (user, group) {
        (None, None) => Ok(Run::default()),
        (None, Some(_)) => Err(AccountFault::GroupAlone),
        (Some(user), group) => of(user, group),
    }
}

#[cfg(not(unix))]
fn of(_: &str, _: Option<&str>) -> Result<Run, AccountFault> {
    Err(AccountFault::NotUnix)
}

#[cfg(unix)]
fn of(name: &str, group: Option<&str>) -> Result<Run, AccountFault> {
    use nix::unistd::{Group, Uid, User, geteuid};
    let unknown = |error: nix::Error| AccountFault::Unknown(name.to_owned(), error.to_string());
    let (user, entry) = match name.parse::<u32>() {
        Ok(number) => (number, User::from_uid(Uid::from_raw(number)).map_err(unknown)?),
        Err(_) => {
            let entry = User::from_name(name).map_err(unknown)?;
            let entry = entry.ok_or_else(|| AccountFault::NoUser(name.to_owned()))?;
            (entry.uid.as_raw(), Some(entry))
        }
    };
    let group = match (group, &entry) {
        (None, Some(entry)) => entry.gid.as_raw(),
        (None, None) => return Err(AccountFault::Nameless(name.to_owned())),
        (Some(group), _) => match group.parse() {
            Ok(number) => number,
            Err(_) => {
                let entry = Group::from_name(group).map_err(unknown)?;
                entry.ok_or_else(|| AccountFault::NoGroup(group.to_owned()))?.gid.as_raw()
            }
        },
    };
    if !geteuid().is_root() && geteuid().as_raw() != user {
        return Err(AccountFault::NotRoot(name.to_owned()));
    }
    let variables = entry.map_or_else(Vec::new, |entry| {
        let text = |path: &std::path::Path| path.to_string_lossy().into_owned();
        vec![
            ("HOME", text(&entry.dir)),
            ("LOGNAME", entry.name.clone()),
            ("SHELL", text(&entry.shell)),
            ("USER", entry.name),
        ]
    });
    Ok(Run { account: Some((user, group)), variables })
}

#[cfg(all(test, unix))]
mod tests {
    use nix::unistd::{User, getegid, geteuid};

    use super::*;

    #[test]
    fn nothing_said_changes_nothing() {
        assert_eq!(find(None, None).unwrap(), Run::default());
        assert!(matches!(find(None, Some("daemon")), Err(AccountFault::GroupAlone)));
    }

    #[test]
    fn an_account_is_found_by_name_and_by_number() {
        let own = User::from_uid(geteuid()).unwrap().unwrap();
        let run = find(Some(&own.name), None).unwrap();
        assert_eq!(run.account, Some((own.uid.as_raw(), own.gid.as_raw())));
        assert!(run.variables.contains(&("USER", own.name.clone())));
        assert_eq!(find(Some(&own.uid.to_string()), None).unwrap(), run);
        let group = getegid().to_string();
        assert_eq!(
            find(Some(&own.name), Some(&group)).unwrap().account,
            Some((own.uid.as_raw(), getegid().as_raw()))
        );
    }

    #[test]
    fn what_is_not_there_is_named() {
        let own = geteuid().to_string();
        assert!(matches!(find(Some("no-such-user-here"), None), Err(AccountFault::NoUser(_))));
        assert!(matches!(find(Some(&own), Some("no-such-group-here")), Err(AccountFault::NoGroup(_))));
        assert!(matches!(find(Some("4294967290"), None), Err(AccountFault::Nameless(_))));
        let other = find(Some("4294967290"), Some("1"));
        assert_eq!(other.is_ok(), geteuid().is_root());
        assert!(other.is_ok() || matches!(other, Err(AccountFault::NotRoot(_))));
    }
}
