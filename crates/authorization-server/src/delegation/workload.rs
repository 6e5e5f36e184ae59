//! How platforms write the identities of their workloads, as data by name, and what a rule has to pin so that it lets in
//! one workload and not everybody whom the platform signs for.

use super::AssertionRule;

/// How one platform writes the identities of its workloads.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Workload {
    /// What it is called.
    pub name: &'static str,
    /// Its issuers; `*` stands for any run of characters. Empty: any.
    pub issuers: &'static [&'static str],
    /// Issuers that are nobody's own.
    pub never: &'static [&'static str],
    /// Where its keys are, if that is one place.
    pub jwks_uri: Option<&'static str>,
    /// Whether each token has a `jti`.
    pub id: bool,
    /// What a rule has to pin, each by one of its ways.
    pins: &'static [Pin],
}

/// Something that a rule has to say.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Pin {
    /// What it is, in words.
    what: &'static str,
    /// Claims, of which one is enough.
    claims: &'static [&'static str],
    /// What the subject says of it.
    subject: InSubject,
    /// What to write, for whoever has not.
    add: &'static str,
}

/// How a subject pins something.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum InSubject {
    /// Named whole, without `*`.
    Whole,
    /// It begins so, and the next part, which ends with a colon, is named: `repo:acme/notes:`.
    Part(&'static str),
    /// One of these stands in it, with a name behind it: `:environment:`.
    Holds(&'static [&'static str]),
}

/// A rule that lets in more than one workload.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the rule for {client_id} pins no {what}, so that {workload} lets in workloads of others: {add}")]
pub struct PinsTooLittle {
    /// Whose rule it is.
    pub client_id: String,
    /// The platform.
    pub workload: &'static str,
    /// What is not said.
    pub what: &'static str,
    /// What to write.
    pub add: &'static str,
}

/// One subject, and nothing else.
const SUBJECT: Pin = Pin {
    what: "subject",
    claims: &[],
    subject: InSubject::Whole,
    add: "name the whole subject, without `*`",
};

/// Every platform that is known.
pub const WORKLOADS: [Workload; 5] = [
    Workload {
        name: "github-actions",
        issuers: &["https://token.actions.githubusercontent.com"],
        never: &[],
        jwks_uri: Some("https://token.actions.githubusercontent.com/.well-known/jwks"),
        id: true,
        // A workflow of anybody gets a token for any audience. `sub` is `repo:OWNER/NAME:` and, as the run has it,
        // `ref:REF`, `environment:NAME` or `pull_request`; each is a claim of its own, too. A pull request runs what
        // somebody proposes. https://docs.github.com/en/actions/reference/security/oidc
        pins: &[
            Pin {
                what: "repository",
                claims: &["repository", "repository_id"],
                subject: InSubject::Part("repo:"),
                add: "claims = { repository = \"OWNER/NAME\" }, or subject = \"repo:OWNER/NAME:...\"",
            },
            Pin {
                what: "branch or environment",
                claims: &["ref", "environment", "job_workflow_ref"],
                subject: InSubject::Holds(&[":ref:", ":environment:"]),
                add: "claims = { ref = \"refs/heads/main\" } or { environment = \"NAME\" }",
            },
        ],
    },
    Workload {
        name: "kubernetes",
        // A cluster of one's own has any issuer. These are of clusters that others run.
        // https://docs.aws.amazon.com/eks/latest/userguide/enable-iam-roles-for-service-accounts.html,
        // https://cloud.google.com/kubernetes-engine/docs/how-to/workload-identity,
        // https://learn.microsoft.com/en-us/azure/aks/use-oidc-issuer
        issuers: &[
            "https://oidc.eks.*.amazonaws.com/id/*",
            "https://container.googleapis.com/v1/projects/*",
            "https://*.oic.prod-aks.azure.com/*",
        ],
        never: &[],
        jwks_uri: None,
        // `jti` since 1.32; and a projected token is a file that is read again until it is renewed, an hour by default.
        // https://kubernetes.io/docs/reference/access-authn-authz/service-accounts-admin/,
        // https://kubernetes.io/docs/tasks/configure-pod-container/configure-service-account/
        id: false,
        pins: &[Pin {
            what: "service account",
            claims: &[],
            subject: InSubject::Whole,
            add: "subject = \"system:serviceaccount:NAMESPACE:NAME\", without `*`",
        }],
    },
    Workload {
        name: "aws",
        // One issuer for each account, with `sub` the ARN of the role, by GetWebIdentityToken.
        // https://docs.aws.amazon.com/IAM/latest/UserGuide/id_roles_providers_outbound_getting_started.html,
        // https://docs.aws.amazon.com/IAM/latest/UserGuide/id_roles_providers_outbound_token_claims.html
        issuers: &["https://*.tokens.sts.global.api.aws"],
        never: &[],
        jwks_uri: None,
        id: true,
        pins: &[Pin {
            what: "role",
            claims: &[],
            subject: InSubject::Whole,
            add: "subject = \"arn:aws:iam::ACCOUNT:role/NAME\", without `*`",
        }],
    },
    Workload {
        name: "gcp",
        issuers: &["https://accounts.google.com"],
        never: &[],
        jwks_uri: Some("https://www.googleapis.com/oauth2/v3/certs"),
        // `sub` is the number of the service account, which nobody has again; an address can be had again. No `jti`.
        // Google signs for everybody. https://cloud.google.com/compute/docs/instances/verifying-instance-identity
        id: false,
        pins: &[Pin {
            what: "service account",
            claims: &[],
            subject: InSubject::Whole,
            add: "subject = \"UNIQUE-ID\", the number of the service account",
        }],
    },
    Workload {
        name: "azure",
        issuers: &["https://login.microsoftonline.com/*/v2.0", "https://sts.windows.net/*/"],
        // Endpoints of many tenants, and the one of everybody's personal accounts.
        // https://learn.microsoft.com/en-us/entra/identity-platform/access-tokens#validate-the-issuer
        never: &["common", "organizations", "consumers", "9188040d-6c67-4c5b-b112-36a304b66dad"],
        jwks_uri: None,
        // A managed identity asks for a token for an app of the tenant, so `aud` is the app's; `sub` and `oid` are the object
        // id of the identity; `uti` stands in for `jti`.
        // https://learn.microsoft.com/en-us/entra/identity/managed-identities-azure-resources/how-to-use-vm-token,
        // https://learn.microsoft.com/en-us/entra/identity-platform/access-token-claims-reference
        id: false,
        pins: &[Pin {
            what: "identity",
            claims: &["oid"],
            subject: InSubject::Whole,
            add: "subject = \"OBJECT-ID\" of the managed identity, or claims = { oid = \"OBJECT-ID\" }",
        }],
    },
];

