//! How a server is reached: proxies, and certificates on both sides.

use hallpass_client::Builder;
use hallpass_protocol::Secret;
use url::Url;

use super::remote::read;
use crate::cli::Way;
use crate::exit::Failure;

/// The client with what the command line says of its way.
pub(crate) fn applied(builder: Builder, way: &Way) -> Result<Builder, Failure> {
    let mut builder = builder.connect_timeout(way.timeout);
    if let Some(path) = &way.ca_file {
        let trusted = read(path).map_err(Failure::Configuration)?;
        builder = builder.trust(&trusted).map_err(Failure::configuration)?;
    }
    if let (Some(chain), Some(key)) = (&way.client_cert, &way.client_key) {
        let chain = read(chain).map_err(Failure::Configuration)?;
        // What is no text is no PEM either; the builder says so.
        let key = String::from_utf8(read(key).map_err(Failure::Configuration)?).unwrap_or_default();
        builder = builder.client_certificate(&chain, &Secret::new(key)).map_err(Failure::configuration)?;
    }
    if way.proxy.is_none() && !way.no_proxy {
        ensure_usable(&|name| std::env::var(name).ok())?;
    }
    if let Some(proxy) = &way.proxy {
        builder = builder.proxy(without_password(proxy)?).map_err(Failure::configuration)?;
    }
    Ok(if way.no_proxy { builder.no_proxy() } else { builder })
}

/// What the HTTP client could not read it would pass over, and go without a proxy where one was asked for. The value is
/// not told: it may hold a password.
fn ensure_usable(environment: &dyn Fn(&str) -> Option<String>) -> Result<(), Failure> {
    for name in ["HTTPS_PROXY", "https_proxy", "HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"] {
        if environment(name).is_some_and(|value| !value.is_empty() && !is_proxy(&value)) {
            return Err(Failure::Configuration(anyhow::anyhow!(
                "{name} in the environment is no proxy that can be used: write http://HOST:PORT or https://HOST:PORT there, \
                 or go without it (--no-proxy)"
            )));
        }
    }
    Ok(())
}

/// A URL with a host, or host and port alone. SOCKS is a proxy too; where one is not spoken is said elsewhere.
fn is_proxy(value: &str) -> bool {
    let url = if value.contains("://") { value.to_owned() } else { format!("http://{value}") };
    let is_known = |url: &Url| matches!(url.scheme(), "http" | "https") || url.scheme().starts_with("socks");
    let has_host = |url: &Url| url.host_str().is_some_and(|host| !host.is_empty());
    value.parse::<http::Uri>().is_ok() && Url::parse(&url).is_ok_and(|url| is_known(&url) && has_host(&url))
}

/// Everyone on the machine can read the arguments of a program; what it says of them is read by more.
fn without_password(proxy: &Secret) -> Result<&str, Failure> {
    if proxy.expose().contains('@') {
        let refused = "a password does not belong into an argument: set HTTPS_PROXY in place of --proxy";
        return Err(Failure::Configuration(anyhow::anyhow!(refused)));
    }
    Ok(proxy.expose())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_variable_that_names_no_proxy_is_named_and_its_value_is_not() {
        let with = |value: &str| {
            let value = value.to_owned();
            ensure_usable(&move |name| (name == "https_proxy").then(|| value.clone()))
        };
        for good in [
            "",
            "http://proxy.example:3128",
            "https://u:canary@proxy.example",
            "proxy.example:3128",
            "u:canary@proxy.example:3128",
            "127.0.0.1:3128",
            "http://[::1]:3128/",
            "socks5://proxy.example",
        ] {
            assert!(with(good).is_ok(), "{good}");
        }
        for bad in ["http://user:canary@", "garbage://", "garbage://canary", "http://", "canary canary", " "]
        {
            let Err(Failure::Configuration(error)) = with(bad) else { panic!("{bad:?} is taken") };
            let said = error.to_string();
            assert!(said.starts_with("https_proxy in the environment") && !said.contains("canary"), "{said}");
        }
    }
}
