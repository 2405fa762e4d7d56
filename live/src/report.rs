//! Posts events to `coreos.report_url=` from a thread of its own: in order, retried until they are
//! answered, by any of the receivers if there are several, and never in the way of what is reported.
//! The wire format is [`embed::report`].

use std::collections::VecDeque;
use std::fs;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use embed::report::{Event, Report};
use reqwest::StatusCode;
use reqwest::blocking::Client;
use reqwest::header::CONTENT_TYPE;

const ANSWER: Duration = Duration::from_secs(10);

/// How stubborn reporting is.
#[derive(Clone, Copy, Debug)]
pub struct Policy {
    /// Pause after all receivers failed once; doubles up to [`Policy::longest`].
    pub first: Duration,
    /// Longest pause.
    pub longest: Duration,
}

impl Default for Policy {
    fn default() -> Self {
        Self {
            first: Duration::from_secs(1),
            longest: Duration::from_secs(10),
        }
    }
}

/// What became of the queue.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// Everything was answered, or there was nobody to report to.
    Delivered,
    /// The receiver said that this machine's events are not wanted (409).
    Unwanted,
    /// Time was up first.
    TimedOut,
}

/// A queue of events and the thread that posts them.
#[derive(Debug)]
pub struct Reporter {
    shared: Option<Arc<Shared>>,
    thread: Option<JoinHandle<()>>,
}

#[derive(Debug, Default)]
struct Shared {
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Debug, Default)]
struct State {
    queue: VecDeque<Report>,
    /// The front of the queue is being posted and must stay where it is.
    posting: bool,
    unwanted: bool,
    stop: bool,
}

impl Reporter {
    /// Starts the thread; without a URL every event is dropped. Of several URLs each is tried when the
    /// one before it has failed, and stays in use as long as it answers.
    pub fn start(urls: &[&str], policy: Policy) -> Result<Self, reqwest::Error> {
        if urls.is_empty() {
            return Ok(Self {
                shared: None,
                thread: None,
            });
        }
        let urls: Vec<String> = urls.iter().map(|&url| url.to_owned()).collect();
        let client = Client::builder().timeout(ANSWER).build()?;
        let shared = Arc::new(Shared::default());
        let theirs = Arc::clone(&shared);
        let thread = thread::spawn(move || theirs.run(&client, &urls, policy));
        Ok(Self {
            shared: Some(shared),
            thread: Some(thread),
        })
    }

    /// Queues an event. Progress that was not sent yet is replaced by newer progress.
    pub fn send(&self, event: Event) {
        let Some(shared) = &self.shared else { return };
        let mut state = shared.lock();
        if state.unwanted {
            return;
        }
        let sent = usize::from(state.posting);
        let stale = matches!(event, Event::InstallProgress { .. })
            && state.queue.len() > sent
            && state
                .queue
                .back()
                .is_some_and(|last| matches!(last.event, Event::InstallProgress { .. }));
        if stale {
            state.queue.pop_back();
        }
        state.queue.push_back(Report::new(event, uptime_ms()));
        shared.changed.notify_all();
    }

    /// Waits until everything is answered, at most `patience`, and ends the thread.
    pub fn finish(mut self, patience: Duration) -> Outcome {
        let Some(shared) = self.shared.take() else {
            return Outcome::Delivered;
        };
        let deadline = Instant::now() + patience;
        let mut state = shared.lock();
        while !state.queue.is_empty() {
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() {
                break;
            }
            state = shared
                .changed
                .wait_timeout(state, left)
                .unwrap_or_else(PoisonError::into_inner)
                .0;
        }
        let outcome = match (state.unwanted, state.queue.is_empty()) {
            (true, _) => Outcome::Unwanted,
            (false, true) => Outcome::Delivered,
            (false, false) => Outcome::TimedOut,
        };
        state.stop = true;
        shared.changed.notify_all();
        drop(state);
        if outcome != Outcome::TimedOut
            && let Some(thread) = self.thread.take()
        {
            // A panic in the thread has been printed by it; there is nothing to add.
            let _ = thread.join();
        }
        outcome
    }
}

impl Shared {
    /// A thread that panicked while it held the lock left the queue whole: every change is one
    /// push or pop.
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn run(&self, client: &Client, urls: &[String], policy: Policy) {
        let mut pause = policy.first;
        let mut failed = 0;
        let mut receivers = urls.iter().cycle();
        let mut receiver = receivers.next();
        while let (Some(report), Some(url)) = (self.next(), receiver) {
            match post(client, url, &report) {
                Ok(StatusCode::CONFLICT) => self.give_up(),
                Ok(status) if status.is_success() => {
                    (pause, failed) = (policy.first, 0);
                    self.done();
                }
                _ => {
                    receiver = receivers.next();
                    failed += 1;
                    if failed == urls.len() {
                        failed = 0;
                        self.wait_for_stop(pause);
                        pause = (pause * 2).min(policy.longest);
                    }
                }
            }
        }
    }

    fn next(&self) -> Option<Report> {
        let mut state = self.lock();
        loop {
            if state.stop {
                return None;
            }
            if let Some(report) = state.queue.front().cloned() {
                state.posting = true;
                return Some(report);
            }
            state = self
                .changed
                .wait(state)
                .unwrap_or_else(PoisonError::into_inner);
        }
    }

    fn done(&self) {
        let mut state = self.lock();
        state.posting = false;
        state.queue.pop_front();
        self.changed.notify_all();
    }

    fn give_up(&self) {
        let mut state = self.lock();
        state.posting = false;
        state.unwanted = true;
        state.queue.clear();
        self.changed.notify_all();
    }

    fn wait_for_stop(&self, pause: Duration) {
        let deadline = Instant::now() + pause;
        let mut state = self.lock();
        while !state.stop {
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return;
            }
            state = self
                .changed
                .wait_timeout(state, left)
                .unwrap_or_else(PoisonError::into_inner)
                .0;
        }
    }
}

fn post(client: &Client, url: &str, report: &Report) -> Result<StatusCode, reqwest::Error> {
    let body = serde_json::to_vec(report).unwrap_or_default();
    Ok(client
        .post(url)
        .header(CONTENT_TYPE, "application/json")
        .body(body)
        .send()?
        .status())
}

/// Time since the kernel started; zero when the kernel does not tell.
fn uptime_ms() -> u64 {
    let text = fs::read_to_string("/proc/uptime").unwrap_or_default();
    let (seconds, fraction) = text
        .split_whitespace()
        .next()
        .and_then(|word| word.split_once('.'))
        .unwrap_or(("0", "0"));
    let seconds: u64 = seconds.parse().unwrap_or_default();
    let hundredths: u64 = fraction.parse().unwrap_or_default();
    seconds
        .saturating_mul(1000)
        .saturating_add(hundredths.saturating_mul(10))
}

#[cfg(test)]
mod tests;
