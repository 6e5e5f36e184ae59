//! One server's table in the file: `[server]`, or `[servers.NAME]`, of a tenant or of none.

use super::{ServerName, Source, TenantName};

/// Where the settings of one server stand.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Section<'s> {
    source: &'s Source,
    tenant: Option<&'s TenantName>,
    name: Option<&'s ServerName>,
}

impl<'s> Section<'s> {
    /// Of the server with that name; of the only one, where it has none.
    pub(crate) fn new(source: &'s Source, name: Option<&'s ServerName>) -> Self {
        Self { source, tenant: None, name }
    }

    /// The same of a tenant.
    pub(crate) fn in_tenant(self, tenant: Option<&'s TenantName>) -> Self {
        Self { tenant, ..self }
    }

    /// The tenant whose server it is.
    pub(crate) fn tenant(&self) -> Option<&'s TenantName> {
        self.tenant
    }

    /// The server's name in the file.
    pub(crate) fn name(&self) -> Option<&'s ServerName> {
        self.name
    }

    /// `server`, or `servers.notes`: what the table is called.
    pub(crate) fn title(&self) -> String {
        self.keys(&[]).join(".")
    }

    /// File and line of one of its settings; without a file, the setting's name.
    pub(crate) fn place(&self, setting: &[&str]) -> String {
        self.source.place(&self.keys(setting))
    }

    /// The line on which the table begins, as far as one can tell.
    pub(super) fn line(&self) -> Option<usize> {
        self.source.line(&self.keys(&[]))
    }

    fn keys<'k>(&'k self, setting: &[&'k str]) -> Vec<&'k str> {
        let around = self.tenant.map(|name| vec!["tenants", name.as_str()]).unwrap_or_default();
        let table = match self.name {
            Some(name) => vec!["servers", name.as_str()],
            None => vec!["server"],
        };
        [around.as_slice(), &table, setting].concat()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_is_that_of_its_own_server() {
        let text = "[servers.mail]\npath = \"/a\"\n[servers.notes.scopes]\n\"x\" = {}\n";
        let source = Source::new("h.toml".as_ref(), text.to_owned());
        let notes = ServerName::try_from("notes".to_owned()).unwrap();
        let section = Section::new(&source, Some(&notes));
        assert_eq!(section.place(&["scopes", "x"]), "h.toml:4");
        assert_eq!(section.title(), "servers.notes");
        assert_eq!(Section::new(&Source::default(), Some(&notes)).place(&["path"]), "servers.notes.path");
        assert_eq!(Section::new(&Source::default(), None).place(&["path"]), "server.path");
    }
}
