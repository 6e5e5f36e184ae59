//! Relative paths in the file are taken from the folder that the file is in, wherever hallpass is started.

use std::path::{Path, PathBuf};

use super::log::LogSink;
use super::tls::AskedFor;
use super::{AuthorizationServer, Config, Database, Server, Variable};

impl Config {
    /// The same, as seen from that folder.
    pub(super) fn seen_from(&mut self, folder: &Path) {
        let at = &|path: &mut PathBuf| *path = folder.join(&*path);
        self.data.iter_mut().for_each(at);
        database(&mut self.database, at);
        self.master_key.file.iter_mut().for_each(at);
        for sink in [&mut self.log.access, &mut self.log.audit].into_iter().flatten() {
            if let LogSink::File(path) = sink {
                at(path);
            }
        }
        if let Some(tls) = &mut self.tls {
            let own = tls.certificate.iter_mut().chain(&mut tls.key);
            own.chain(tls.acme.iter_mut().filter_map(|acme| acme.ca.as_mut())).for_each(at);
            if let AskedFor::IssuedBy(authorities) = &mut tls.client_certificates {
                authorities.iter_mut().for_each(at);
            }
        }
        for said in self.otlp.iter_mut().flat_map(|otlp| otlp.fields.values_mut()) {
            at(&mut said.file);
        }
        for party in self.third_parties.values_mut() {
            party.secret_file.iter_mut().chain(&mut party.key_file).for_each(at);
        }
        self.server.iter_mut().chain(self.servers.values_mut()).for_each(|one| server(one, at));
        authorization_server(&mut self.authorization_server, at);
        for tenant in self.tenants.values_mut() {
            database(&mut tenant.database, at);
            tenant.server.iter_mut().chain(tenant.servers.values_mut()).for_each(|one| server(one, at));
            authorization_server(&mut tenant.authorization_server, at);
        }
    }
}

fn database(database: &mut Database, at: &impl Fn(&mut PathBuf)) {
    database.password_file.iter_mut().for_each(at);
}

fn authorization_server(said: &mut AuthorizationServer, at: &impl Fn(&mut PathBuf)) {
    said.mutual_tls.iter_mut().flat_map(|said| &mut said.authorities).for_each(at);
    said.trusted_issuers.iter_mut().filter_map(|issuer| issuer.jwks.as_mut()).for_each(at);
}

fn server(server: &mut Server, at: &impl Fn(&mut PathBuf)) {
    server.directory.iter_mut().for_each(at);
    for variable in server.environment.values_mut() {
        if let Variable::File { file } = variable {
            at(file);
        }
    }
    server.credentials.certificates.iter_mut().for_each(|said| at(&mut said.authority));
    for asked in server.issuers.iter_mut().filter_map(|issuer| issuer.introspection.as_mut()) {
        asked.secret_file.iter_mut().chain(&mut asked.key_file).for_each(at);
    }
    server.signed_metadata.iter_mut().for_each(|said| at(&mut said.key_file));
    server.assertion.iter_mut().filter_map(|said| said.key_file.as_mut()).for_each(at);
    server.upstream_fields.values_mut().for_each(|said| at(&mut said.file));
    if let Some(token) = &mut server.upstream_token {
        token.secret_file.iter_mut().chain(&mut token.key_file).for_each(at);
    }
    if let Some(tls) = &mut server.upstream_tls {
        tls.ca.iter_mut().chain(&mut tls.certificate).chain(&mut tls.key).for_each(at);
    }
    server.cedar.iter_mut().flat_map(|said| &mut said.policies).for_each(at);
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What is absolute stays so. Every setting that names a file is in the list of all settings.
    #[test]
    fn every_path_of_the_file_is_seen_from_its_folder() {
        let every = include_str!("../../../../docs/every-setting.toml");
        let relative = every.replace("\"/etc/hallpass/", "\"etc/").replace("\"/run/secrets/", "\"run/");
        let relative = relative.replace("\"/var/l", "\"./var/l").replace("\"/srv/notes\"\n", "\"srv\"\n");
        let mut config: Config = toml::from_str(&relative).unwrap();
        config.seen_from("/folder".as_ref());
        let all = config.files();
        assert!(all.len() > 10 && all.iter().all(|path| path.starts_with("/folder")), "{all:?}");
        let server = config.server.as_ref().unwrap();
        assert_eq!(server.directory.as_deref(), Some("/folder/srv".as_ref()));
        let of_variables = server.environment.values().filter_map(|variable| match variable {
            Variable::File { file } => Some(file),
            _ => None,
        });
        assert!(
            of_variables.clone().count() > 0 && of_variables.clone().all(|file| file.starts_with("/folder"))
        );
        assert!(config.data.unwrap().starts_with("/folder"));
        assert!(config.master_key.file.unwrap().starts_with("/folder"));
        assert!(matches!(config.log.access, Some(LogSink::File(path)) if path.starts_with("/folder")));
        let mut config: Config = toml::from_str(every).unwrap();
        let before = config.files();
        config.seen_from("/folder".as_ref());
        assert_eq!(config.files(), before);
    }
}
