//! A check at work: a thread of its own takes the image's bytes from a queue, so that decoding
//! does not wait for it as long as the queue has room.

use std::io::{self, Read};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::thread::JoinHandle;
use std::time::Duration;

use embed::digest::Sha256Digest;
use sha2::{Digest as _, Sha256};

use super::gpg::Signer;
use super::{Basis, Check, Trust, Verified, VerifyError};
use crate::cancel::Cancel;
use crate::pipeline::Block;

/// How often a waiting check looks whether it should stop.
const POLL: Duration = Duration::from_millis(100);

enum Message {
    Bytes(Arc<Block>),
    End,
}

/// The way in. Dropping it without [`Feed::end`] means that the source broke off.
///
/// Not bounded itself: the blocks come from a pool, which is.
pub(crate) struct Feed(Sender<Message>);

impl Feed {
    /// The next bytes of the source.
    pub(crate) fn bytes(&self, block: &Arc<Block>) {
        // A check that gave up early says why when it is asked for its verdict.
        let _ = self.0.send(Message::Bytes(Arc::clone(block)));
    }

    /// There are no more bytes: the source was read to its end.
    pub(crate) fn end(self) {
        let _ = self.0.send(Message::End);
    }
}

/// A check whose verdict is still to come.
#[derive(Debug)]
pub(crate) struct Running {
    name: String,
    thread: JoinHandle<Result<Verified, VerifyError>>,
}

impl Running {
    /// Waits for the verdict.
    pub(crate) fn verdict(self) -> Result<Verified, VerifyError> {
        self.thread
            .join()
            .unwrap_or(Err(VerifyError::Incomplete { name: self.name }))
    }
}

impl Check {
    /// Starts the check. It ends at [`Feed::end`], when the feed is dropped, or soon after `stop`.
    pub(crate) fn start(self, stop: Cancel) -> (Feed, Running) {
        let (sender, receiver) = channel();
        let name = self.name.clone();
        let thread = std::thread::spawn(move || self.run(&mut Tap::new(receiver, stop)));
        (Feed(sender), Running { name, thread })
    }

    fn run(self, tap: &mut Tap) -> Result<Verified, VerifyError> {
        if self.digest.is_some() {
            tap.hasher = Some(Sha256::new());
        }
        let verdict = match &self.basis {
            Basis::Signature { gpg, signature } => Some(gpg.verify(signature, &mut *tap)),
            Basis::Digest | Basis::InsecureChoice => None,
        };
        // gpg may stop reading before the end; the verdict is about all bytes or about none.
        tap.drain();
        if !tap.ended {
            return Err(VerifyError::Incomplete { name: self.name });
        }
        let bytes = tap.bytes;
        let signer = verdict
            .map(|v| v.map_err(|e| e.name(&self.name, bytes)))
            .transpose()?;
        let digest = self.check_digest(tap)?;
        let trust = match (signer, self.basis, digest) {
            (Some(Signer { key, user, time }), ..) => Trust::Signature { key, user, time },
            (None, Basis::Digest, Some(digest)) => Trust::Digest(digest),
            (None, Basis::InsecureChoice, _) => Trust::InsecureChoice,
            (None, ..) => return Err(VerifyError::Incomplete { name: self.name }),
        };
        Ok(Verified { trust, bytes })
    }

    fn check_digest(&self, tap: &mut Tap) -> Result<Option<Sha256Digest>, VerifyError> {
        let (Some(want), Some(hasher)) = (self.digest, tap.hasher.take()) else {
            return Ok(None);
        };
        let got = Sha256Digest::finish(hasher);
        if got == want {
            Ok(Some(got))
        } else {
            Err(VerifyError::Digest {
                name: self.name.clone(),
                want,
                got,
            })
        }
    }
}

/// The queue's far end as a reader that counts and hashes what passes.
pub(super) struct Tap {
    queue: Receiver<Message>,
    stop: Cancel,
    block: Option<Arc<Block>>,
    used: usize,
    bytes: u64,
    hasher: Option<Sha256>,
    ended: bool,
}

impl Tap {
    fn new(queue: Receiver<Message>, stop: Cancel) -> Self {
        Self {
            queue,
            stop,
            block: None,
            used: 0,
            bytes: 0,
            hasher: None,
            ended: false,
        }
    }

    /// Whether there is a block with unread bytes, waiting for one; `false` at the end.
    fn advance(&mut self) -> bool {
        loop {
            if self
                .block
                .as_ref()
                .is_some_and(|block| self.used < block.bytes().len())
            {
                return true;
            }
            self.block = None;
            if self.ended || self.stop.is_cancelled() {
                return false;
            }
            match self.queue.recv_timeout(POLL) {
                Ok(Message::Bytes(block)) => {
                    self.bytes = self.bytes.saturating_add(block.bytes().len() as u64);
                    if let Some(hasher) = &mut self.hasher {
                        hasher.update(block.bytes());
                    }
                    self.block = Some(block);
                    self.used = 0;
                }
                Ok(Message::End) => self.ended = true,
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => return false,
            }
        }
    }

    fn drain(&mut self) {
        while self.advance() {
            self.block = None;
        }
    }
}

impl Read for Tap {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        if !self.advance() {
            return Ok(0);
        }
        let rest = self
            .block
            .as_ref()
            .and_then(|b| b.bytes().get(self.used..))
            .unwrap_or_default();
        let n = rest.len().min(buf.len());
        if let (Some(to), Some(from)) = (buf.get_mut(..n), rest.get(..n)) {
            to.copy_from_slice(from);
        }
        self.used += n;
        Ok(n)
    }
}
