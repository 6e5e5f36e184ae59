//! The small words of the grammar, over bytes.

use super::is_token_byte;

/// What is left of a field.
pub(super) struct Scanner<'a> {
    pub(super) rest: &'a [u8],
}

impl Scanner<'_> {
    /// Skips commas and white space; false at the end of the field.
    pub(super) fn next_element(&mut self) -> bool {
        self.take_while(|byte| matches!(byte, b' ' | b'\t' | b','));
        !self.rest.is_empty()
    }

    pub(super) fn at_end_of_element(&self) -> bool {
        let rest = self.rest.iter().find(|byte| !matches!(byte, b' ' | b'\t'));
        matches!(rest, None | Some(b','))
    }

    pub(super) fn eat(&mut self, byte: u8) -> bool {
        let (is, rest) = match self.rest.split_first() {
            Some((first, rest)) if *first == byte => (true, rest),
            _ => (false, self.rest),
        };
        self.rest = rest;
        is
    }

    pub(super) fn spaces(&mut self) -> bool {
        !self.take_while(|byte| matches!(byte, b' ' | b'\t')).is_empty()
    }

    pub(super) fn token(&mut self) -> Option<String> {
        let token = self.take_while(is_token_byte);
        (!token.is_empty()).then(|| text(token))
    }

    /// RFC 9110 §11.2. Taken only if nothing else stands in the element.
    pub(super) fn token68(&mut self) -> Option<String> {
        let before = self.rest;
        let body = self.take_while(|b| b.is_ascii_alphanumeric() || b"-._~+/".contains(&b)).len();
        let padding = self.take_while(|b| b == b'=').len();
        if body > 0 && self.at_end_of_element() {
            return before.get(..body + padding).map(text);
        }
        self.rest = before;
        None
    }

    pub(super) fn bare_value(&mut self) -> Option<String> {
        let value = self.take_while(|byte| byte.is_ascii_graphic() && !b"\",\\".contains(&byte));
        (!value.is_empty()).then(|| text(value))
    }

    /// The rest of a quoted-string (RFC 9110 §5.6.4) after its first quote. The outer `None` says
    /// that it never ends, the inner one that it holds a control character.
    pub(super) fn quoted_string(&mut self) -> Option<Option<String>> {
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

    pub(super) fn take_while(&mut self, is: impl Fn(u8) -> bool) -> &[u8] {
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
