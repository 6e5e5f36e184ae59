//! Recovery codes: each opens the account once, in place of the device that is lost.

use crate::keys::MasterKey;

/// How many there are at first.
const COUNT: usize = 10;
/// Letters and digits that cannot be mistaken for each other; 32 of them, so five bits each.
const LETTERS: &[u8; 32] = b"abcdefghjkmnpqrstuvwxyz023456789";
/// 50 bits.
const LENGTH: usize = 10;

/// New codes, as they are shown once.
pub(crate) fn new_codes() -> Vec<String> {
    (0..COUNT).map(|_| new_code()).collect()
}

fn new_code() -> String {
    let random: [u8; LENGTH] = rand::random();
    let letters: Vec<char> = random
        .iter()
        .filter_map(|byte| LETTERS.get(usize::from(byte % 32)))
        .map(|b| char::from(*b))
        .collect();
    let (one, two) = letters.split_at(LENGTH / 2);
    format!("{}-{}", String::from_iter(one), String::from_iter(two))
}

/// What is stored of a code, if the text could be one. Case, spaces and the dash do not matter. The hash is keyed: fifty
/// bits could be guessed by whoever has the database alone.
pub(crate) fn code_hash(key: &MasterKey, user_id: &str, text: &str) -> Option<String> {
    let code: String = text
        .chars()
        .filter(|c| !c.is_whitespace() && *c != '-')
        .map(|c| c.to_ascii_lowercase())
        .take(LENGTH + 1)
        .collect();
    let is_one = code.len() == LENGTH && code.bytes().all(|byte| LETTERS.contains(&byte));
    is_one.then(|| key.client_secret_hash(&format!("recovery code\0{user_id}\0{code}")))
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn codes_differ_and_are_read_however_they_are_typed() {
        let key = MasterKey::from_bytes([1; 32]);
        let codes: HashSet<String> = new_codes().into_iter().chain(new_codes()).collect();
        assert_eq!(codes.len(), 2 * COUNT);
        for code in codes {
            let hash = code_hash(&key, "ada", &code);
            assert!(hash.is_some(), "{code}");
            assert_eq!(hash, code_hash(&key, "ada", &format!(" {} ", code.to_uppercase().replace('-', " "))));
            assert_ne!(hash, code_hash(&key, "bob", &code));
            assert_ne!(hash, code_hash(&MasterKey::from_bytes([2; 32]), "ada", &code));
        }
        for text in ["", "123456", "aaaaa-aaaa", "aaaaa-aaaaaa", "aaaaa-aaaa1", "ääääääääää"] {
            assert_eq!(code_hash(&key, "ada", text), None, "{text}");
        }
    }
}
