//! The files that a configuration names: what is in them is part of it.

use std::path::PathBuf;

use super::{Config, House, Server, UpstreamTls};

impl Server {
    /// Those of one server.
    pub(crate) fn files(&self) -> Vec<PathBuf> {
        let authorities = self.credentials.certificates.iter().map(|certificate| &certificate.authority);
        let asked = self.issuers.iter().filter_map(|issuer| issuer.introspection.as_ref());
        let secrets = asked.flat_map(|said| [&said.secret_file, &said.key_file]).flatten();
        let signed = self.signed_metadata.iter().map(|said| &said.key_file);
        let asserted = self.assertion.iter().filter_map(|said| said.key_file.as_ref());
        let told = self.upstream_fields.values().map(|field| &field.file);
        let exchanged =
            self.upstream_token.iter().flat_map(|said| [&said.secret_file, &said.key_file]).flatten();
        let upstream = self.upstream_tls.iter().flat_map(UpstreamTls::files);
        let policies = self.cedar.iter().flat_map(|cedar| &cedar.policies);
        let all = authorities
            .chain(secrets)
            .chain(signed)
            .chain(asserted)
            .chain(told)
            .chain(exchanged)
            .chain(policies);
        all.cloned().chain(upstream).collect()
    }
}

impl House<'_> {
    /// Those of its servers and of its authorization server.
    pub(crate) fn files(&self) -> Vec<PathBuf> {
        let of_servers = self.protected().into_iter().flat_map(|one| one.server.files());
        let set = self.authorization_server();
        let trusted = set.trusted_issuers.iter().filter_map(|issuer| issuer.jwks.clone());
        let mutual_tls = set.mutual_tls.iter().flat_map(|said| said.authorities.clone());
        let password = self.own_database().and_then(|said| said.password_file.clone());
        let parties = self.third_parties().values().flat_map(|party| [&party.secret_file, &party.key_file]);
        let parties = parties.flatten().cloned();
        of_servers.chain(trusted).chain(mutual_tls).chain(password).chain(parties).collect()
    }
}

impl Config {
    /// All of them, beside the file itself.
    pub(crate) fn files(&self) -> Vec<PathBuf> {
        let of_houses = self.houses().into_iter().flat_map(|house| house.files());
        let tls = self.tls.iter().flat_map(|tls| tls.files()).map(ToOwned::to_owned);
        let password = self.database.password_file.clone();
        of_houses.chain(tls).chain(password).collect()
    }
}
