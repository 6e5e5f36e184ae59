//! A third party, as the gateway asks it.

use std::ffi::OsString;
use std::sync::{Arc, Mutex};

use hallpass_gateway::upstream::told::{NotGiven, Place, ThirdPartyToken};
use hallpass_protocol::secret::Secret;
use hallpass_resource_server::Caller;

/// Gives the user's name and the number of the question, if it is told nothing else.
#[derive(Clone)]
pub(crate) struct ThirdParty {
    name: &'static str,
    state: Arc<Mutex<State>>,
}

#[derive(Default)]
struct State {
    asked: usize,
    /// Whether tokens are the same each time.
    lasts: bool,
    answer: Option<Result<String, NotGiven>>,
}

impl ThirdParty {
    pub(crate) fn new(name: &'static str) -> Self {
        Self { name, state: Arc::default() }
    }

    /// Where accounts are linked.
    pub(crate) fn link(name: &str) -> String {
        format!("https://mcp.example.com/link/{name}")
    }

    pub(crate) fn in_field(&self, name: &'static str) -> ThirdPartyToken {
        self.at(Place::Field(name.parse().unwrap()))
    }

    pub(crate) fn in_variable(&self, name: &str) -> ThirdPartyToken {
        self.at(Place::Variable(OsString::from(name)))
    }

    fn at(&self, place: Place) -> ThirdPartyToken {
        let this = self.clone();
        ThirdPartyToken::new(self.name, place, move |caller: &Caller| {
            let (this, user) = (this.clone(), caller.subject().to_owned());
            async move { this.answer(&user) }
        })
    }

    fn answer(&self, user: &str) -> Result<Secret, NotGiven> {
        let mut state = self.state.lock().unwrap();
        state.asked += 1;
        let own = if state.lasts { user.to_owned() } else { format!("{user}-{}", state.asked) };
        state.answer.clone().unwrap_or(Ok(own)).map(Secret::new)
    }

    pub(crate) fn asked(&self) -> usize {
        self.state.lock().unwrap().asked
    }

    pub(crate) fn gives(&self, token: &str) {
        self.state.lock().unwrap().answer = Some(Ok(token.to_owned()));
    }

    /// The user's name, each time.
    pub(crate) fn gives_each_their_own(&self) {
        self.state.lock().unwrap().lasts = true;
    }

    pub(crate) fn is_away(&self) {
        self.state.lock().unwrap().answer = Some(Err(NotGiven::Unavailable));
    }

    pub(crate) fn is_unlinked(&self) {
        let link = Self::link(self.name).parse().unwrap();
        self.state.lock().unwrap().answer = Some(Err(NotGiven::NotLinked { link }));
    }
}
