//! `[tenants.NAME]`: a house of its own in the same process. Nothing of one tenant is anything at another.

use std::collections::BTreeMap;
use std::fmt;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::server_name::{LONGEST, is_plain};
use super::{AuthorizationServer, Database, EndpointPath, HostName, Server, ServerName};

/// A tenant: an issuer, signing keys, users, clients and servers of its own. What belongs to the process (where it listens, logs,
/// limits of addresses, proxies) is shared.
#[derive(Clone, Debug, Default, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Tenant {
    /// A host of its own, where its issuer, its pages and its servers are. Scheme and port are those of `public_url`. Default: a
    /// path of the public URL.
    pub(crate) host: Option<HostName>,
    /// The path of the public URL below which its issuer, its pages and its servers are, where it has no host. Default:
    /// `/t/NAME`.
    pub(crate) path: Option<EndpointPath>,
    /// Where its users, clients and grants are kept. Default: `tenants/NAME/hallpass.db` in the data folder; on PostgreSQL, the
    /// schema `tenant_NAME` of the database that `[database]` names.
    pub(crate) database: Database,
    /// Its MCP server, where it is the only one.
    pub(crate) server: Option<Server>,
    /// Its MCP servers, where there are several.
    pub(crate) servers: BTreeMap<ServerName, Server>,
    /// Its authorization server.
    pub(crate) authorization_server: AuthorizationServer,
}

/// What the file and the command line call a tenant: `NAME` of `[tenants.NAME]`. It is a part of keys and places: one that is
/// called otherwise is another tenant.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Deserialize, Serialize, JsonSchema)]
#[serde(try_from = "String", into = "String")]
#[schemars(with = "String", extend("pattern" = "^[a-z0-9][a-z0-9_-]{0,39}$"))]
pub(crate) struct TenantName(String);

impl TenantName {
    pub(crate) fn as_str(&self) -> &str {
        &self.0
    }
}

impl TryFrom<String> for TenantName {
    type Error = String;

    fn try_from(name: String) -> Result<Self, String> {
        match is_plain(&name) {
            true => Ok(Self(name)),
            false => Err(format!(
                "`{name}` can't be a tenant's name; take small letters, digits, - and _, {LONGEST} at most, as in [tenants.acme]"
            )),
        }
    }
}

impl From<TenantName> for String {
    fn from(name: TenantName) -> Self {
        name.0
    }
}

impl fmt::Display for TenantName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// It is a folder, a schema and a segment of a path.
    #[test]
    fn a_name_is_plain() {
        for name in ["acme", "a", "team-2_x", "token", &"x".repeat(40)] {
            assert!(TenantName::try_from(name.to_owned()).is_ok(), "{name}");
        }
        for name in ["", "Acme", "a.b", "a/b", "..", "-a", "ä", "a b", "a\"b", &"x".repeat(41)] {
            assert!(TenantName::try_from(name.to_owned()).is_err(), "{name}");
        }
    }
}
