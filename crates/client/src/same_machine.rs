//! Two names of one machine, which servers and people mix up.

use hallpass_protocol::is_loopback;
use url::Url;

use crate::error::printable;

/// `localhost` and 127.0.0.1 are one machine to a person, and two names to whoever compares URLs.
pub(crate) fn same_machine(named: &str, used: &str) -> String {
    let (Ok(one), Ok(other)) = (Url::parse(named), Url::parse(used)) else { return String::new() };
    let differ_in_host_alone = one.host() != other.host()
        && one.scheme() == other.scheme()
        && one.port_or_known_default() == other.port_or_known_default()
        && one.path().trim_end_matches('/') == other.path().trim_end_matches('/');
    if !(differ_in_host_alone && is_loopback(&one) && is_loopback(&other)) {
        return String::new();
    }
    let host = |url: &Url| printable(url.host_str().unwrap_or_default());
    format!(
        ". Both are this machine, by two names: write {} in place of {}, or let the server name itself so",
        host(&one),
        host(&other)
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn two_names_of_this_machine_are_told_apart_from_two_servers() {
        let used = "http://127.0.0.1:8080/mcp";
        for named in ["http://localhost:8080/mcp", "http://localhost:8080/mcp/", "http://[::1]:8080/mcp"] {
            let hint = same_machine(named, used);
            let host = Url::parse(named).unwrap().host_str().unwrap().to_owned();
            assert!(hint.contains(&format!("write {host} in place of 127.0.0.1")), "{hint}");
        }
        for named in [
            used,
            "http://localhost:8081/mcp",
            "https://localhost:8080/mcp",
            "http://localhost:8080/other",
            "http://mcp.example:8080/mcp",
            "no url",
        ] {
            assert_eq!(same_machine(named, used), "", "{named}");
        }
    }
}
