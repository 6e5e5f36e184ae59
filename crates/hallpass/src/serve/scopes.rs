//! What the configuration says of scopes and rules, and what follows from it.

use hallpass_protocol::{Scope, ScopeSet};
use hallpass_resource_server::Policy;
use hallpass_resource_server::policy::{self, Condition, Demand, Test, Verdict};

use super::cedar::{self, CedarFault};
use crate::config::{self, Rules, Section, Server, Source};
use crate::demo;

/// The scopes of the protected server.
#[derive(Debug, PartialEq)]
pub(crate) struct ScopePlan {
    /// Every scope, with what it allows in words.
    pub(crate) described: Vec<(Scope, String)>,
    /// Who may do what; what a login asks for.
    pub(crate) policy: Policy,
}

/// A mistake in the configuration that shows only when all of it is looked at.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ScopeFault {
    /// A word that can't be a scope.
    #[error("{place}: `{word}` can't be a scope: {source}")]
    Scope {
        /// File and line, or the setting's name.
        place: String,
        /// The word.
        word: String,
        /// Why.
        source: hallpass_protocol::ScopeError,
    },
    /// Policies in Cedar that can't be kept.
    #[error(transparent)]
    Cedar(#[from] CedarFault),
    /// A rule for nothing.
    #[error("{place}: a rule needs a name or a pattern; write \"*\" for everything")]
    EmptyPattern {
        /// File and line, or the setting's name.
        place: String,
    },
    /// A default that is no scope of the server.
    #[error(
        "{place}: `{scope}` is a default and no scope of this server, which has {known}; mend its name, or describe it in scopes"
    )]
    UnknownDefault {
        /// File and line, or the setting's name.
        place: String,
        /// The word.
        scope: String,
        /// Those that are described.
        known: String,
    },
    /// A scope that implies itself says nothing.
    #[error("{place}: `{scope}` implies itself; name the scopes that it brings with it")]
    ImpliesItself {
        /// File and line, or the setting's name.
        place: String,
        /// The scope.
        scope: String,
    },
}

impl ScopePlan {
    /// The scopes of the sample server.
    pub(crate) fn demo() -> Result<Self, ScopeFault> {
        let nowhere = Source::default();
        let words = Words { section: Section::new(&nowhere, None) };
        let read = words.scope(demo::READ, &["demo"])?;
        let write = words.scope(demo::WRITE, &["demo"])?;
        let one = |scope: &Scope| ScopeSet::from_iter([scope.clone()]);
        let policy = Policy {
            login: one(&read).union(&one(&write)),
            tools: vec![
                policy::Rule::scopes("whoami", ScopeSet::new()),
                policy::Rule::scopes("list_notes", one(&read)),
                policy::Rule::scopes("write_note", one(&write)),
            ],
            ..Policy::default()
        };
        let described = vec![(read, "Read your notes".to_owned()), (write, "Write notes for you".to_owned())];
        Ok(Self { described, policy })
    }

    /// What `server.scopes` and the rules come to.
    ///
    /// A scope that a rule asks for is needed where the rule says so, and nowhere else; every other default
    /// scope is needed for every request. So a token never needs more than what it is used for. What nobody
    /// named needs all default scopes.
    pub(crate) fn of(server: &Server, section: Section<'_>) -> Result<Self, ScopeFault> {
        let words = Words { section };
        let mut described = Vec::new();
        let mut policy = Policy { tenants: server.tenants.clone(), ..Policy::default() };
        for (word, about) in &server.scopes.described {
            let scope = words.scope(word, &["scopes", word])?;
            let implies = words.scopes(&about.implies, &["scopes", word])?;
            if implies.contains(&scope) {
                let place = section.place(&["scopes", word]);
                return Err(ScopeFault::ImpliesItself { place, scope: word.clone() });
            }
            described.push((scope.clone(), about.says.clone().unwrap_or_else(|| word.clone())));
            if !implies.is_empty() {
                policy.implies.insert(scope, implies);
            }
        }
        policy.tools = words.rules(&server.tools, "tools")?;
        policy.prompts = words.rules(&server.prompts, "prompts")?;
        policy.resources = words.rules(&server.resources, "resources")?;
        policy.methods = words.rules(&server.methods, "methods")?;
        policy.without_rule = match server.without_rule {
            config::WithoutRule::Login => policy::WithoutRule::Login,
            config::WithoutRule::Deny => policy::WithoutRule::Deny,
        };
        policy.cedar = server.cedar.as_ref().map(|said| cedar::read(said, section)).transpose()?;
        let mut default = words.scopes(&server.scopes.default, &["scopes", "default"])?;
        if default.is_empty() {
            default = described.iter().map(|(scope, _)| scope.clone()).collect();
        }
        // A token holds a scope, or clients cannot tell what they have.
        if default.is_empty() && asked_for(&policy).is_empty() {
            let mcp = words.scope("mcp", &["scopes"])?;
            described.push((mcp.clone(), "Use this server for you".to_owned()));
            default = [mcp].into_iter().collect();
        }
        let of_rules = asked_for(&policy);
        let implied: ScopeSet = policy.implies.values().flatten().cloned().collect();
        // Who describes scopes describes them all, or has mistyped one: a login would ask for what nothing is.
        let known: ScopeSet = described.iter().map(|(scope, _)| scope.clone()).collect();
        if let Some(scope) = default.difference(&known.union(&of_rules).union(&implied)).iter().next()
            && !known.is_empty()
        {
            let place = section.place(&["scopes", "default"]);
            let known = known.to_string().replace(' ', ", ");
            return Err(ScopeFault::UnknownDefault { place, scope: scope.to_string(), known });
        }
        // A scope that nobody described is shown by its name.
        for scope in default.union(&of_rules).union(&implied).iter() {
            if !described.iter().any(|(known, _)| known == scope) {
                described.push((scope.clone(), scope.as_str().to_owned()));
            }
        }
        policy.required = default.difference(&of_rules);
        policy.login = default;
        Ok(Self { described, policy })
    }
}

