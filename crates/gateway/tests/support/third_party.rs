//! A third party, as the gateway asks it.

use std::ffi::OsString;
use std::sync::{Arc, Mutex};

use hallpass_gateway::upstream::told::{NotGiven, Place, ThirdPartyToken};
use hallpass_protocol::linked_token::LinkedToken;
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
    /// Whether its tokens are at hand, so that nobody is asked.
    is_known: bool,
    /// How often accounts were linked anew, and which of the link's tokens is given.
    link: usize,
    version: i64,
}

impl State {
    fn token(&self, token: String) -> LinkedToken {
        LinkedToken::new(token.into(), format!("link-{}", self.link), self.version)
    }
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
        let (this, memory) = (self.clone(), self.clone());
        let known = move |caller: &Caller| memory.known(caller.subject());
        ThirdPartyToken::new(self.name, place, known, move |caller: &Caller| {
            let (this, user) = (this.clone(), caller.subject().to_owned());
            async move { this.answer(&user) }
        })
    }

    fn known(&self, user: &str) -> Option<LinkedToken> {
        let state = self.state.lock().unwrap();
        let given = state.answer.clone().unwrap_or(Ok(user.to_owned())).ok()?;
        state.is_known.then(|| state.token(given))
    }

    fn answer(&self, user: &str) -> Result<LinkedToken, NotGiven> {
        let mut state = self.state.lock().unwrap();
        state.asked += 1;
        let own = if state.lasts { user.to_owned() } else { format!("{user}-{}", state.asked) };
        state.answer.clone().unwrap_or(Ok(own)).map(|token| state.token(token))
    }

    pub(crate) fn asked(&self) -> usize {
        self.state.lock().unwrap().asked
    }

    /// The next token of the link.
    pub(crate) fn gives(&self, token: &str) {
        let version = self.state.lock().unwrap().version + 1;
        self.gives_version(version, token);
    }

    pub(crate) fn gives_version(&self, version: i64, token: &str) {
        let mut state = self.state.lock().unwrap();
        (state.version, state.answer) = (version, Some(Ok(token.to_owned())));
    }

    /// Another link takes the place of the one before, with a token of its own.
    pub(crate) fn is_linked_anew(&self, token: &str) {
        let mut state = self.state.lock().unwrap();
        state.link += 1;
        (state.version, state.answer) = (0, Some(Ok(token.to_owned())));
    }

    /// Its tokens are at hand from now on.
    pub(crate) fn is_known(&self) {
        self.state.lock().unwrap().is_known = true;
    }

    /// The user's name, each time.
    pub(crate) fn gives_each_their_own(&self) {
        self.state.lock().unwrap().lasts = true;
    }

    pub(crate) fn is_away(&self) {
        self.state.lock().unwrap().answer = Some(Err(NotGiven::Unavailable));
    }

    /// Whoever calls was not told of it when they allowed their app in.
    pub(crate) fn is_not_agreed(&self) {
        self.state.lock().unwrap().answer = Some(Err(NotGiven::NotAgreed));
    }

    pub(crate) fn is_unlinked(&self) {
        let link = Self::link(self.name).parse().unwrap();
        self.state.lock().unwrap().answer = Some(Err(NotGiven::NotLinked { link }));
    }
}
