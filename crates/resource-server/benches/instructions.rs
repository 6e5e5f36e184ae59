//! One thing, so many times, for whoever counts instructions: `cargo xtask bench instructions`.
#![allow(clippy::unwrap_used)] // A benchmark that can't be set up has failed.

mod protected;

use std::hint::black_box;

use hallpass_resource_server::json_rpc::peek;
use hallpass_testkit::issuer::TestIssuer;
use protected::{Bare, calls, server, server_with, token};

/// As many tokens are made each time, so that making them takes as many instructions each time.
const TOKENS: usize = 101;

fn main() {
    let mut arguments = std::env::args().skip(1);
    let what = arguments.next().unwrap_or_default();
    // A test runner that asks for tests is told that there are none.
    let Some(times) = arguments.next().and_then(|times| times.parse().ok()) else { return };
    let issuer = TestIssuer::new("https://login.example.com");
    let tokens: Vec<String> = (0..TOKENS).map(|n| token(&issuer, n)).collect();
    let server = server(&issuer, TOKENS);
    let mut new = server.clone();
    let verified = server.verify(&tokens[0]).unwrap();
    let (bare, parts) =
        (Bare::of(&issuer), tokens.iter().map(|token| Bare::parts(token)).collect::<Vec<_>>());
    let calls = calls();
    for n in 0..times {
        match what.as_str() {
            "bare" => bare.check(&parts[1 + n % (TOKENS - 1)]),
            "cold" => {
                // One that has seen none of them, once it has seen them all.
                let at = n % (TOKENS - 1);
                if at == 0 {
                    new = server_with(&issuer, TOKENS, Vec::new());
                }
                drop(black_box(new.verify(&tokens[1 + at]).unwrap()));
            }
            "cached" => drop(black_box(server.verify(&tokens[0]).unwrap())),
            "policy" => {
                let messages = peek(calls[n % calls.len()].as_bytes()).unwrap();
                server.judge(&messages, verified.caller()).unwrap();
            }
            _ => return,
        }
    }
}
