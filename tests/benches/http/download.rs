//! Big files, each on a connection and a thread of its own; each file holds its own offsets, by
//! which its bytes are checked.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::time::Instant;

use anyhow::{Context as _, Result, ensure};
use tests::contender::median;

use super::servers::Server;

/// What one run took, or the median of several.
#[derive(Clone, Copy)]
pub(crate) struct Cost {
    /// MiB a second, all files together.
    pub(crate) rate: f64,
    /// CPU time of the server, seconds for each GiB.
    pub(crate) cpu: f64,
}

impl Cost {
    pub(crate) fn median(all: &[Self]) -> Self {
        Self {
            rate: median(all, |one| one.rate),
            cpu: median(all, |one| one.cpu),
        }
    }
}

/// Fetches all `paths` at once; `each` byte is checked, or the first of each piece.
pub(crate) fn run(server: &Server, prefix: &str, paths: &[String], each: bool) -> Result<Cost> {
    let (cpu, began) = (server.cpu()?, Instant::now());
    let bytes = std::thread::scope(|scope| {
        let threads: Vec<_> = paths
            .iter()
            .map(|path| scope.spawn(move || fetch(server, &format!("{prefix}{path}"), each)))
            .collect();
        let mut bytes = 0;
        for thread in threads {
            bytes += thread
                .join()
                .map_err(|_| anyhow::anyhow!("a client panicked"))??;
        }
        anyhow::Ok(bytes)
    })?;
    let (wall, cpu) = (began.elapsed(), server.cpu()? - cpu);
    let size = bytes as f64 / f64::from(1 << 20);
    Ok(Cost {
        rate: size / wall.as_secs_f64(),
        cpu: cpu.as_secs_f64() / size * 1024.0,
    })
}

/// The bytes of one file, counted and checked.
fn fetch(server: &Server, path: &str, each: bool) -> Result<u64> {
    let mut stream = TcpStream::connect(server.address)?;
    write!(stream, "GET {path} HTTP/1.1\r\nHost: bench\r\n\r\n")?;
    let mut head = Vec::new();
    let mut byte = [0];
    while !head.ends_with(b"\r\n\r\n") {
        stream.read_exact(&mut byte)?;
        head.extend_from_slice(&byte);
    }
    let head = String::from_utf8(head)?.to_ascii_lowercase();
    ensure!(head.starts_with("http/1.1 200 "), "{path}: {head}");
    let length = head
        .lines()
        .find_map(|line| line.strip_prefix("content-length: "));
    let length: u64 = length.context("no length")?.parse()?;
    let mut piece = vec![0; 256 * 1024];
    let mut at = 0u64;
    while at < length {
        let count = stream.read(&mut piece)?;
        ensure!(count > 0, "{path}: cut at {at}");
        check(piece.get(..count).unwrap_or_default(), at, each)
            .with_context(|| format!("{path}, from byte {at}"))?;
        at += count as u64;
    }
    Ok(length)
}

fn check(piece: &[u8], at: u64, each: bool) -> Result<()> {
    // Numbers are whole from the next multiple of eight on.
    let skipped = usize::try_from(at.next_multiple_of(8) - at)?;
    let numbers = piece.get(skipped..).unwrap_or_default().chunks_exact(8);
    let looked_at = if each { usize::MAX } else { 1 };
    let places = (at.next_multiple_of(8)..).step_by(8);
    for (number, place) in numbers.zip(places).take(looked_at) {
        ensure!(number == place.to_le_bytes(), "wrong at {place}");
    }
    Ok(())
}
