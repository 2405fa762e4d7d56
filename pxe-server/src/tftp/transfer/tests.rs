//! Transfers without sockets: gaps, probes, silence, and clients that lie.

use proptest::prelude::*;

use super::network::{Client, run};
use super::*;
use crate::tftp::{Limits, negotiate};

pub(super) fn terms(options: &[(&str, &str)], size: u64) -> Negotiated {
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
        Action::Wait,
        "an echo of what was sent again"
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
fn a_lost_first_block_resumes_the_window_once() {
    let options = terms(&[("windowsize", "4")], 512 * 10);
    let (mut transfer, _) = Transfer::start(&options, 512 * 10, ms(0));
    transfer.on_packet(&ack(0), ms(1));
    transfer.on_packet(&ack(4), ms(2));
    let window = Action::SendBlocks { first: 5, count: 4 };
    assert_eq!(transfer.on_packet(&ack(4), ms(3)), window);
    assert_eq!(transfer.on_packet(&ack(4), ms(4)), Action::Wait);
}

#[test]
fn after_silence_the_last_block_asks_and_then_the_whole_window_is_sent() {
    let options = terms(&[("windowsize", "4")], 512 * 20);
    let (mut transfer, _) = Transfer::start(&options, 512 * 20, ms(0));
    transfer.on_packet(&ack(0), ms(1));
    let last = Action::SendBlocks { first: 4, count: 1 };
    assert_eq!(transfer.on_time(transfer.deadline()), last);
    let window = Action::SendBlocks { first: 1, count: 4 };
    assert_eq!(transfer.on_time(transfer.deadline()), window);
    // It has two: the others are under way, and two more make a window of four.
    let now = transfer.deadline() - ms(1);
    assert_eq!(
        transfer.on_packet(&ack(2), now),
        Action::SendBlocks { first: 5, count: 2 }
    );
    assert_eq!(transfer.on_packet(&ack(2), now), Action::Wait);
    assert_eq!(
        transfer.on_packet(&ack(6), now),
        Action::SendBlocks { first: 7, count: 4 }
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
        Action::SendBlocks { first: 4, count: 1 }
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
        transfer.deadline() - now <= ms(10),
        "{:?}",
        transfer.deadline() - now
    );
}

#[test]
fn sizes_at_every_boundary_arrive_whole() {
    for size in [0, 1, 511, 512, 513, 1468, 2936, 32 << 20, 92 << 20] {
        for options in [
            &[][..],
            &[("blksize", "1468"), ("windowsize", "64")],
            &[("windowsize", "7")],
        ] {
            let terms = terms(options, size);
            let (outcome, sent) = run(size, &terms, Client::Chatty, || false);
            let needed = size / u64::from(terms.block_size) + 1;
            assert_eq!(
                (outcome, sent),
                (Outcome::Complete, needed),
                "{size} {options:?}"
            );
        }
    }
}

proptest! {
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
