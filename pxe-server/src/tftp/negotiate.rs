//! Option negotiation (RFC 2347): `blksize` (2348), `tsize` and `timeout` (2349), `windowsize`
//! (7440). Unknown options and impossible values are left out of the answer, never an error.

use std::time::Duration;

/// Block size without negotiation.
const DEFAULT_BLOCK: u16 = 512;

/// What the server grants at most.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Bytes per block. 1468 fills an Ethernet frame; many ROMs cannot put fragments together.
    pub block_size: u16,
    /// Blocks per window.
    pub window_size: u16,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            block_size: 1468,
            window_size: 64,
        }
    }
}

/// The terms of one transfer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Negotiated {
    /// Bytes per block.
    pub block_size: u16,
    /// Blocks per window.
    pub window_size: u16,
    /// The client's retransmission interval, the longest that ours may become.
    pub timeout: Option<Duration>,
    /// Accepted options as they are answered; empty means no OACK is sent.
    pub accepted: Vec<(&'static str, String)>,
}

/// Settles the terms for a file of `size` bytes.
pub fn negotiate(options: &[(String, String)], size: u64, limits: Limits) -> Negotiated {
    let mut terms = Negotiated {
        block_size: DEFAULT_BLOCK,
        window_size: 1,
        timeout: None,
        accepted: Vec::new(),
    };
    for (name, value) in options {
        let Ok(number) = value.parse::<u64>() else {
            continue;
        };
        if terms.accepted.iter().any(|(accepted, _)| accepted == name) {
            continue;
        }
        match (name.as_str(), u16::try_from(number)) {
            ("blksize", Ok(asked @ 8..=65464)) => {
                terms.block_size = asked.min(limits.block_size);
                terms
                    .accepted
                    .push(("blksize", terms.block_size.to_string()));
            }
            ("windowsize", Ok(asked @ 1..)) => {
                terms.window_size = asked.min(limits.window_size);
                terms
                    .accepted
                    .push(("windowsize", terms.window_size.to_string()));
            }
            ("timeout", Ok(seconds @ 1..=255)) => {
                terms.timeout = Some(Duration::from_secs(seconds.into()));
                terms.accepted.push(("timeout", seconds.to_string()));
            }
            ("tsize", _) => terms.accepted.push(("tsize", size.to_string())),
            _ => {}
        }
    }
    terms
}

#[cfg(test)]
mod tests {
    use super::*;

    fn terms(options: &[(&str, &str)], size: u64) -> Negotiated {
        let options: Vec<_> = options
            .iter()
            .map(|(n, v)| ((*n).to_owned(), (*v).to_owned()))
            .collect();
        negotiate(&options, size, Limits::default())
    }

    #[test]
    fn sizes_are_lowered_never_raised() {
        let got = terms(
            &[
                ("blksize", "8192"),
                ("windowsize", "65535"),
                ("tsize", "0"),
                ("timeout", "5"),
            ],
            5_000_000_000,
        );
        assert_eq!(
            (got.block_size, got.window_size, got.timeout),
            (1468, 64, Some(Duration::from_secs(5)))
        );
        let text: Vec<_> = got.accepted.iter().map(|(n, v)| (*n, v.as_str())).collect();
        assert_eq!(
            text,
            [
                ("blksize", "1468"),
                ("windowsize", "64"),
                ("tsize", "5000000000"),
                ("timeout", "5")
            ]
        );
        assert_eq!(
            terms(&[("blksize", "512"), ("windowsize", "4")], 1).block_size,
            512
        );
    }

    #[test]
    fn impossible_and_unknown_options_are_left_out() {
        let got = terms(
            &[
                ("blksize", "7"),
                ("blksize", "x"),
                ("windowsize", "0"),
                ("timeout", "0"),
                ("timeout", "256"),
                ("multicast", "1"),
                ("blksize", "70000"),
            ],
            1,
        );
        assert_eq!(
            got,
            Negotiated {
                block_size: 512,
                window_size: 1,
                timeout: None,
                accepted: vec![]
            }
        );
    }
}
