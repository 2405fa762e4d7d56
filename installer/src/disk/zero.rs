//! Runs of zeroes in image data, so that they need not be written as data.

use std::ops::Range;

/// Runs of zeroes shorter than this are data: a write more costs less than a call more.
pub(crate) const GRAIN: usize = 64 * 1024;

static ZEROES: [u8; GRAIN] = [0; GRAIN];

/// A part of a buffer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Run {
    /// Nothing but zeroes.
    Zero(Range<usize>),
    /// Something else.
    Data(Range<usize>),
}

/// The buffer as alternating runs, cut at multiples of [`GRAIN`].
pub(crate) fn runs(data: &[u8]) -> Vec<Run> {
    let mut runs: Vec<Run> = Vec::new();
    let mut at = 0;
    for grain in data.chunks(GRAIN) {
        let end = at + grain.len();
        let zero = ZEROES
            .get(..grain.len())
            .is_some_and(|zeroes| zeroes == grain);
        match (runs.last_mut(), zero) {
            (Some(Run::Zero(run)), true) | (Some(Run::Data(run)), false) => run.end = end,
            (_, true) => runs.push(Run::Zero(at..end)),
            (_, false) => runs.push(Run::Data(at..end)),
        }
        at = end;
    }
    runs
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn runs_alternate_and_cover_the_buffer() {
        let mut data = vec![0u8; 5 * GRAIN + 10];
        data[2 * GRAIN] = 1;
        data[5 * GRAIN + 9] = 1;
        assert_eq!(
            runs(&data),
            [
                Run::Zero(0..2 * GRAIN),
                Run::Data(2 * GRAIN..3 * GRAIN),
                Run::Zero(3 * GRAIN..5 * GRAIN),
                Run::Data(5 * GRAIN..5 * GRAIN + 10),
            ]
        );
        assert_eq!(runs(&[]), []);
        assert_eq!(runs(&[0; 10]), [Run::Zero(0..10)]);
    }
}
