//! What stands together in the file: servers, and the authorization server that they share. There is one for each tenant, and
//! one for what stands outside of all tenants.

use std::collections::BTreeMap;

use hallpass_protocol::profile::Profile;

use super::{
    AuthorizationServer, Config, Database, HostName, Protected, PublicUrl, Section, Tenant, TenantName,
    ThirdParty,
};

/// One of them.
#[derive(Clone, Copy, Debug)]
pub(crate) struct House<'c> {
    config: &'c Config,
    tenant: Option<(&'c TenantName, &'c Tenant)>,
}

impl Config {
    /// Every house, in the order of the file; one at least. What stands outside of all tenants is the first, where there is
    /// something.
    pub(crate) fn houses(&self) -> Vec<House<'_>> {
        let mut tenants: Vec<_> =
            self.tenants.iter().map(|known| House { config: self, tenant: Some(known) }).collect();
        tenants.sort_by_key(|house| self.source.line(&house.keys(&[])));
        let is_alone = tenants.is_empty() || self.server.is_some() || !self.servers.is_empty();
        let outside = is_alone.then_some(House { config: self, tenant: None });
        outside.into_iter().chain(tenants).collect()
    }

    /// That of a tenant; what stands outside of all where none is named.
    pub(crate) fn house(&self, tenant: Option<&str>) -> Option<House<'_>> {
        self.houses().into_iter().find(|house| house.tenant().map(TenantName::as_str) == tenant)
    }

    /// That of a server.
    fn house_of(&self, of: &Protected<'_>) -> House<'_> {
        let known = of.section.tenant().and_then(|name| self.tenants.get_key_value(name));
        House { config: self, tenant: known }
    }

    /// Every server, in the order of the file; one at least.
    pub(crate) fn protected(&self) -> Vec<Protected<'_>> {
        self.houses().iter().flat_map(House::protected).collect()
    }

    /// The endpoint of that server, where the file says its public URL.
    pub(crate) fn endpoint(&self, of: &Protected<'_>) -> Option<String> {
        Some(self.endpoint_at(of, &self.said_url()?))
    }

    /// The same, where the listener is called that.
    pub(crate) fn endpoint_at(&self, of: &Protected<'_>, public: &PublicUrl) -> String {
        let house = self.house_of(of);
        let origin = public.of_host(of.server.host.as_ref().or(house.host()), self.tls_in_front);
        format!("{origin}{}", house.path_of(of).as_str())
    }

    /// The issuer of that server's own tokens, where the listener is called that.
    pub(crate) fn issuer_at(&self, of: &Protected<'_>, public: &PublicUrl) -> String {
        let house = self.house_of(of);
        format!("{}{}", public.of_host(house.host(), self.tls_in_front), house.base())
    }
}

