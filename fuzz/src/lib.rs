//! Fuzz targets: one for each parser of what strangers send.
//!
//! A target is a function from bytes to nothing that panics where its property does not hold. "Does not panic" is the
//! least of it: each module says what else. `cargo xtask fuzz` runs them under libFuzzer, guided by coverage;
//! `cargo xtask test fuzz` runs all seeds and blind changes of them ([`blind`]), with no build of its own.
//!
//! Inner parsers are reached through the feature `fuzzing` of their crates rather than `cfg(fuzzing)`: so every build of
//! the workspace compiles and lints the targets, and what is fuzzed is what ships.
#![allow(
    clippy::expect_used,
    clippy::panic,
    clippy::unwrap_used,
    reason = "a target says what it found by panicking"
)]

pub mod blind;
pub mod events;
pub mod keys;
pub mod protected;
pub mod signature;
pub mod twins;

/// One target.
#[derive(Clone, Copy, Debug)]
pub struct Target {
    /// Its name: that of its module, its program, its seeds and its dictionary.
    pub name: &'static str,
    /// Takes one input; panics where the property does not hold.
    pub check: fn(&[u8]),
}

macro_rules! targets {
    ($($name:ident),* $(,)?) => {
        $(pub mod $name;)*

        /// All of them.
        pub const TARGETS: &[Target] = &[$(Target { name: stringify!($name), check: $name::check }),*];
    };
}

targets![
    authorization,
    authorization_response,
    challenge,
    client_authentication,
    client_cert,
    client_document,
    client_events,
    client_metadata,
    digest,
    dpop_proof,
    form,
    forwarded,
    identifiers,
    json,
    json_rpc,
    jwks,
    jwt,
    listing,
    metadata,
    passkey,
    proxy_header,
    redirect_uri,
    registration,
    scim,
    security_event,
    token_response,
];

/// The parts of an input that stand on lines of their own: the first `N - 1` lines, and the rest.
#[must_use]
pub fn lines<const N: usize>(data: &[u8]) -> [&[u8]; N] {
    let mut parts = data.splitn(N, |byte| *byte == b'\n');
    std::array::from_fn(|_| parts.next().unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;

    /// A target that nobody runs, or runs without seeds, is none.
    #[test]
    fn every_target_has_a_program_and_seeds() {
        let here = Path::new(env!("CARGO_MANIFEST_DIR"));
        let manifest = std::fs::read_to_string(here.join("Cargo.toml")).unwrap();
        for Target { name, .. } in TARGETS {
            assert!(manifest.contains(&format!("path = \"fuzz_targets/{name}.rs\"")), "{name}");
            let program = std::fs::read_to_string(here.join(format!("fuzz_targets/{name}.rs"))).unwrap();
            assert!(program.contains(&format!("hallpass_fuzz::{name}::check(data)")), "{name}");
            assert!(blind::seeds(name).unwrap().len() > 1, "{name}");
        }
        assert_eq!(std::fs::read_dir(here.join("fuzz_targets")).unwrap().count(), TARGETS.len());
        assert_eq!(std::fs::read_dir(here.join("seeds")).unwrap().count(), TARGETS.len());
    }

    #[test]
    fn lines_are_cut_off_the_front() {
        assert_eq!(lines::<3>(b"a\nb\nc\nd"), [b"a".as_slice(), b"b", b"c\nd"]);
        assert_eq!(lines::<2>(b"a"), [b"a".as_slice(), b""]);
    }
}
