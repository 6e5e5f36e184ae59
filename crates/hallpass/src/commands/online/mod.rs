//! `hallpass config check --online`: what the issuers of a file say of themselves, and what follows for clients.
//!
//! | room | what it holds |
//! |---|---|
//! | `features` | what each check is called, and which arrangement of the server would mend it |
//! | `leg` | a third party of which hallpass is a client itself |
//! | `own` | what only the file and the issuer together tell: whether hallpass can verify the tokens |
//! | `shown` | the table, and the JSON |

mod features;
mod leg;
mod own;
mod shown;

use hallpass_client::Profile;
use hallpass_client::doctor::{Revision, Verdict, examine_issuer};
use serde::Serialize;

use self::features::Feature;
use crate::config::Arrangement;
use crate::exit::Failure;
use crate::serve::credentials::Trusted;
use crate::serve::plan::Plan;

/// One server, and one issuer whose tokens it takes; or a third party of which hallpass is a client.
#[derive(Debug, Serialize)]
pub(super) struct Judged {
    /// The table of the file.
    server: String,
    /// What the issuer is there, in words.
    role: &'static str,
    issuer: String,
    /// The name of the profile, if there is one.
    profile: Option<String>,
    /// Whether this issuer logs people in, and is not only believed beside another.
    logs_in: bool,
    verdict: Verdict,
    revisions: Vec<ForRevision>,
    features: Vec<Feature>,
    mended_by: Vec<Mending>,
}

/// What follows for clients of one revision.
#[derive(Debug, Serialize)]
struct ForRevision {
    revision: Revision,
    verdict: Verdict,
    /// What brings it about.
    because_of: Vec<&'static str>,
}

/// What another arrangement would mend, of all that is no better than a warning.
#[derive(Debug, Serialize)]
struct Mending {
    arrangement: &'static str,
    mends: Vec<&'static str>,
    leaves: Vec<&'static str>,
}

/// Asks every issuer that the file names, and says what came out.
pub(super) async fn check(plan: &Plan, profiles: &[Profile], json: bool) -> Result<(), Failure> {
    let mut all = Vec::new();
    for server in plan.houses.iter().flat_map(|house| &house.servers) {
        let external = server.arrangement == Arrangement::External;
        for (at, trusted) in server.credentials.trusted().iter().enumerate() {
            let profile = profile_of(trusted, profiles);
            let report = examine_issuer(trusted.issuer(), &profile, trusted.fetcher()).await;
            let logs_in = external && at == 0;
            let mut features: Vec<_> = match logs_in {
                true => report.findings.into_iter().map(Feature::from).collect(),
                // Nobody is sent there.
                false => Vec::new(),
            };
            features.extend(own::features(server, trusted, &profile, logs_in).await);
            features.sort_by_key(Feature::place);
            let name = Some(profile.name).filter(|name| !name.is_empty());
            let role = match logs_in {
                true => "logs people in",
                false => "is believed, and no client is sent there",
            };
            let of = Of {
                server: server.title.clone(),
                issuer: trusted.issuer().to_string(),
                role,
                profile: name,
            };
            all.push(Judged::of(of, logs_in, features));
        }
    }
    for house in &plan.houses {
        let issuer = plan.public_url().map(|public| plan.issuer(house, &public)).unwrap_or_default();
        let tenant = house.tenant.as_ref().map(|name| format!("tenants.{name}: ")).unwrap_or_default();
        for party in house.client_of() {
            let features = leg::features(&party, &issuer).await;
            let settings = party.provider.settings();
            let of = Of {
                server: format!("{tenant}{}", party.title()),
                issuer: settings.issuer.to_string(),
                role: party.purpose(),
                profile: Some(settings.profile.name.clone()).filter(|name| !name.is_empty()),
            };
            all.push(Judged::of(of, false, features));
        }
    }
    if json {
        shown::json(&all)?
    } else {
        shown::text(&all)?
    }
    let faults = all.iter().filter(|judged| judged.verdict == Verdict::Fault).count();
    match faults {
        0 => Ok(()),
        1 => {
            let why = "one of these cannot be used as the file wants; what to change is said there";
            Err(anyhow::anyhow!(why).into())
        }
        more => Err(anyhow::anyhow!(
            "{more} of these cannot be used as the file wants; what to change is said there"
        )
        .into()),
    }
}

/// What is known of an issuer: by the file, by the name that the file gives it, by itself.
fn profile_of(trusted: &Trusted, profiles: &[Profile]) -> Profile {
    let issuer = trusted.issuer().as_str();
    let own = profiles.iter().rev().find(|profile| profile.is_for(issuer)).cloned();
    own.or_else(|| trusted.profile().and_then(Profile::named))
        .or_else(|| Profile::of(issuer))
        .unwrap_or_default()
}

/// Who is judged.
struct Of {
    server: String,
    issuer: String,
    role: &'static str,
    profile: Option<String>,
}

impl Judged {
    fn of(Of { server, issuer, role, profile }: Of, logs_in: bool, features: Vec<Feature>) -> Self {
        let worst = |features: &mut dyn Iterator<Item = &Feature>| {
            features.map(|feature| feature.verdict).max().unwrap_or(Verdict::Ok)
        };
        let verdict = worst(&mut features.iter());
        let revisions = Revision::ALL.into_iter().map(|revision| {
            let concerns = |feature: &&Feature| feature.revisions.contains(&revision);
            let verdict = worst(&mut features.iter().filter(concerns));
            let causes = features.iter().filter(concerns).filter(|feature| feature.verdict == verdict);
            let because_of = match verdict {
                Verdict::Ok => Vec::new(),
                _ => causes.map(|feature| feature.feature).collect(),
            };
            ForRevision { revision, verdict, because_of }
        });
        let revisions = revisions.collect();
        let bad: Vec<_> = features.iter().filter(|feature| feature.verdict >= Verdict::Warning).collect();
        let mended_by = if logs_in && !bad.is_empty() { features::ARRANGEMENTS.as_slice() } else { &[] };
        let mended_by = mended_by.iter().map(|&arrangement| {
            let (mends, leaves): (Vec<&Feature>, Vec<&Feature>) =
                bad.iter().partition(|feature| feature.mended_by.contains(&arrangement));
            let names = |of: Vec<&Feature>| of.into_iter().map(|feature| feature.feature).collect();
            Mending { arrangement, mends: names(mends), leaves: names(leaves) }
        });
        let mended_by = mended_by.filter(|mending| !mending.mends.is_empty()).collect();
        Self { server, role, issuer, profile, logs_in, verdict, revisions, features, mended_by }
    }
}
