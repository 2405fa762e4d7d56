//! How long a client may take: sending goes on as long as it takes some bytes in some time.

use std::io;
use std::time::Duration;

use tokio::time::{Instant, timeout_at};

/// Between two requests of a connection, and before its first byte.
pub(super) const IDLE: Duration = Duration::from_secs(75);
/// From a request's first byte to the end of its head.
pub(super) const HEAD: Duration = Duration::from_secs(10);
/// Time in which a client takes [`LEAST`] bytes, or the rest.
pub(super) const STALL: Duration = Duration::from_secs(60);
/// Bytes that a client takes in [`STALL`].
const LEAST: usize = 32 * 1024;

/// Watches over one answer.
#[derive(Debug)]
pub(super) struct Patience {
    limit: Duration,
    deadline: Instant,
    taken: usize,
}

impl Patience {
    /// Begins to watch; `limit` is [`STALL`] outside tests.
    pub(super) fn new(limit: Duration) -> Self {
        Self {
            limit,
            deadline: Instant::now() + limit,
            taken: 0,
        }
    }

    /// Waits for `sending`, which gives the bytes that were taken, unless that takes too long.
    pub(super) async fn with(
        &mut self,
        sending: impl Future<Output = io::Result<usize>>,
    ) -> io::Result<usize> {
        let sent = timeout_at(self.deadline, sending).await;
        let sent = sent.map_err(|_| io::Error::from(io::ErrorKind::TimedOut))??;
        self.taken += sent;
        if self.taken >= LEAST {
            *self = Self::new(self.limit);
        }
        Ok(sent)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_trickle_is_not_progress() {
        let mut patience = Patience::new(STALL);
        let trickle = async || {
            tokio::time::sleep(STALL / 4).await;
            Ok(1)
        };
        let mut taken = 0;
        let error = loop {
            match patience.with(trickle()).await {
                Ok(sent) => taken += sent,
                Err(error) => break error,
            }
        };
        assert_eq!(error.kind(), io::ErrorKind::TimedOut);
        assert!((3..=4).contains(&taken), "{taken} quarters");
    }

    #[tokio::test(start_paused = true)]
    async fn who_takes_enough_may_go_on() {
        let mut patience = Patience::new(STALL);
        for _ in 0..10 {
            let slow = async {
                tokio::time::sleep(STALL / 2).await;
                Ok(LEAST)
            };
            assert_eq!(patience.with(slow).await.unwrap(), LEAST);
        }
    }
}
