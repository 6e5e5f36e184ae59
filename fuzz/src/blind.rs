//! Runs a target without libFuzzer: first its seeds, then blind changes of them, the same and in the same order in every
//! run. It finds less than coverage does, and needs no build but the workspace's own.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};
use std::{fs, io};

use crate::Target;

/// Longer inputs say nothing new.
const LONGEST: usize = 4096;

/// How far a run goes beyond the seeds.
#[derive(Clone, Copy, Debug)]
pub enum Until {
    /// So many changed inputs: the same in every run, however fast the machine is.
    Inputs(usize),
    /// So long.
    Time(Duration),
}

/// What a run came to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Tried {
    /// Inputs that were seeds.
    pub seeds: usize,
    /// Inputs that were changed ones.
    pub changed: usize,
}

/// An input that breaks its target's property.
#[derive(Debug)]
pub struct Finding {
    /// The input.
    pub input: Vec<u8>,
    /// Where it came from.
    pub from: String,
}

/// The folder of this crate.
fn here() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// The seeds of a target, by name.
///
/// # Errors
/// Where they cannot be read.
pub fn seeds(target: &str) -> io::Result<Vec<(PathBuf, Vec<u8>)>> {
    let files = fs::read_dir(here().join("seeds").join(target))?;
    let mut paths = files.map(|file| Ok(file?.path())).collect::<io::Result<Vec<_>>>()?;
    paths.sort();
    paths.into_iter().map(|path| fs::read(&path).map(|bytes| (path, bytes))).collect()
}

/// The words of a target's dictionary, which is in libFuzzer's form: a quoted text a line.
///
/// # Errors
/// Where it is there and cannot be read.
pub fn words(target: &str) -> io::Result<Vec<Vec<u8>>> {
    let path = here().join("dictionaries").join(format!("{target}.dict"));
    let text = if path.exists() { fs::read_to_string(path)? } else { String::new() };
    Ok(text.lines().filter_map(word).collect())
}

fn word(line: &str) -> Option<Vec<u8>> {
    let quoted = line.trim().strip_prefix('"')?.strip_suffix('"')?;
    let mut bytes = quoted.bytes();
    let mut word = Vec::new();
    while let Some(byte) = bytes.next() {
        word.push(match byte {
            b'\\' => match bytes.next()? {
                b'x' => {
                    let digits = [bytes.next()?, bytes.next()?];
                    u8::from_str_radix(std::str::from_utf8(&digits).ok()?, 16).ok()?
                }
                escaped => escaped,
            },
            byte => byte,
        });
    }
    Some(word)
}

/// Runs a target for as far as it is told to; its seeds in any case.
///
/// # Errors
/// The first input that breaks the property.
///
/// # Panics
/// Where there are no seeds, or no dictionary can be read.
pub fn run(target: &Target, until: Until) -> Result<Tried, Finding> {
    let start = Instant::now();
    let seeds = seeds(target.name).expect("seeds");
    let words = words(target.name).expect("a dictionary");
    let mut tried = Tried::default();
    for (path, input) in &seeds {
        attempt(target, input, || path.display().to_string())?;
        tried.seeds += 1;
    }
    let mut chance = Chance(0x9e37_79b9_7f4a_7c15);
    let goes_on = |changed| match until {
        Until::Inputs(enough) => changed < enough,
        Until::Time(enough) => start.elapsed() < enough,
    };
    while goes_on(tried.changed) {
        let mut input = seeds[chance.below(seeds.len())].1.clone();
        for _ in 0..=chance.below(4) {
            change(&mut input, &mut chance, &seeds, &words);
        }
        input.truncate(LONGEST);
        attempt(target, &input, || format!("change {}", tried.changed))?;
        tried.changed += 1;
    }
    Ok(tried)
}

fn attempt(target: &Target, input: &[u8], from: impl FnOnce() -> String) -> Result<(), Finding> {
    let check = AssertUnwindSafe(|| (target.check)(input));
    catch_unwind(check).map_err(|_| Finding { input: input.to_vec(), from: from() })
}

fn change(input: &mut Vec<u8>, chance: &mut Chance, seeds: &[(PathBuf, Vec<u8>)], words: &[Vec<u8>]) {
    let at = chance.below(input.len() + 1);
    match chance.below(8) {
        0 => input.truncate(at),
        1 => drop(input.drain(at..(at + 1 + chance.below(8)).min(input.len()))),
        2 => input.insert(at, chance.byte()),
        3 if !words.is_empty() => insert(input, at, &words[chance.below(words.len())]),
        4 => {
            let other = &seeds[chance.below(seeds.len())].1;
            input.truncate(at);
            input.extend_from_slice(&other[chance.below(other.len() + 1)..]);
        }
        5 => {
            let copy = input[at..(at + chance.below(32)).min(input.len())].to_vec();
            let to = chance.below(input.len() + 1);
            insert(input, to, &copy);
        }
        6 => {
            if let Some(byte) = input.get_mut(at) {
                *byte ^= 1 << chance.below(8);
            }
        }
        _ => {
            if let Some(byte) = input.get_mut(at) {
                *byte = chance.byte();
            }
        }
    }
}

fn insert(input: &mut Vec<u8>, at: usize, bytes: &[u8]) {
    input.splice(at..at, bytes.iter().copied());
}

/// Marsaglia's xorshift: all that blind changes need.
struct Chance(u64);

impl Chance {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }

    fn below(&mut self, end: usize) -> usize {
        let end = u64::try_from(end).unwrap_or(u64::MAX).max(1);
        usize::try_from(self.next() % end).unwrap_or(0)
    }

    fn byte(&mut self) -> u8 {
        self.next().to_le_bytes()[3]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_read_as_libfuzzer_reads_them() {
        assert_eq!(word(r#""a\"\\\x0a""#).unwrap(), b"a\"\\\n");
        assert_eq!(word("# a note"), None);
        assert_eq!(word(""), None);
    }

    #[test]
    fn every_seed_holds() {
        for target in crate::TARGETS {
            let tried =
                run(target, Until::Inputs(0)).unwrap_or_else(|found| panic!("{}: {found:?}", target.name));
            assert_eq!(tried.seeds, seeds(target.name).unwrap().len());
        }
    }

    /// A fuzzer that finds nothing proves nothing: this one finds what is there.
    #[test]
    fn a_broken_property_is_found() {
        std::panic::set_hook(Box::new(|_| {}));
        let broken = Target { name: "challenge", check: |input| assert!(!input.ends_with(b",")) };
        let finding = run(&broken, Until::Time(Duration::from_secs(60))).unwrap_err();
        assert!(finding.input.ends_with(b","), "{finding:?}");
    }
}
