//! Transfers without sockets: loss, gaps, probes, silence, and clients that lie.

use proptest::prelude::*;

use super::*;
use crate::tftp::{Limits, negotiate};

fn terms(options: &[(&str, &str)], size: u64) -> Negotiated {
    let options: Vec<_> = options
        .iter()
        .map(|(n, v)| ((*n).to_owned(), (*v).to_owned()))
        .collect();
    negotiate(&options, size, Limits::default())
}

fn ms(n: u64) -> Duration {
    Duration::from_millis(n)
}

fn ack(block: u64) -> [u8; 4] {
    let [high, low] = low_16(block).to_be_bytes();
    [0, 4, high, low]
}

const ERROR_8: &[u8] = b"\0\x05\0\x08User aborted\0";

#[test]
fn lockstep_without_options_starts_with_data_and_ends_with_an_empty_block() {
    let (mut transfer, first) = Transfer::start(&terms(&[], 1024), 1024, ms(0));
    assert_eq!(first, Action::SendBlocks { first: 1, count: 1 });
    assert_eq!(
        transfer.on_packet(&ack(1), ms(1)),
        Action::SendBlocks { first: 2, count: 1 }
    );
    assert_eq!(
        transfer.on_packet(&ack(2), ms(2)),
        Action::SendBlocks { first: 3, count: 1 }
    );
    assert_eq!(
        transfer.on_packet(&ack(3), ms(3)),
        Action::Finish(Outcome::Complete)
    );
}

#[test]
fn a_size_probe_is_not_a_failure_but_an_abort_later_is() {
    let options = terms(&[("tsize", "0")], 10);
    let (mut transfer, first) = Transfer::start(&options, 10, ms(0));
    assert_eq!(first, Action::SendOack);
    assert_eq!(
        transfer.on_packet(ERROR_8, ms(1)),
        Action::Finish(Outcome::Probed)
    );

    let (mut transfer, _) = Transfer::start(&options, 10, ms(0));
    transfer.on_packet(&ack(0), ms(1));
    let aborted = Outcome::Aborted {
        code: 8,
        message: "User aborted".into(),
    };
    assert_eq!(transfer.on_packet(ERROR_8, ms(2)), Action::Finish(aborted));
}

#[test]
fn a_gap_resumes_behind_the_last_block_in_order() {
    let options = terms(&[("windowsize", "4")], 512 * 10);
    let (mut transfer, _) = Transfer::start(&options, 512 * 10, ms(0));
    assert_eq!(
        transfer.on_packet(&ack(0), ms(1)),
        Action::SendBlocks { first: 1, count: 4 }
    );
    assert_eq!(
        transfer.on_packet(&ack(2), ms(2)),
        Action::SendBlocks { first: 3, count: 4 }
    );
    assert_eq!(
        transfer.on_packet(&ack(1), ms(3)),
        Action::Wait,
        "older than what is confirmed"
    );
    assert_eq!(
        transfer.on_packet(&ack(6), ms(4)),
        Action::SendBlocks { first: 7, count: 4 }
    );
    assert_eq!(
        transfer.on_packet(&ack(6), ms(5)),
        Action::SendBlocks { first: 7, count: 4 }
    );
    assert_eq!(
        transfer.on_packet(&ack(6), ms(6)),
        Action::Wait,
        "resumed once already"
    );
    assert_eq!(
        transfer.on_packet(&ack(10), ms(7)),
        Action::SendBlocks {
            first: 11,
            count: 1
        }
    );
}

#[test]
fn a_duplicate_acknowledgement_in_lockstep_sends_nothing() {
    let (mut transfer, _) = Transfer::start(&terms(&[], 5000), 5000, ms(0));
    transfer.on_packet(&ack(1), ms(1));
    assert_eq!(transfer.on_packet(&ack(1), ms(2)), Action::Wait);
}

#[test]
fn a_client_that_repeats_itself_is_not_silent() {
    let options = terms(&[("windowsize", "4")], 5000);
    let (mut transfer, _) = Transfer::start(&options, 5000, ms(0));
    transfer.on_packet(&ack(0), ms(1));
    transfer.on_packet(&ack(0), ms(29_000));
    let later = transfer.deadline().max(ms(31_000));
    assert_eq!(
        transfer.on_time(later),
        Action::SendBlocks { first: 1, count: 4 }
    );
}