/// Every scope that some rule asks for.
fn asked_for(policy: &Policy) -> ScopeSet {
    let rules = [&policy.tools, &policy.prompts, &policy.resources, &policy.methods].into_iter().flatten();
    let demands = rules.filter_map(|rule| match &rule.verdict {
        Verdict::Ask(demand) => Some(demand),
        Verdict::Deny => None,
    });
    demands.flat_map(|demand| demand.scopes.iter().cloned()).collect()
}

/// Reads words of the file, and says where they stand.
struct Words<'s> {
    section: Section<'s>,
}

impl Words<'_> {
    fn scope(&self, word: &str, at: &[&str]) -> Result<Scope, ScopeFault> {
        Scope::parse(word).map_err(|source| ScopeFault::Scope {
            place: self.section.place(at),
            word: word.to_owned(),
            source,
        })
    }

    fn scopes(&self, words: &[String], at: &[&str]) -> Result<ScopeSet, ScopeFault> {
        words.iter().map(|word| self.scope(word, at)).collect()
    }

    fn rules(&self, rules: &Rules, kind: &str) -> Result<Vec<policy::Rule>, ScopeFault> {
        rules.iter().map(|(pattern, rule)| self.rule(pattern, rule, kind)).collect()
    }

    fn rule(&self, pattern: &str, rule: &config::Rule, kind: &str) -> Result<policy::Rule, ScopeFault> {
        let at = [kind, pattern];
        if pattern.is_empty() {
            return Err(ScopeFault::EmptyPattern { place: self.section.place(&at) });
        }
        let verdict = match rule {
            config::Rule::Deny(_) => Verdict::Deny,
            config::Rule::Ask(ask) => Verdict::Ask(Demand {
                scopes: self.scopes(&ask.scopes, &at)?,
                when: ask.when.iter().map(condition).collect(),
                tenants: ask.tenants.clone(),
                fresh: ask.fresh.map(|span| span.0),
            }),
        };
        let place = format!("{} ({}.{kind}.\"{pattern}\")", self.section.place(&at), self.section.title());
        Ok(policy::Rule { pattern: pattern.to_owned(), verdict, place })
    }
}

/// Scopes that are named elsewhere in the file.
pub(super) fn scope_set(section: Section<'_>, words: &[String], at: &[&str]) -> Result<ScopeSet, ScopeFault> {
    Words { section }.scopes(words, at)
}

fn condition(said: &config::Condition) -> Condition {
    let test = match (&said.has, &said.is) {
        (Some(word), _) => Test::Has(word.clone()),
        (None, is) => Test::Is(is.clone().unwrap_or_default()),
    };
    Condition { claim: said.claim.clone(), test }
}

