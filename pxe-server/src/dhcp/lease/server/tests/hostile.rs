//! Packets whose answers do not fit, and any bytes whatever.

use proptest::prelude::*;

use super::*;
use crate::dhcp::ParseError;

#[test]
fn an_answer_longer_than_the_client_takes_is_not_sent() {
    let bench = Bench::new(Memory::default());
    let agent = [b'x'; 250];
    let id = [7u8; 200];
    let options: [(u8, &[u8]); 3] = [(53, &[DISCOVER]), (61, &id), (82, &agent)];
    let long = with_header(packet(&options), GIADDR, RELAY);
    assert_eq!(
        bench.try_handle(&long, false).unwrap_err(),
        Ignored::TooLong
    );
}

proptest! {
    #[test]
    fn whatever_comes_is_answered_or_ignored(
        header in proptest::collection::vec(any::<u8>(), 0..240),
        options in proptest::collection::vec((any::<u8>(), proptest::collection::vec(any::<u8>(), 0..40)), 0..12),
        kind in 0u8..20,
    ) {
        let bench = Bench::new(Memory::default());
        let kind = [kind];
        let mut all: Vec<(u8, &[u8])> = vec![(53, &kind)];
        all.extend(options.iter().map(|(code, data)| (*code, data.as_slice())));
        let mut bytes = packet(&all);
        for (at, byte) in header.iter().enumerate().filter(|(at, _)| (4..236).contains(at)) {
            bytes[at] = *byte;
        }
        let _ = bench.try_handle(&bytes, true);
        if let Err(error) = bench.try_handle(&header, false) {
            prop_assert_eq!(error, Ignored::Parse(ParseError::NotDhcp));
        }
    }
}