/// Any other platform.
const ANY: Workload =
    Workload { name: "this issuer", issuers: &[], never: &[], jwks_uri: None, id: true, pins: &[] };

impl Workload {
    /// The platform of that name.
    #[must_use]
    pub fn named(name: &str) -> Option<&'static Self> {
        WORKLOADS.iter().find(|workload| workload.name == name)
    }

    /// The platform whose issuer that is, where it tells; of any other nothing is known.
    #[must_use]
    pub fn of(issuer: &str) -> &'static Self {
        WORKLOADS.iter().find(|workload| workload.has_issuer(issuer)).unwrap_or(&ANY)
    }

    /// Whether an issuer can be of this platform.
    #[must_use]
    pub fn can_be(&self, issuer: &str) -> bool {
        // People run clusters under names of their own.
        let known = self.issuers.is_empty() || self.name == "kubernetes" || self.has_issuer(issuer);
        known && !self.is_nobodys(issuer)
    }

    /// Whether that issuer stands for many tenants, or for one that anybody can join.
    #[must_use]
    pub fn is_nobodys(&self, issuer: &str) -> bool {
        let is = |one: &str, tenant: &str| one.replace('*', tenant).eq_ignore_ascii_case(issuer);
        self.never.iter().any(|tenant| self.issuers.iter().any(|one| is(one, tenant)))
    }

    fn has_issuer(&self, issuer: &str) -> bool {
        self.issuers.iter().any(|pattern| fits(pattern, issuer))
    }

    /// Whether a rule names one workload.
    ///
    /// # Errors
    /// What it does not say, and what to write.
    pub fn check(&self, rule: &AssertionRule) -> Result<(), PinsTooLittle> {
        let missing = self.pins.iter().find(|pin| !pin.is_in(rule));
        // Of a platform that is not known, anything that is pinned is enough.
        let nothing = self.pins.is_empty() && rule.subject == "*" && rule.claims.is_empty();
        let missing = missing.or(nothing.then_some(&SUBJECT));
        missing.map_or(Ok(()), |pin| {
            Err(PinsTooLittle {
                client_id: rule.client_id.clone(),
                workload: self.name,
                what: pin.what,
                add: pin.add,
            })
        })
    }
}

impl Pin {
    fn is_in(&self, rule: &AssertionRule) -> bool {
        let said = |name: &&str| rule.claims.iter().any(|(claim, text)| claim == name && !text.is_empty());
        self.claims.iter().any(said) || self.subject.pins(&rule.subject)
    }
}

impl InSubject {
    fn pins(self, subject: &str) -> bool {
        let named = |text: &str| !text.is_empty() && !text.contains('*');
        match self {
            Self::Whole => named(subject),
            Self::Part(before) => {
                let rest = subject.strip_prefix(before).and_then(|rest| rest.split_once(':'));
                rest.is_some_and(|(part, _)| named(part))
            }
            Self::Holds(marks) => {
                let behind = |mark: &&str| subject.split_once(*mark).is_some_and(|(_, behind)| named(behind));
                marks.iter().any(behind)
            }
        }
    }
}

/// `*` stands for any run of characters that is not empty and holds no slash.
fn fits(pattern: &str, text: &str) -> bool {
    let Some((before, after)) = pattern.split_once('*') else { return pattern == text };
    let Some(rest) = text.strip_prefix(before) else { return false };
    let end = rest.find('/').unwrap_or(rest.len());
    (1..=end).any(|at| rest.is_char_boundary(at) && fits(after, rest.get(at..).unwrap_or_default()))
        // What stands last may hold slashes: GKE's issuers end with a path.
        || (after.is_empty() && !rest.is_empty())
}

