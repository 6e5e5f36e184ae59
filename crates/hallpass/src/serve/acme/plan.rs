//! What `[tls.acme]` comes to.

use std::fmt::{self, Display, Formatter};
use std::net::IpAddr;

use hallpass_protocol::is_loopback;
use url::Url;

use super::AcmeFault;
use crate::config::{Acme, Source, authorities};

const LETS_ENCRYPT: &str = "https://acme-v02.api.letsencrypt.org/directory";

/// From whom, and for whom.
#[derive(Clone, Debug)]
pub(crate) struct AcmePlan {
    pub(super) directory: Url,
    pub(super) contact: Vec<String>,
    pub(super) names: Vec<String>,
    pub(super) trusted: Vec<reqwest::Certificate>,
}

impl AcmePlan {
    /// What the file says, where the program is reached under these hosts.
    pub(in crate::serve) fn of(said: &Acme, hosts: Vec<String>, source: &Source) -> Result<Self, AcmeFault> {
        let fault = |setting, what: &str| AcmeFault::Value {
            place: source.place(&["tls", "acme", setting]),
            what: what.to_owned(),
        };
        if !said.terms_agreed {
            return Err(fault(
                "terms_agreed",
                "no authority issues a certificate to somebody who does not agree to its terms of service; read them, and set terms_agreed = true",
            ));
        }
        let directory = said.directory.clone().map_or_else(|| Url::parse(LETS_ENCRYPT), Ok);
        let directory = directory.map_err(|error| fault("directory", &error.to_string()))?;
        if directory.scheme() != "https" && !(directory.scheme() == "http" && is_loopback(&directory)) {
            return Err(fault("directory", "an authority is asked over https alone"));
        }
        let named: Vec<String> = said.names.iter().map(ToString::to_string).collect();
        let names = if named.is_empty() { hosts } else { named };
        if names.is_empty() {
            return Err(fault(
                "names",
                "nobody says for which names the certificate is to be; set names or public_url",
            ));
        }
        if let Some(address) =
            names.iter().find(|name| name.trim_matches(['[', ']']).parse::<IpAddr>().is_ok())
        {
            return Err(fault(
                "names",
                &format!("{address} is an address; hallpass gets certificates for names"),
            ));
        }
        let trusted = match &said.ca {
            None => Vec::new(),
            Some(file) => authorities("tls.acme.ca", std::slice::from_ref(file))?,
        };
        let trusted = trusted.iter().map(|der| reqwest::Certificate::from_der(der)).collect::<Result<_, _>>();
        let trusted = trusted.map_err(|_| fault("ca", "it holds no certificate that can be used"))?;
        Ok(Self { directory, contact: said.contact.clone(), names, trusted })
    }
}

impl Display for AcmePlan {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let Self { directory, names, .. } = self;
        writeln!(f, "  certificate for {}, got by itself from {directory}", names.join(", "))
    }
}
