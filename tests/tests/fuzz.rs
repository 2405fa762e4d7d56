//! The fuzz targets over their seeds and over mutations of them: a bounded, repeatable look in
//! every test run. `make fuzz` searches with coverage, for as long as one likes.

#![expect(
    clippy::unwrap_used,
    reason = "test set-up; whatever fails is a finding"
)]

use std::fs;

use tests::fuzz::TARGETS;
use tests::programs::repository;

/// Mutations of each seed.
const ROUNDS: usize = 200;
/// What parsers look for; pieces of it are put into the seeds.
const WORDS: [&[u8]; 12] = [
    b"{\"",
    b"\":",
    b"[[",
    b"]}",
    b"null",
    b"&a ",
    b"*a",
    b"<<: ",
    b"\xff\xfe",
    b"070701",
    b"EFI PART",
    b"\0\0\0\0",
];

/// Marsaglia's xorshift64: repeatable on every machine.
struct Dice(u64);

impl Dice {
    fn below(&mut self, limit: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        usize::try_from(self.0 % limit.max(1) as u64).unwrap()
    }

    fn mutate(&mut self, seed: &[u8]) -> Vec<u8> {
        let mut bytes = seed.to_vec();
        for _ in 0..=self.below(4) {
            let at = self.below(bytes.len() + 1);
            match self.below(5) {
                0 => bytes.truncate(at),
                1 => {
                    if let Some(byte) = bytes.get_mut(at) {
                        *byte ^= 1 << self.below(8);
                    }
                }
                2 => {
                    let word = WORDS[self.below(WORDS.len())];
                    bytes.splice(at..at, word.iter().copied());
                }
                3 => {
                    let end = (at + self.below(64)).min(bytes.len());
                    let part = bytes[at..end].to_vec();
                    bytes.splice(at..at, part);
                }
                _ => {
                    let end = (at + self.below(64)).min(bytes.len());
                    bytes.drain(at..end);
                }
            }
        }
        bytes
    }
}

#[test]
fn every_target_keeps_its_promises_over_its_seeds_and_their_mutations() {
    let mut names: Vec<_> = TARGETS
        .iter()
        .map(|target| target.name.to_owned())
        .collect();
    for target in TARGETS {
        let folder = repository().join("tests/fuzz/seeds").join(target.name);
        let mut seeds: Vec<_> = fs::read_dir(&folder)
            .unwrap_or_else(|error| panic!("{}: {error}", folder.display()))
            .map(|entry| entry.unwrap().path())
            .collect();
        seeds.sort();
        assert!(!seeds.is_empty(), "{} has no seeds", target.name);
        for path in seeds {
            let seed = fs::read(&path).unwrap();
            (target.run)(&seed);
            let mut dice = Dice(0x9e37_79b9_7f4a_7c15);
            for _ in 0..ROUNDS {
                (target.run)(&dice.mutate(&seed));
            }
        }
    }
    names.sort();
    let mut folders: Vec<_> = fs::read_dir(repository().join("tests/fuzz/seeds"))
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    folders.sort();
    assert_eq!(folders, names, "each folder of seeds belongs to a target");
}