#[test]
fn silence_resends_at_growing_intervals_and_ends_after_thirty_seconds() {
    let (mut transfer, _) = Transfer::start(&terms(&[], 5000), 5000, ms(0));
    let mut sends = 0;
    let mut pause = Duration::ZERO;
    let end = loop {
        let now = transfer.deadline();
        assert_eq!(transfer.on_time(now - ms(1)), Action::Wait);
        match transfer.on_time(now) {
            Action::SendBlocks { first: 1, count: 1 } => sends += 1,
            Action::Finish(outcome) => break (outcome, now),
            other => panic!("{other:?}"),
        }
        assert!(transfer.deadline() - now >= pause);
        pause = transfer.deadline() - now;
    };
    assert_eq!(end.0, Outcome::TimedOut);
    assert!(
        end.1 >= Duration::from_secs(30) && end.1 < Duration::from_secs(33),
        "{:?}",
        end.1
    );
    assert!((10..30).contains(&sends), "{sends}");
}

#[test]
fn the_timer_adapts_to_the_round_trip() {
    let size = 512 * 100;
    let (mut transfer, _) = Transfer::start(&terms(&[], size), size, ms(0));
    let mut now = ms(0);
    for block in 1..50 {
        now += ms(1);
        transfer.on_packet(&ack(block), now);
    }
    assert!(
        transfer.deadline() - now <= ms(20),
        "{:?}",
        transfer.deadline() - now
    );
}

/// Runs a transfer against a modelled client over a network that loses by `lose`; gives the
/// number of blocks sent.
fn run(size: u64, options: &[(&str, &str)], mut lose: impl FnMut() -> bool) -> (Outcome, u64) {
    let terms = terms(options, size);
    let blocks = size / u64::from(terms.block_size) + 1;
    let mut now = ms(0);
    let (mut transfer, mut action) = Transfer::start(&terms, size, now);
    let (mut received, mut sent, mut in_window) = (0u64, 0u64, 0u16);
    loop {
        let mut answer = None;
        match action {
            Action::Finish(outcome) => {
                assert!(outcome != Outcome::Complete || received == blocks);
                return (outcome, sent);
            }
            Action::SendOack if !lose() => answer = Some(0),
            Action::SendBlocks { first, count } => {
                let mut gap = false;
                for block in first..first + u64::from(count) {
                    sent += 1;
                    if lose() {
                        continue;
                    }
                    if block == received + 1 {
                        received += 1;
                        in_window += 1;
                        if in_window == terms.window_size || received == blocks {
                            (answer, in_window) = (Some(received), 0);
                        }
                    } else if !gap {
                        (answer, in_window, gap) = (Some(received), 0, true);
                    }
                }
            }
            Action::SendOack | Action::Wait => {}
        }
        action = match answer.filter(|_| !lose()) {
            Some(block) => {
                now += ms(1);
                transfer.on_packet(&ack(block), now)
            }
            None => {
                now = transfer.deadline();
                transfer.on_time(now)
            }
        };
    }
}

#[test]
fn sizes_at_every_boundary_arrive_whole() {
    for size in [0, 1, 511, 512, 513, 1468, 2936, 32 << 20, 92 << 20] {
        for options in [
            &[][..],
            &[("blksize", "1468"), ("windowsize", "64")],
            &[("windowsize", "7")],
        ] {
            let (outcome, sent) = run(size, options, || false);
            let block = u64::from(terms(options, size).block_size);
            assert_eq!(
                (outcome, sent),
                (Outcome::Complete, size / block + 1),
                "{size} {options:?}"
            );
        }
    }
}

proptest! {
    #[test]
    fn up_to_a_fifth_of_all_packets_lost_ends_complete(
        size in 0u64..200_000,
        window in 1u16..70,
        seed: u64,
        percent in 0u64..20,
    ) {
        // SplitMix64: a loss pattern without a period that a window could fall in step with.
        let mut state = seed;
        let lose = || {
            state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
            let mixed = (state ^ (state >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
            (mixed ^ (mixed >> 27)) % 100 < percent
        };
        let (outcome, _) = run(size, &[("windowsize", &window.to_string())], lose);
        prop_assert_eq!(outcome, Outcome::Complete);
    }

    #[test]
    fn any_packets_in_any_order_never_panic(
        size in 0u64..1_000_000,
        packets in proptest::collection::vec(proptest::collection::vec(any::<u8>(), 0..8), 0..40),
        acks in proptest::collection::vec(any::<u16>(), 0..40),
    ) {
        let (mut transfer, _) = Transfer::start(&terms(&[("windowsize", "9")], size), size, ms(0));
        for (at, packet) in packets.iter().enumerate() {
            transfer.on_packet(packet, ms(at as u64));
        }
        for number in acks {
            transfer.on_packet(&ack(number.into()), ms(100));
        }
    }
}
