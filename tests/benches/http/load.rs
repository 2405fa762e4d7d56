//! Small requests on many connections: each has one under way at any time, and two threads share
//! them by poll(2), so that the client takes little of the machine; or they come at a given pace.

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

impl<'a> Work<'a> {
    fn each_once(paths: &'a [String], expected: &'a [Vec<u8>]) -> Self {
        Self {
            paths,
            expected,
            next: AtomicUsize::new(0),
            most: paths.len(),
            until: Instant::now() + Duration::from_secs(600),
        }
    }

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
    crowd(server, &work, connections)
}

/// Asks for each of `paths` once.
pub(crate) fn once(
    server: &Server,
    paths: &[String],
    expected: &[Vec<u8>],
    connections: usize,
) -> Result<Figures> {
    let work = Work::each_once(paths, expected);
    crowd(server, &work, connections)
}

/// Asks for each of `paths` once, `rate` of them a second; an answer's time counts from when it was
/// due to be asked for.
pub(crate) fn at_pace(
    server: &Server,
    paths: &[String],
    expected: &[Vec<u8>],
    connections: usize,
    rate: u32,
) -> Result<Figures> {
    let work = Work::each_once(paths, expected);
    let (every, start) = (Duration::from_secs(1) / rate, Instant::now());
    measure(server, connections, || {
        let (mut client, mut times) = (Client::connect(server)?, Vec::new());
        while let Some(number) = work.take() {
            let due = start + every * u32::try_from(number)?;
            std::thread::sleep(due.saturating_duration_since(Instant::now()));
            client.ask(&work, number)?;
            while !client.read(&work)? {}
            times.push(due.elapsed());
        }
        Ok(times)
    })
}

fn crowd(server: &Server, work: &Work<'_>, connections: usize) -> Result<Figures> {
    measure(server, THREADS, || ask(server, work, connections / THREADS))
}

/// Runs `ask` on so many threads.
fn measure(
    server: &Server,
    threads: usize,
    ask: impl Fn() -> Result<Vec<Duration>> + Sync,
) -> Result<Figures> {
    let (cpu, began) = (server.cpu()?, Instant::now());
    let mut times = std::thread::scope(|scope| {
        let threads: Vec<_> = (0..threads).map(|_| scope.spawn(&ask)).collect();
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
    fn connect(server: &Server) -> Result<Self> {
        let stream = TcpStream::connect(server.address)?;
        stream.set_nodelay(true)?;
        Ok(Self {
            stream,
            number: 0,
            began: Instant::now(),
            answer: Vec::new(),
        })
    }

    /// Asks for the next; whether there is one.
    fn ask_next(&mut self, work: &Work<'_>) -> Result<bool> {
        let number = work.take();
        number.map_or(Ok(false), |number| self.ask(work, number).map(|()| true))
    }

    fn ask(&mut self, work: &Work<'_>, number: usize) -> Result<()> {
        let path = work.paths.get(number).context("no such path")?;
        self.number = number;
        self.answer.clear();
        self.began = Instant::now();
        let request = format!("GET {path} HTTP/1.1\r\nHost: bench\r\nAccept: */*\r\n\r\n");
        self.stream.write_all(request.as_bytes())?;
        Ok(())
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
        let mut client = Client::connect(server)?;
        if client.ask_next(work)? {
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
                if !client.ask_next(work)? {
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
