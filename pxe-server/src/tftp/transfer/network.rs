//! A transfer over a modelled network that takes time and loses packets, to the clients that are
//! found in the field: what arrives, and how much is sent for it.

use std::collections::VecDeque;

use proptest::prelude::*;

use super::tests::terms;
use super::*;

/// One way.
const LATENCY: Duration = Duration::from_micros(100);
/// How long a client waits before it repeats itself.
const PATIENCE: Duration = Duration::from_secs(1);

/// What a client answers to a block that it does not wait for.
#[derive(Clone, Copy, Debug)]
pub(super) enum Client {
    /// Every one, as EDK2's does.
    Chatty,
    /// The first after one in order, as RFC 7440 has it.
    Exact,
    /// The first for each number that it waits for, as U-Boot's does.
    Terse,
}

struct Receiver {
    client: Client,
    window: u64,
    blocks: u64,
    received: u64,
    in_window: u64,
    answered: Option<u64>,
}

impl Receiver {
    fn take(&mut self, block: u64) -> Option<u64> {
        if block != self.received + 1 {
            let is_new = self.answered != Some(self.received);
            self.answered = Some(self.received);
            self.in_window = 0;
            return (is_new || matches!(self.client, Client::Chatty)).then_some(self.received);
        }
        self.received += 1;
        self.in_window += 1;
        if matches!(self.client, Client::Exact) {
            self.answered = None;
        }
        if self.in_window < self.window && self.received < self.blocks {
            return None;
        }
        self.in_window = 0;
        Some(self.received)
    }
}

/// Runs a transfer of `size` bytes to `client` over a network that loses by `lose`; gives the number
/// of blocks sent.
pub(super) fn run(
    size: u64,
    terms: &Negotiated,
    client: Client,
    mut lose: impl FnMut() -> bool,
) -> (Outcome, u64) {
    let (mut transfer, mut action) = Transfer::start(terms, size, Duration::ZERO);
    let mut receiver = Receiver {
        client,
        window: terms.window_size.into(),
        blocks: size / u64::from(terms.block_size) + 1,
        received: 0,
        in_window: 0,
        answered: None,
    };
    let (mut now, mut sent) = (Duration::ZERO, 0);
    let mut spoke = (now, 0);
    // The OACK travels as block 0.
    let (mut blocks, mut acks) = (VecDeque::new(), VecDeque::new());
    loop {
        let out = match action {
            Action::Finish(outcome) => {
                assert!(outcome != Outcome::Complete || receiver.received == receiver.blocks);
                return (outcome, sent);
            }
            Action::SendOack => 0..1,
            Action::SendBlocks { first, count } => {
                sent += u64::from(count);
                first..first + u64::from(count)
            }
            Action::Wait => 0..0,
        };
        blocks.extend(out.filter(|_| !lose()).map(|block| (now + LATENCY, block)));
        action = loop {
            let block_at = blocks.front().map(|(at, _)| *at);
            let ack_at = acks.front().map(|(at, _)| *at);
            let again_at = spoke.0 + PATIENCE;
            let next = [block_at, ack_at, Some(again_at), Some(transfer.deadline())];
            now = next.into_iter().flatten().min().unwrap().max(now);
            let answer = if block_at == Some(now) {
                let (_, block) = blocks.pop_front().unwrap();
                match block {
                    0 => (receiver.received == 0).then_some(0),
                    block => receiver.take(block),
                }
            } else if ack_at == Some(now) {
                let (_, number) = acks.pop_front().unwrap();
                break transfer.on_packet(&ack(number), now);
            } else if again_at <= now {
                Some(spoke.1)
            } else {
                break transfer.on_time(now);
            };
            if let Some(number) = answer {
                spoke = (now, number);
                if !lose() {
                    acks.push_back((now + LATENCY, number));
                }
            }
        };
    }
}

fn ack(block: u64) -> [u8; 4] {
    let [high, low] = low_16(block).to_be_bytes();
    [0, 4, high, low]
}

/// Loses `percent` of all packets, by SplitMix64: no period that a window could fall in step with.
fn losing(percent: u64, mut state: u64) -> impl FnMut() -> bool {
    move || {
        state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (state ^ (state >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (mixed ^ (mixed >> 31)) % 100 < percent
    }
}

const CLIENTS: [Client; 3] = [Client::Chatty, Client::Exact, Client::Terse];

#[test]
fn one_lost_packet_does_not_double_the_transfer() {
    let size = 1_000_000;
    for window in ["2", "8", "64"] {
        let terms = terms(&[("windowsize", window)], size);
        for client in CLIENTS {
            for lost in 1..200 {
                let mut packet = 0;
                let lose = || {
                    packet += 1;
                    packet == lost
                };
                let (outcome, sent) = run(size, &terms, client, lose);
                let surplus = sent - (size / 512 + 1);
                let case = format!("{client:?}, window {window}, packet {lost}");
                assert_eq!(outcome, Outcome::Complete, "{case}");
                assert!(
                    surplus <= 2 * u64::from(terms.window_size),
                    "{case}: {surplus}"
                );
            }
        }
    }
}

#[test]
fn a_hundredth_lost_costs_less_than_a_fifth_more_packets() {
    let size = 4 << 20;
    let terms = terms(&[("blksize", "1428"), ("windowsize", "8")], size);
    for client in CLIENTS {
        let runs = (0..20u64).map(|seed| run(size, &terms, client, losing(1, seed)).1);
        let needed = 20.0 * (size / 1428 + 1) as f64;
        let ratio = runs.sum::<u64>() as f64 / needed;
        assert!(ratio < 1.2, "{client:?}: {ratio}");
    }
}

proptest! {
    #[test]
    fn up_to_a_fifth_of_all_packets_lost_ends_complete(
        size in 0u64..200_000,
        window in 1u16..70,
        client in prop::sample::select(CLIENTS.to_vec()),
        seed: u64,
        percent in 0u64..20,
    ) {
        let terms = terms(&[("windowsize", &window.to_string())], size);
        let (outcome, _) = run(size, &terms, client, losing(percent, seed));
        prop_assert_eq!(outcome, Outcome::Complete);
    }
}
