//! One read transfer as a state machine: packets and time in, what to send out. It touches no
//! socket, no clock and no file; blocks are named by number and read by whoever sends them.
//!
//! Blocks count from 1 without wrapping; the wire carries the low 16 bits (65535 is followed by
//! 0). An acknowledgement in the middle of a window is a gap (RFC 7440 section 4): sending resumes
//! behind it. Whatever is sent again can be acknowledged again, and must not be sent again for that,
//! lest every packet be sent twice from then on ("sorcerer's apprentice", RFC 1123 section 4.2.3.1).

use std::time::Duration;

use crate::tftp::{ClientPacket, Negotiated, RoundTrip};

/// Give a silent client up after this.
const SILENCE: Duration = Duration::from_secs(30);

/// How a transfer ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// The last block is acknowledged.
    Complete,
    /// The client wanted to know the size only: UEFI ends such a transfer with an error.
    Probed,
    /// The client gave up.
    Aborted {
        /// Its error code.
        code: u16,
        /// Its text.
        message: String,
    },
    /// The client fell silent.
    TimedOut,
}

/// What to do next.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Action {
    /// Nothing before the deadline.
    Wait,
    /// Send the OACK.
    SendOack,
    /// Send these blocks.
    SendBlocks {
        /// Number of the first, from 1.
        first: u64,
        /// How many.
        count: u16,
    },
    /// The transfer is over.
    Finish(Outcome),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    Negotiating,
    Sending,
}

/// One transfer. Times are durations since any fixed moment.
#[derive(Clone, Debug)]
pub struct Transfer {
    phase: Phase,
    window: u16,
    /// Blocks in the whole file; the last is short or empty.
    blocks: u64,
    acked: u64,
    sent: u64,
    timer: RoundTrip,
    sent_at: Duration,
    /// What is outstanding was sent before: its round trip says nothing.
    resent: bool,
    /// A repeated acknowledgement says nothing: it can be the echo of what was sent again.
    echoes: bool,
    /// How often in a row the timer ran out.
    timeouts: u32,
    heard_at: Duration,
    deadline: Duration,
}

impl Transfer {
    /// Starts the transfer of `size` bytes on `terms` at `now`.
    pub fn start(terms: &Negotiated, size: u64, now: Duration) -> (Self, Action) {
        let mut transfer = Self {
            phase: Phase::Negotiating,
            window: terms.window_size.max(1),
            blocks: size / u64::from(terms.block_size.max(1)) + 1,
            acked: 0,
            sent: 0,
            timer: RoundTrip::new(terms.timeout),
            sent_at: now,
            resent: false,
            echoes: false,
            timeouts: 0,
            heard_at: now,
            deadline: now,
        };
        let action = if terms.accepted.is_empty() {
            transfer.phase = Phase::Sending;
            transfer.send_window(now, false)
        } else {
            transfer.outstanding(now, false);
            Action::SendOack
        };
        (transfer, action)
    }

    /// When [`Transfer::on_time`] wants to be called.
    pub fn deadline(&self) -> Duration {
        self.deadline
    }

    /// Takes a packet from the client.
    pub fn on_packet(&mut self, packet: &[u8], now: Duration) -> Action {
        match ClientPacket::parse(packet) {
            Some(ClientPacket::Ack(number)) => self.on_ack(number, now),
            Some(ClientPacket::Error { .. }) if self.phase == Phase::Negotiating => {
                Action::Finish(Outcome::Probed)
            }
            Some(ClientPacket::Error { code, message }) => {
                Action::Finish(Outcome::Aborted { code, message })
            }
            None => Action::Wait,
        }
    }

    /// Called at the deadline or later: sends again what is outstanding, first its last block only.
    ///
    /// That one is answered by whoever lacks it, or lacks one before it, or has it and was not
    /// heard; a client that answers a gap only once is sent the whole window the next time.
    pub fn on_time(&mut self, now: Duration) -> Action {
        if now < self.deadline {
            return Action::Wait;
        }
        if now.saturating_sub(self.heard_at) >= SILENCE {
            return Action::Finish(Outcome::TimedOut);
        }
        self.timer.back_off();
        self.timeouts += 1;
        self.outstanding(now, true);
        if self.phase == Phase::Negotiating {
            return Action::SendOack;
        }
        self.echoes = false;
        let first = match self.is_blind() {
            true => self.acked + 1,
            false => self.sent,
        };
        self.send_from(first)
    }

    /// The whole window was sent again without knowing what is missing.
    fn is_blind(&self) -> bool {
        self.timeouts > 0 && self.timeouts.is_multiple_of(2)
    }

    fn on_ack(&mut self, number: u16, now: Duration) -> Action {
        if self.phase == Phase::Negotiating {
            if number != 0 {
                return Action::Wait;
            }
            self.heard(now);
            self.echoes = self.resent;
            self.phase = Phase::Sending;
            return self.send_window(now, false);
        }
        self.heard_at = now;
        let ahead = u64::from(number.wrapping_sub(low_16(self.acked)));
        if ahead > self.sent - self.acked {
            return Action::Wait;
        }
        if ahead == 0 {
            if self.window == 1 || self.echoes {
                return Action::Wait;
            }
            self.echoes = true;
            return self.send_window(now, true);
        }
        let (gap, sent) = (self.acked + ahead < self.sent, self.sent);
        let blind = self.is_blind();
        self.acked += ahead;
        self.heard(now);
        self.echoes = gap || self.resent;
        if self.acked == self.blocks {
            return Action::Finish(Outcome::Complete);
        }
        let window = self.send_window(now, gap);
        match gap && blind {
            // The client says where it is: what follows is under way already.
            true => self.send_from(sent + 1),
            false => window,
        }
    }

    fn heard(&mut self, now: Duration) {
        self.heard_at = now;
        self.timeouts = 0;
        if self.resent {
            self.timer.heard();
        } else {
            self.timer.measured(now.saturating_sub(self.sent_at));
        }
    }

    /// Makes the window behind what is acknowledged outstanding, and sends it.
    fn send_window(&mut self, now: Duration, resent: bool) -> Action {
        let left = self.blocks - self.acked;
        self.sent = self.acked + left.min(u64::from(self.window));
        self.outstanding(now, resent);
        self.send_from(self.acked + 1)
    }

    /// Sends what is outstanding from `first` on.
    fn send_from(&self, first: u64) -> Action {
        match u16::try_from((self.sent + 1).saturating_sub(first)) {
            Ok(count @ 1..) => Action::SendBlocks { first, count },
            _ => Action::Wait,
        }
    }

    fn outstanding(&mut self, now: Duration, resent: bool) {
        self.resent = resent;
        self.sent_at = now;
        self.deadline = now + self.timer.timeout();
    }
}

/// The number of a block as the wire carries it.
pub(super) fn low_16(block: u64) -> u16 {
    let [.., high, low] = block.to_be_bytes();
    u16::from_be_bytes([high, low])
}

#[cfg(test)]
mod network;
#[cfg(test)]
mod tests;