#[cfg(test)]
mod tests {
    use hallpass_protocol::scope::ScopeSet;

    use super::*;

    fn rule(subject: &str, claims: &[(&str, &str)]) -> AssertionRule {
        AssertionRule {
            client_id: "robot".to_owned(),
            subject: subject.to_owned(),
            claims: claims.iter().map(|(name, text)| ((*name).to_owned(), (*text).to_owned())).collect(),
            resources: None,
            scopes: ScopeSet::default(),
        }
    }

    fn missing(name: &str, subject: &str, claims: &[(&str, &str)]) -> Option<&'static str> {
        Workload::named(name).unwrap().check(&rule(subject, claims)).err().map(|error| error.what)
    }

    #[test]
    fn a_github_rule_pins_repository_and_branch_or_environment() {
        let github = |subject: &str, claims: &[(&str, &str)]| missing("github-actions", subject, claims);
        for (subject, claims) in [
            ("repo:acme/notes:ref:refs/heads/main", &[][..]),
            ("repo:acme/notes:environment:production", &[]),
            ("repo:acme/notes:*", &[("ref", "refs/heads/main")]),
            ("*", &[("repository", "acme/notes"), ("environment", "production")]),
            ("*", &[("repository_id", "74"), ("job_workflow_ref", "acme/flows/.github/workflows/a.yml@v1")]),
        ] {
            assert_eq!(github(subject, claims), None, "{subject} {claims:?}");
        }
        for (subject, claims, what) in [
            ("*", &[][..], "repository"),
            ("repo:acme/*", &[("ref", "refs/heads/main")], "repository"),
            ("repo:acme/*:ref:refs/heads/main", &[], "repository"),
            ("repo:acme/notes*", &[("ref", "refs/heads/main")], "repository"),
            ("repo:acme/notes:*", &[], "branch or environment"),
            ("repo:acme/notes:ref:*", &[], "branch or environment"),
            ("repo:acme/notes:pull_request", &[], "branch or environment"),
            ("*", &[("repository_owner", "acme"), ("ref", "refs/heads/main")], "repository"),
            ("*", &[("repository", ""), ("ref", "refs/heads/main")], "repository"),
        ] {
            assert_eq!(github(subject, claims), Some(what), "{subject} {claims:?}");
        }
    }

    #[test]
    fn the_others_name_one_identity() {
        for (name, whole) in [
            ("kubernetes", "system:serviceaccount:tools:robot"),
            ("aws", "arn:aws:iam::123456789012:role/robot"),
            ("gcp", "113475438248934895348"),
            ("azure", "7e1f4a53-0000-4000-8000-000000000001"),
        ] {
            assert_eq!(missing(name, whole, &[]), None, "{name}");
            assert!(missing(name, "*", &[]).is_some(), "{name}");
            assert!(missing(name, &format!("{}*", &whole[..8]), &[]).is_some(), "{name}");
        }
        assert_eq!(missing("azure", "*", &[("oid", "7e1f")]), None);
        assert!(missing("gcp", "*", &[("email", "robot@p.iam.gserviceaccount.com")]).is_some(), "had again");
    }

    #[test]
    fn of_a_platform_that_is_not_known_something_is_pinned() {
        let other = Workload::of("https://idp.example");
        assert!(other.check(&rule("*", &[])).is_err());
        assert_eq!(other.check(&rule("*", &[("team", "a")])), Ok(()));
        assert_eq!(other.check(&rule("agent-*", &[])), Ok(()));
    }

    #[test]
    fn a_platform_is_known_by_its_issuer() {
        for (issuer, name) in [
            ("https://token.actions.githubusercontent.com", "github-actions"),
            ("https://oidc.eks.eu-west-1.amazonaws.com/id/EXAMPLED539D4633E53DE1B716D3041E", "kubernetes"),
            ("https://container.googleapis.com/v1/projects/p/locations/l/clusters/c", "kubernetes"),
            ("https://westeurope.oic.prod-aks.azure.com/tenant/cluster/", "kubernetes"),
            ("https://3f2a.tokens.sts.global.api.aws", "aws"),
            ("https://accounts.google.com", "gcp"),
            ("https://login.microsoftonline.com/9122040d-6c67-4c5b-b112-36a304b66dad/v2.0", "azure"),
        ] {
            assert_eq!(Workload::of(issuer).name, name, "{issuer}");
        }
        for other in [
            "https://token.actions.githubusercontent.com.evil.example",
            "https://evil.example/.tokens.sts.global.api.aws",
            "https://accounts.google.com/",
            "https://login.microsoftonline.com//v2.0",
        ] {
            assert_eq!(Workload::of(other).name, "this issuer", "{other}");
        }
        let azure = Workload::named("azure").unwrap();
        assert!(!azure.can_be("https://login.microsoftonline.com/common/v2.0"));
        assert!(!azure.can_be("https://idp.example"));
        assert!(Workload::named("kubernetes").unwrap().can_be("https://cluster.example"));
    }
}
