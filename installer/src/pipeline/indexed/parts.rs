//! Digests of the parts of an xz file, from its bytes in order: what comes before the blocks, each
//! block, and what comes after them. What an xz file is, is not known here.

use embed::digest::Sha256Digest;
use embed::xz::Block;
use sha2::{Digest as _, Sha256};

/// One for each part; none where nothing was hashed.
pub(super) type Digests = Vec<Option<Sha256Digest>>;

/// Hashes the parts of a file as it is read in order.
pub(super) struct Parts {
    /// Where each part ends, from the last to the first; the last part has no end.
    ends: Vec<u64>,
    at: u64,
    hasher: Option<Sha256>,
    digests: Digests,
}

impl Parts {
    /// Those of a file with these blocks; nothing is hashed unless wanted.
    pub(super) fn of(blocks: &[Block], hash: bool) -> Self {
        let ends = blocks.iter().rev().map(Block::end);
        let first = blocks.first().map_or(0, |block| block.offset);
        Self {
            ends: ends.chain([first]).collect(),
            at: 0,
            hasher: hash.then(Sha256::new),
            digests: Vec::new(),
        }
    }

    /// The next bytes of the file.
    pub(super) fn add(&mut self, mut bytes: &[u8]) {
        if self.hasher.is_none() {
            return;
        }
        while let Some(end) = self.ends.last().copied() {
            let left = usize::try_from(end.saturating_sub(self.at)).unwrap_or(usize::MAX);
            let Some((part, rest)) = bytes.split_at_checked(left) else {
                break;
            };
            self.hash(part);
            self.ends.pop();
            self.close();
            bytes = rest;
        }
        self.hash(bytes);
    }

    fn hash(&mut self, bytes: &[u8]) {
        self.at = self.at.saturating_add(bytes.len() as u64);
        if let Some(hasher) = &mut self.hasher {
            hasher.update(bytes);
        }
    }

    fn close(&mut self) {
        let hasher = self.hasher.as_mut().map(std::mem::take);
        self.digests.push(hasher.map(Sha256Digest::finish));
    }

    /// The digests, at the end of the file.
    pub(super) fn finish(mut self) -> Digests {
        while self.ends.pop().is_some() {
            self.close();
        }
        self.close();
        self.digests
    }
}
