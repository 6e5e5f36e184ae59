//! Reading challenges: a hand-written scanner, since the grammar of RFC 9110 §11.6.1 is ambiguous
//! at each comma and only a look ahead tells a new challenge from one more parameter.

use http::{HeaderMap, header::WWW_AUTHENTICATE};

use super::scanner::Scanner;
use super::{Challenge, Content};

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
        return give_up(scanner, Element::Foreign);
    };
    scanner.spaces();
    if !scanner.eat(b'=') {
        return give_up(scanner, Element::Foreign);
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
        return give_up(scanner, Element::BadValue);
    }
    Element::Param(name, value.unwrap_or_default())
}

/// Skips to the next comma outside of quotes.
fn give_up(scanner: &mut Scanner<'_>, element: Element) -> Element {
    loop {
        scanner.take_while(|byte| !matches!(byte, b',' | b'"'));
        if !scanner.eat(b'"') {
            return element;
        }
        if scanner.quoted_string().is_none() {
            return Element::Unterminated;
        }
    }
}

fn add(current: &mut Option<Challenge>, name: String, value: String) {
    if let Some(Challenge { content: Content::Params(params), .. }) = current {
        let known = params.iter().any(|(known, _)| known.eq_ignore_ascii_case(&name));
        if !known && params.len() < MAX_ITEMS {
            params.push((name, value));
        }
    }
}