impl<'c> House<'c> {
    /// The tenant whose it is.
    pub(crate) fn tenant(&self) -> Option<&'c TenantName> {
        self.tenant.map(|(name, _)| name)
    }

    /// A host of its own.
    pub(crate) fn host(&self) -> Option<&'c HostName> {
        self.tenant.and_then(|(_, said)| said.host.as_ref())
    }

    /// The path below which all of it is, without a slash at the end; empty where it has the host for itself.
    pub(crate) fn base(&self) -> String {
        match self.tenant {
            Some((name, said)) if said.host.is_none() => {
                said.path.as_ref().map_or_else(|| format!("/t/{name}"), |path| path.as_str().to_owned())
            }
            _ => String::new(),
        }
    }

    /// Whether it says both a host and a path.
    pub(crate) fn says_two_places(&self) -> bool {
        self.tenant.is_some_and(|(_, said)| said.host.is_some() && said.path.is_some())
    }

    /// What its authorization server is to be.
    pub(crate) fn authorization_server(&self) -> &'c AuthorizationServer {
        self.tenant.map_or(&self.config.authorization_server, |(_, said)| &said.authorization_server)
    }

    /// Authorization servers of others, by their names: those of the process.
    pub(crate) fn third_parties(&self) -> &'c BTreeMap<String, ThirdParty> {
        &self.config.third_parties
    }

    /// What the file says that providers do differently.
    pub(crate) fn profiles(&self) -> &'c [Profile] {
        &self.config.provider
    }

    /// A database of its own, beside that of the process.
    pub(crate) fn own_database(&self) -> Option<&'c Database> {
        self.tenant.map(|(_, said)| &said.database)
    }

    /// Its servers, in the order of the file; one at least, where it is no tenant's.
    pub(crate) fn protected(&self) -> Vec<Protected<'c>> {
        let (only, servers) = match self.tenant {
            Some((_, said)) => (said.server.as_ref(), &said.servers),
            None => (self.config.server.as_ref(), &self.config.servers),
        };
        let of = |name, server| Protected {
            server,
            section: Section::new(&self.config.source, name).in_tenant(self.tenant()),
        };
        if servers.is_empty() {
            let only = if self.tenant.is_none() { only.or(Some(super::protected::unsaid())) } else { only };
            return only.map(|only| of(None, only)).into_iter().collect();
        }
        let mut all: Vec<_> = servers.iter().map(|(name, server)| of(Some(name), server)).collect();
        all.sort_by_key(|one| one.section.line());
        all
    }

    /// The path of a server's endpoint, on whatever host it is.
    pub(crate) fn path_of(&self, of: &Protected<'_>) -> super::EndpointPath {
        match of.server.host {
            None => of.path().below(&self.base()),
            Some(_) => of.path(),
        }
    }

    /// The server with that name.
    pub(crate) fn named(&self, name: &str) -> Option<Protected<'c>> {
        self.protected()
            .into_iter()
            .find(|one| one.section.name().is_some_and(|known| known.as_str() == name))
    }

    /// File and line of one of its settings; without a file, the setting's name.
    pub(crate) fn place(&self, setting: &[&str]) -> String {
        self.config.source.place(&self.keys(setting))
    }

    /// The same of a setting of the process.
    pub(crate) fn outside(&self, setting: &[&str]) -> String {
        self.config.source.place(setting)
    }

    /// `tenants.acme`: what its table is called; nothing outside of all tenants.
    pub(crate) fn title(&self) -> String {
        self.keys(&[]).join(".")
    }

    /// All that the file says of it: for whoever asks whether it is the same by now. Where it has servers, their order counts,
    /// too: what stands at the root of an origin is about its first one.
    pub(crate) fn said(&self) -> impl serde::Serialize + 'c {
        let order: Vec<_> = self.protected().iter().map(|one| one.section.title()).collect();
        let outside = self.tenant.is_none();
        let (config, tenant) = (self.config, self.tenant);
        (order, tenant, outside.then_some((&config.server, &config.servers, &config.authorization_server)))
    }

    /// That `server` and `servers.NAME` do not stand side by side; `Err` is line, column and advice.
    pub(super) fn check_one_or_several(&self) -> Result<(), String> {
        let (only, servers) = match self.tenant {
            Some((_, said)) => (&said.server, &said.servers),
            None => (&self.config.server, &self.config.servers),
        };
        let (Some(_), Some((name, _))) = (only, servers.first_key_value()) else { return Ok(()) };
        let title = |table: &str| self.keys(&[table]).join(".");
        let place = self.config.source.position(&self.keys(&["server"]));
        let place =
            place.map_or_else(String::new, |(line, column)| format!("at line {line}, column {column}: "));
        let (server, servers) = (title("server"), title("servers"));
        Err(format!(
            "{place}[{server}] and [{servers}.{name}] are both there; [{server}] is for a server that is the only one: call it \
             [{servers}.NAME], too (its path is /NAME/mcp then, unless it says path = \"…\")"
        ))
    }

    fn keys<'k>(&self, setting: &[&'k str]) -> Vec<&'k str>
    where
        'c: 'k,
    {
        let table = self.tenant().map(|name| ["tenants", name.as_str()]);
        table.into_iter().flatten().chain(setting.iter().copied()).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn config(text: &str) -> Config {
        Config {
            source: super::super::Source::new("h.toml".as_ref(), text.to_owned()),
            ..toml::from_str(text).unwrap()
        }
    }

    fn endpoints(text: &str) -> Vec<String> {
        let config = config(text);
        config.protected().iter().map(|one| config.endpoint(one).unwrap()).collect()
    }

    #[test]
    fn each_tenant_has_its_place() {
        let text = "public_url = \"https://mcp.example.com\"\n[tenants.globex.servers.notes]\n[tenants.acme]\nhost = \"acme.example.com\"\n\
                    [tenants.acme.servers.notes]\n[tenants.acme.servers.desk]\nhost = \"desk.acme.example.com\"\n\
                    [tenants.own]\npath = \"/own\"\n[tenants.own.server]\n[servers.mail]\n";
        assert_eq!(
            endpoints(text),
            [
                "https://mcp.example.com/mail/mcp",
                "https://mcp.example.com/t/globex/notes/mcp",
                "https://acme.example.com/notes/mcp",
                "https://desk.acme.example.com/desk/mcp",
                "https://mcp.example.com/own/mcp",
            ]
        );
        let config = config(text);
        let issuers: Vec<_> =
            config.protected().iter().map(|one| config.issuer_at(one, &config.said_url().unwrap())).collect();
        assert_eq!(
            issuers,
            [
                "https://mcp.example.com",
                "https://mcp.example.com/t/globex",
                "https://acme.example.com",
                "https://acme.example.com",
                "https://mcp.example.com/own",
            ]
        );
    }

    #[test]
    fn outside_of_all_tenants_is_what_stands_there() {
        let tenants =
            |text: &str| -> Vec<String> { config(text).houses().iter().map(House::title).collect() };
        assert_eq!(tenants(""), [""]);
        assert_eq!(tenants("[tenants.b.server]\n[tenants.a.server]"), ["tenants.b", "tenants.a"]);
        assert_eq!(tenants("[tenants.b.server]\n[server]"), ["", "tenants.b"]);
        assert!(config("[tenants.b.server]").house(None).is_none());
        assert!(config("[tenants.b.server]\n[server]").house(Some("b")).is_some());
    }

    #[test]
    fn a_setting_of_a_tenant_has_its_line() {
        let config = config(
            "[tenants.a.servers.notes]\n\n[tenants.a.authorization_server]\ngrant_lifetime = \"1d\"\n",
        );
        let house = config.house(Some("a")).unwrap();
        assert_eq!(house.place(&["authorization_server", "grant_lifetime"]), "h.toml:4");
        assert_eq!(house.protected()[0].section.place(&["upstream"]), "h.toml:1");
        assert_eq!(house.protected()[0].section.title(), "tenants.a.servers.notes");
    }
}
