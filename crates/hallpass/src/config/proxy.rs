//! `[proxy]`: what is believed of whom.

use std::net::IpAddr;

use hallpass_protocol::forwarded::Fields;
use ipnet::IpNet;
use schemars::JsonSchema;
use serde::de::{Deserializer, Error};
use serde::{Deserialize, Serialize};

/// Proxies in front that are believed when they say who the client is. From anybody else such words are nothing. Nobody is listed
/// unless it is here.
#[derive(Clone, Debug, Default, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Proxy {
    /// The networks and addresses of the proxies, as in `["10.0.0.0/8", "2001:db8::7"]`. The client's address is then what they
    /// say: of a chain, the last that is not listed. Default: none.
    #[serde(deserialize_with = "networks")]
    #[schemars(with = "Vec<String>")]
    pub(crate) trusted: Vec<IpNet>,
    /// Which fields the proxies write: `x-forwarded` (`X-Forwarded-For`, `-Proto`, `-Host`) or `forwarded` (RFC 7239). The other is
    /// not read: proxies pass it on as clients sent it. Default: `x-forwarded`.
    pub(crate) fields: ProxyFields,
    /// The proxies write the host that the client asked for, and it counts in place of `Host`. Only for proxies that never pass on
    /// what a client says of that. Default: false.
    pub(crate) host: bool,
    /// The proxies begin each connection with a header of the PROXY protocol, version 1 or 2. Then each connection of theirs has
    /// to. Default: false.
    pub(crate) protocol: bool,
}

/// Which fields proxies write.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum ProxyFields {
    /// `X-Forwarded-For`, `-Proto`, `-Host`.
    #[default]
    XForwarded,
    /// `Forwarded`.
    Forwarded,
}

impl From<ProxyFields> for Fields {
    fn from(fields: ProxyFields) -> Self {
        match fields {
            ProxyFields::XForwarded => Self::XForwarded,
            ProxyFields::Forwarded => Self::Forwarded,
        }
    }
}

fn networks<'de, D: Deserializer<'de>>(from: D) -> Result<Vec<IpNet>, D::Error> {
    let words: Vec<String> = super::lists::some(from)?;
    words.iter().map(|word| network(word).map_err(D::Error::custom)).collect()
}

fn network(word: &str) -> Result<IpNet, String> {
    let parsed = word.parse::<IpNet>().ok();
    let parsed = parsed.or_else(|| word.parse().ok().map(|address: IpAddr| address.to_canonical().into()));
    let network = parsed.ok_or_else(|| {
        format!("`{word}` is no network and no address; write it as in 10.0.0.0/8 or 10.0.0.5")
    })?;
    if network.prefix_len() == 0 {
        return Err(format!(
            "`{word}` is everybody, and everybody could say to be anybody; list the proxies alone"
        ));
    }
    match network.trunc() {
        same if same == network => Ok(network),
        other => Err(format!(
            "`{word}` is an address within a network; write {other}, or {} alone",
            network.addr()
        )),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn networks_and_addresses() {
        for (word, said) in [
            ("10.0.0.0/8", "10.0.0.0/8"),
            ("10.0.0.5", "10.0.0.5/32"),
            ("2001:db8::/32", "2001:db8::/32"),
            ("::1", "::1/128"),
            ("::ffff:10.0.0.5", "10.0.0.5/32"),
        ] {
            assert_eq!(network(word).unwrap().to_string(), said);
        }
    }

    #[test]
    fn what_would_list_others_is_refused() {
        for (word, says) in [
            ("0.0.0.0/0", "everybody"),
            ("::/0", "everybody"),
            ("10.0.0.5/8", "10.0.0.0/8"),
            ("10.0.0", "10.0.0.0/8"),
            ("proxy.example", "10.0.0.5"),
            ("", "10.0.0.5"),
        ] {
            assert!(network(word).unwrap_err().contains(says), "{word}");
        }
        let empty = toml::from_str::<Proxy>("trusted = []").unwrap_err().to_string();
        assert!(empty.contains("leave it out"), "{empty}");
    }
}
