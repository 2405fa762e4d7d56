//! Small requests on many connections, each of which has one under way at any time; two threads
//! share them by poll(2), so that the client takes little of the machine.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::os::fd::AsFd as _;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail, ensure};
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};

use tests::contender::median;

use super::servers::Server;

const THREADS: usize = 2;

/// What one run gave, or the median of several.
#[derive(Clone, Copy)]
pub(crate) struct Figures {
    /// Answers a second.
    pub(crate) rate: f64,
    /// CPU time of the server for each, microseconds.
    pub(crate) cpu_us: f64,
    /// Half of the answers took less, milliseconds.
    pub(crate) p50_ms: f64,
    /// 99 of 100 took less, milliseconds.
    pub(crate) p99_ms: f64,
}

impl Figures {
    pub(crate) fn median(all: &[Self]) -> Self {
        Self {
            rate: median(all, |one| one.rate),
            cpu_us: median(all, |one| one.cpu_us),
            p50_ms: median(all, |one| one.p50_ms),
            p99_ms: median(all, |one| one.p99_ms),
        }
    }
}

/// What is asked for, and when to stop.
struct Work<'a> {
    paths: &'a [String],
    expected: &'a [Vec<u8>],
    next: AtomicUsize,
    /// Requests; without an end, time decides.
    most: usize,
    until: Instant,
}

impl Work<'_> {
    fn take(&self) -> Option<usize> {
        let number = self.next.fetch_add(1, Ordering::Relaxed);
        (number < self.most && Instant::now() < self.until).then(|| number % self.paths.len())
    }
}

/// Asks for `paths` in turn for `span`.
pub(crate) fn run(
    server: &Server,
    paths: &[String],
    expected: &[Vec<u8>],
    connections: usize,
    span: Duration,
) -> Result<Figures> {
    let work = Work {
        paths,
        expected,
        next: AtomicUsize::new(0),
        most: usize::MAX,
        until: Instant::now() + span,
    };
    measure(server, &work, connections)
}

/// Asks for each of `paths` once.
pub(crate) fn once(
    server: &Server,
    paths: &[String],
    expected: &[Vec<u8>],
    connections: usize,
) -> Result<Figures> {
    let work = Work {
        paths,
        expected,
        next: AtomicUsize::new(0),
        most: paths.len(),
        until: Instant::now() + Duration::from_secs(600),
    };
    measure(server, &work, connections)
}

fn measure(server: &Server, work: &Work<'_>, connections: usize) -> Result<Figures> {
    let (cpu, began) = (server.cpu()?, Instant::now());
    let mut times = std::thread::scope(|scope| {
        let threads: Vec<_> = (0..THREADS)
            .map(|_| scope.spawn(|| ask(server, work, connections / THREADS)))
            .collect();
        let mut times = Vec::new();
        for thread in threads {
            let asked = thread
                .join()
                .map_err(|_| anyhow::anyhow!("a client panicked"))?;
            times.extend(asked?);
        }
        anyhow::Ok(times)
    })?;
    let (wall, cpu) = (began.elapsed(), server.cpu()? - cpu);
    ensure!(!times.is_empty(), "no answer");
    times.sort();
    let at = |percent: usize| {
        let place = times.len() * percent / 100;
        times
            .get(place)
            .or(times.last())
            .copied()
            .unwrap_or_default()
            .as_secs_f64()
            * 1e3
    };
    Ok(Figures {
        rate: times.len() as f64 / wall.as_secs_f64(),
        cpu_us: cpu.as_secs_f64() * 1e6 / times.len() as f64,
        p50_ms: at(50),
        p99_ms: at(99),
    })
}

/// A connection and what it waits for.
struct Client {
    stream: TcpStream,
    number: usize,
    began: Instant,
    answer: Vec<u8>,
}

impl Client {
    fn ask(&mut self, work: &Work<'_>) -> Result<bool> {
        let Some(number) = work.take() else {
            return Ok(false);
        };
        let path = work.paths.get(number).context("no such path")?;
        self.number = number;
        self.answer.clear();
        self.began = Instant::now();
        let request = format!("GET {path} HTTP/1.1\r\nHost: bench\r\nAccept: */*\r\n\r\n");
        self.stream.write_all(request.as_bytes())?;
        Ok(true)
    }

    /// Reads what has come; whether that is all of the answer.
    fn read(&mut self, work: &Work<'_>) -> Result<bool> {
        let mut piece = [0; 16 * 1024];
        let count = self.stream.read(&mut piece)?;
        ensure!(count > 0, "the server closed a connection");
        self.answer
            .extend_from_slice(piece.get(..count).unwrap_or_default());
        let end = self.answer.windows(4).position(|end| end == b"\r\n\r\n");
        let expected = work.expected.get(self.number).context("nothing expected")?;
        let Some(end) = end.filter(|end| self.answer.len() >= end + 4 + expected.len()) else {
            return Ok(false);
        };
        let (head, body) = self.answer.split_at(end + 4);
        if body != expected || !head.starts_with(b"HTTP/1.1 200 ") {
            bail!("a wrong answer: {}", String::from_utf8_lossy(&self.answer));
        }
        Ok(true)
    }
}

/// The times that answers took.
fn ask(server: &Server, work: &Work<'_>, connections: usize) -> Result<Vec<Duration>> {
    let mut clients = Vec::new();
    for _ in 0..connections {
        let stream = TcpStream::connect(server.address)?;
        stream.set_nodelay(true)?;
        let (number, began, answer) = (0, Instant::now(), Vec::new());
        let mut client = Client {
            stream,
            number,
            began,
            answer,
        };
        if client.ask(work)? {
            clients.push(client);
        }
    }
    let mut times = Vec::new();
    while !clients.is_empty() {
        let ready: Vec<bool> = {
            let mut waited: Vec<PollFd<'_>> = clients
                .iter()
                .map(|client| PollFd::new(client.stream.as_fd(), PollFlags::POLLIN))
                .collect();
            ensure!(
                poll(&mut waited, PollTimeout::from(20_000u16))? > 0,
                "no answer for 20 s"
            );
            waited
                .iter()
                .map(|one| one.any().unwrap_or_default())
                .collect()
        };
        let mut over = Vec::new();
        for (place, client) in clients
            .iter_mut()
            .enumerate()
            .filter(|(place, _)| ready.get(*place) == Some(&true))
        {
            if client.read(work)? {
                times.push(client.began.elapsed());
                if !client.ask(work)? {
                    over.push(place);
                }
            }
        }
        for place in over.into_iter().rev() {
            clients.swap_remove(place);
        }
    }
    Ok(times)
}
