//! What the examination came to.

use std::fmt;

use serde::Serialize;

/// A revision of the MCP authorization specification.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub enum Revision {
    /// The server is its own authorization server.
    #[serde(rename = "2025-03-26")]
    V2025_03_26,
    /// Protected resource metadata.
    #[serde(rename = "2025-06-18")]
    V2025_06_18,
    /// Client ID metadata documents, scopes in challenges.
    #[serde(rename = "2025-11-25")]
    V2025_11_25,
    /// Issuer identification, stateless transport.
    #[serde(rename = "2026-07-28")]
    V2026_07_28,
}

impl Revision {
    /// All of them, the oldest first.
    pub const ALL: [Self; 4] = [Self::V2025_03_26, Self::V2025_06_18, Self::V2025_11_25, Self::V2026_07_28];

    /// The revision's date, which is its name.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::V2025_03_26 => "2025-03-26",
            Self::V2025_06_18 => "2025-06-18",
            Self::V2025_11_25 => "2025-11-25",
            Self::V2026_07_28 => "2026-07-28",
        }
    }
}

impl fmt::Display for Revision {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// How a step came out. The worse one is the greater one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Verdict {
    /// As the specification asks.
    Ok,
    /// Nothing that can be fetched tells; only a login does.
    Unknown,
    /// Allowed, and yet some client or person will stumble over it.
    Warning,
    /// A rule is broken; logins fail or are not safe.
    Fault,
}

/// Which part of the way a finding is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Group {
    /// Whether an MCP server is there.
    Reach,
    /// Requests to the MCP server without a good token, and the challenges in the answers.
    Challenge,
    /// Protected resource metadata (RFC 9728).
    Resource,
    /// The authorization servers' metadata (RFC 8414) and keys.
    AuthorizationServer,
    /// What clients of MCP 2025-03-26 do in place of resource metadata.
    FirstRevision,
    /// The three places that clients read scopes from.
    Scopes,
    /// Clients that run in a browser.
    Browser,
    /// A real login, and requests with its token.
    Login,
}

/// One step: what was sought, what came back, who asks for it.
#[derive(Clone, Debug, Serialize)]
#[non_exhaustive]
pub struct Finding {
    /// A stable name, for programs.
    pub check: &'static str,
    /// Which part of the way.
    pub group: Group,
    /// How it came out.
    pub verdict: Verdict,
    /// What was sought.
    pub sought: &'static str,
    /// What came back; no secret is in it.
    pub found: String,
    /// The paragraph that asks for it.
    pub source: &'static str,
    /// The revisions of the MCP specification that this matters to.
    pub revisions: Vec<Revision>,
    /// What to change, where something should be.
    pub change: Option<String>,
}

/// The whole examination.
#[derive(Clone, Debug, Serialize)]
#[non_exhaustive]
pub struct Report {
    /// The MCP server, without what its query may hold.
    pub server: String,
    /// Every step, in the order in which a client goes.
    pub findings: Vec<Finding>,
}

impl Report {
    /// The worst verdict of all.
    #[must_use]
    pub fn verdict(&self) -> Verdict {
        self.findings.iter().map(|finding| finding.verdict).max().unwrap_or(Verdict::Ok)
    }

    /// The worst verdict for clients of one revision.
    #[must_use]
    pub fn verdict_for(&self, revision: Revision) -> Verdict {
        let concerns = |finding: &&Finding| finding.revisions.contains(&revision);
        self.findings.iter().filter(concerns).map(|finding| finding.verdict).max().unwrap_or(Verdict::Ok)
    }

    /// How many findings have that verdict.
    #[must_use]
    pub fn count(&self, verdict: Verdict) -> usize {
        self.findings.iter().filter(|finding| finding.verdict == verdict).count()
    }

    /// The same report with what concerns one revision only.
    #[must_use]
    pub fn only(mut self, revision: Revision) -> Self {
        self.findings.retain(|finding| finding.revisions.contains(&revision));
        self
    }
}
