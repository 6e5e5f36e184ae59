//! Reading challenges: a hand-written scanner, since the grammar of RFC 9110 §11.6.1 is ambiguous
//! at each comma and only a look ahead tells a new challenge from one more parameter.

use http::{HeaderMap, header::WWW_AUTHENTICATE};

use super::{Challenge, Content, is_token_byte};

/// The most challenges taken from one response, and the most parameters taken from one challenge.
const MAX_ITEMS: usize = 64;

/// Reads every `WWW-Authenticate` field of a response, each with any number of challenges.
///
/// Never fails: what is well-formed is kept, the rest is left out. A quote that never closes takes
/// the challenge it stands in with it, and keeps those before. After something that is neither
/// parameter nor scheme, parameters are dropped until the next scheme, so that they cannot slip
/// into a challenge they do not belong to. Of a repeated parameter the first counts.
///
/// One liberty: a value without quotes may hold more than a token, since servers in the field send
/// `resource_metadata=https://…` bare.
pub fn parse_challenges(headers: &HeaderMap) -> Vec<Challenge> {
    let mut found = Vec::new();
    for field in headers.get_all(WWW_AUTHENTICATE) {
        parse_field(field.as_bytes(), &mut found);
        if found.len() >= MAX_ITEMS {
            break;
        }
    }
    found.truncate(MAX_ITEMS);
    found
}

fn parse_field(field: &[u8], found: &mut Vec<Challenge>) {
    let mut scanner = Scanner { rest: field };
    let mut current: Option<Challenge> = None;
    while scanner.next_element() && found.len() < MAX_ITEMS {
        match element(&mut scanner) {
            Element::Challenge(next) => found.extend(current.replace(next)),
            Element::Param(name, value) => add(&mut current, name, value),
            Element::BadValue => {}
            Element::Foreign => found.extend(current.take()),
            Element::LostChallenge => break,
            Element::Unterminated => {
                current = None;
                break;
            }
        }
    }
    found.extend(current);
}

/// What stands between two commas.
enum Element {
    /// A scheme, perhaps with a `token68` or a first parameter.
    Challenge(Challenge),
    /// One more parameter of the challenge before.
    Param(String, String),
    /// A parameter whose value cannot be read.
    BadValue,
    /// Neither a parameter nor a scheme.
    Foreign,
    /// A quoted-string of the challenge before, which the field ends in.
    Unterminated,
    /// The same, of a challenge that has only just begun.
    LostChallenge,
}

fn element(scanner: &mut Scanner<'_>) -> Element {
    let before = scanner.rest;
    if let Some(scheme) = scanner.token() {
        if scanner.at_end_of_element() {
            return Element::Challenge(Challenge::new(scheme));
        }
        if scanner.spaces() && !scanner.rest.starts_with(b"=") {
            return after_scheme(scheme, scanner);
        }
    }
    scanner.rest = before;
    param(scanner)
}

fn after_scheme(scheme: String, scanner: &mut Scanner<'_>) -> Element {
    if let Some(value) = scanner.token68() {
        return Element::Challenge(Challenge { scheme, content: Content::Token68(value) });
    }
    let challenge = Challenge::new(scheme);
    match param(scanner) {
        Element::Param(name, value) => Element::Challenge(challenge.with(name, value)),
        Element::BadValue => Element::Challenge(challenge),
        Element::Unterminated => Element::LostChallenge,
        other => other,
    }
}

fn param(scanner: &mut Scanner<'_>) -> Element {
    let Some(name) = scanner.token() else {
        return scanner.give_up(Element::Foreign);
    };
    scanner.spaces();
    if !scanner.eat(b'=') {
        return scanner.give_up(Element::Foreign);
    }
    scanner.spaces();
    let value = if scanner.eat(b'"') {
        match scanner.quoted_string() {
            Some(value) => value,
            None => return Element::Unterminated,
        }
    } else {
        scanner.bare_value()
    };
    if value.is_none() || !scanner.at_end_of_element() {
        return scanner.give_up(Element::BadValue);
    }
    Element::Param(name, value.unwrap_or_default())
}

fn add(current: &mut Option<Challenge>, name: String, value: String) {
    if let Some(Challenge { content: Content::Params(params), .. }) = current {
        let known = params.iter().any(|(known, _)| known.eq_ignore_ascii_case(&name));
        if !known && params.len() < MAX_ITEMS {
            params.push((name, value));
        }
    }
}

struct Scanner<'a> {
    rest: &'a [u8],
}

impl Scanner<'_> {
    /// Skips commas and white space; false at the end of the field.
    fn next_element(&mut self) -> bool {
        self.take_while(|byte| matches!(byte, b' ' | b'\t' | b','));
        !self.rest.is_empty()
    }

    /// Skips to the next comma outside of quotes.
    fn give_up(&mut self, element: Element) -> Element {
        loop {
            self.take_while(|byte| !matches!(byte, b',' | b'"'));
            if !self.eat(b'"') {
                return element;
            }
            if self.quoted_string().is_none() {
                return Element::Unterminated;
            }
        }
    }

    fn at_end_of_element(&self) -> bool {
        let rest = self.rest.iter().find(|byte| !matches!(byte, b' ' | b'\t'));
        matches!(rest, None | Some(b','))
    }

    fn eat(&mut self, byte: u8) -> bool {
        let (is, rest) = match self.rest.split_first() {
            Some((first, rest)) if *first == byte => (true, rest),
            _ => (false, self.rest),
        };
        self.rest = rest;
        is
    }

    fn spaces(&mut self) -> bool {
        !self.take_while(|byte| matches!(byte, b' ' | b'\t')).is_empty()
    }

    fn token(&mut self) -> Option<String> {
        let token = self.take_while(is_token_byte);
        (!token.is_empty()).then(|| text(token))
    }

    /// RFC 9110 §11.2. Taken only if nothing else stands in the element.
    fn token68(&mut self) -> Option<String> {
        let before = self.rest;
        let body = self.take_while(|b| b.is_ascii_alphanumeric() || b"-._~+/".contains(&b)).len();
        let padding = self.take_while(|b| b == b'=').len();
        if body > 0 && self.at_end_of_element() {
            return before.get(..body + padding).map(text);
        }
        self.rest = before;
        None
    }

    fn bare_value(&mut self) -> Option<String> {
        let value = self.take_while(|byte| byte.is_ascii_graphic() && !b"\",\\".contains(&byte));
        (!value.is_empty()).then(|| text(value))
    }

    /// The rest of a quoted-string (RFC 9110 §5.6.4) after its first quote. The outer `None` says
    /// that it never ends, the inner one that it holds a control character.
    fn quoted_string(&mut self) -> Option<Option<String>> {
        let mut value = Vec::new();
        let mut clean = true;
        loop {
            let (byte, rest) = self.rest.split_first()?;
            let (byte, rest) = match byte {
                b'"' => {
                    self.rest = rest;
                    return Some(clean.then(|| text(&value)));
                }
                b'\\' => rest.split_first()?,
                _ => (byte, rest),
            };
            clean &= *byte == b'\t' || !byte.is_ascii_control();
            value.push(*byte);
            self.rest = rest;
        }
    }

    fn take_while(&mut self, is: impl Fn(u8) -> bool) -> &[u8] {
        let end = self.rest.iter().position(|byte| !is(*byte)).unwrap_or(self.rest.len());
        let (taken, rest) = self.rest.split_at(end);
        self.rest = rest;
        taken
    }
}

/// Old servers send Latin-1 here and there; it is not worth losing the challenge over.
fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}