/// For `config check`: what every rule comes to.
impl std::fmt::Display for ScopePlan {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let login = match self.policy.login.is_empty() {
            true => "no scope".to_owned(),
            false => self.policy.login.to_string(),
        };
        writeln!(f, "  login asks {login}")?;
        if !self.policy.tenants.is_empty() {
            writeln!(f, "  tenants    {}, and nobody else", self.policy.tenants.join(", "))?;
        }
        // All of them: a mistyped scope is one that nobody described.
        for (scope, says) in &self.described {
            match self.policy.implies.get(scope) {
                Some(implied) => writeln!(f, "  scope      {scope}: {says} (implies {implied})")?,
                None => writeln!(f, "  scope      {scope}: {says}")?,
            }
        }
        let kinds = [
            ("tool", &self.policy.tools),
            ("prompt", &self.policy.prompts),
            ("resource", &self.policy.resources),
            ("method", &self.policy.methods),
        ];
        for (kind, rules) in kinds {
            for rule in rules {
                writeln!(f, "  {kind:<10} {} {}", rule.pattern, rule.verdict)?;
            }
            let stated = match self.policy.without_rule {
                policy::WithoutRule::Login => format!("needs {login}"),
                policy::WithoutRule::Deny => "is denied".to_owned(),
            };
            if kind != "method" && !rules.is_empty() {
                writeln!(f, "  {kind:<10} without a rule {stated}")?;
            }
        }
        if self.policy.cedar.is_some() {
            writeln!(f, "  cedar      must allow, too, what these rules allow")?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn plan(toml: &str) -> ScopePlan {
        let nowhere = Source::default();
        ScopePlan::of(&toml::from_str(toml).unwrap(), Section::new(&nowhere, None)).unwrap()
    }

    #[test]
    fn without_scopes_there_is_one_and_every_request_needs_it() {
        let plan = plan("");
        assert_eq!(plan.policy.login.to_string(), "mcp");
        assert_eq!(plan.policy.required.to_string(), "mcp");
    }

    #[test]
    fn a_scope_of_a_rule_is_needed_where_the_rule_says_so() {
        for kind in ["tools", "prompts", "resources", "methods"] {
            let plan = plan(&format!(
                "scopes.default = [\"read\", \"write\"]\n{kind}.put = {{ scopes = [\"write\"] }}"
            ));
            assert_eq!(plan.policy.login.to_string(), "read write");
            assert_eq!(plan.policy.required.to_string(), "read", "{kind}");
        }
    }

    #[test]
    fn a_scope_that_nobody_described_is_shown_by_its_name() {
        let plan = plan("tools.put = { scopes = [\"write\"] }");
        assert_eq!(plan.described.len(), 1);
        assert_eq!(plan.described[0].1, "write");
    }

    /// The file that the documents begin with: `notes:read` and `notes:write` are described nowhere.
    #[test]
    fn the_worked_example() {
        let plan = plan(
            r#"
            [scopes]
            default = ["notes:read"]
            "notes:admin" = { implies = ["notes:read", "notes:write"], says = "Manage all notes" }
            [tools]
            "write_*" = { scopes = ["notes:write"] }
            "purge"   = { scopes = ["notes:admin"], when = { claim = "groups", has = "ops" }, fresh = "5m" }
            "debug"   = "deny"
            "#,
        );
        assert_eq!(plan.policy.login.to_string(), "notes:read");
        assert_eq!(plan.described.len(), 3);
        assert_eq!(plan.policy.tools.len(), 3);
        let said = plan.to_string();
        for line in [
            "scope      notes:admin: Manage all notes (implies notes:read notes:write)",
            "tool       debug is denied",
            "tool       purge needs notes:admin; only when groups has \"ops\"; only within 300 s of a login",
            "tool       without a rule needs notes:read",
        ] {
            assert!(said.contains(line), "{line}\n{said}");
        }
    }

    #[test]
    fn a_mistake_is_named_with_its_place() {
        for (text, place, what) in [
            ("[server.scopes]\ndefault = [\"a b\"]", "h.toml:2", "`a b`"),
            ("[server.scopes]\n\n\"x\" = { implies = [\"\\\"\"] }", "h.toml:3", "can't be a scope"),
            ("[server.scopes]\n\"x\" = { implies = [\"x\"] }", "h.toml:2", "implies itself"),
            (
                "[server.scopes]\nread = {}\n\ndefault = [\"raed\"]",
                "h.toml:4",
                "`raed` is a default and no scope",
            ),
            ("[server]\n\n[server.tools]\nput = { scopes = [\"a b\"] }", "h.toml:4", "`a b`"),
            ("[server.prompts]\n\"\" = \"deny\"", "h.toml:2", "pattern"),
            ("[servers.a.scopes]\n\n\"x\" = { implies = [\"x\"] }", "h.toml:3", "implies itself"),
        ] {
            let config = config::Config {
                source: Source::new("h.toml".as_ref(), text.to_owned()),
                ..toml::from_str(text).unwrap()
            };
            let one = config.protected()[0];
            let fault = ScopePlan::of(one.server, one.section).unwrap_err().to_string();
            assert!(fault.starts_with(place) && fault.contains(what), "{fault}");
        }
    }
}
