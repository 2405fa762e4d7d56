//! Files of one directory over HTTP/1.1, with ranges: the least that both programs ask for.

use std::fs::File;
use std::io::{self, BufRead as _, BufReader, Read as _, Seek as _, SeekFrom, Write as _};
use std::net::{TcpListener, TcpStream};
use std::path::Path;

use anyhow::Result;

/// A running server; it ends with the program.
pub(crate) struct Server {
    address: String,
}

impl Server {
    /// Serves what is below `directory` on a free port of this machine.
    pub(crate) fn start(directory: &Path) -> Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0")?;
        let address = listener.local_addr()?.to_string();
        let directory = directory.to_owned();
        std::thread::spawn(move || {
            for client in listener.incoming().flatten() {
                let directory = directory.clone();
                // A client that leaves early is no failure of the server.
                std::thread::spawn(move || drop(serve(client, &directory)));
            }
        });
        Ok(Self { address })
    }

    pub(crate) fn url(&self, file: &str) -> String {
        format!("http://{}/{file}", self.address)
    }
}

fn serve(client: TcpStream, directory: &Path) -> io::Result<()> {
    client.set_nodelay(true)?;
    let mut output = client.try_clone()?;
    let mut input = BufReader::new(client);
    loop {
        let mut line = String::new();
        if input.read_line(&mut line)? == 0 {
            return Ok(());
        }
        let path = line.split(' ').nth(1).unwrap_or("/").to_owned();
        let mut range = None;
        loop {
            line.clear();
            input.read_line(&mut line)?;
            let header = line.trim().to_ascii_lowercase();
            if header.is_empty() {
                break;
            }
            range = header
                .strip_prefix("range: bytes=")
                .map(str::to_owned)
                .or(range);
        }
        let Ok(mut file) = File::open(directory.join(path.trim_start_matches('/'))) else {
            output.write_all(b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n")?;
            continue;
        };
        let size = file.metadata()?.len();
        let (first, last) = match range.as_deref().and_then(|range| range.split_once('-')) {
            Some((first, last)) => (
                first.parse().unwrap_or_default(),
                last.parse().unwrap_or(size - 1).min(size - 1),
            ),
            None => (0, size - 1),
        };
        let length = last + 1 - first;
        let status = match range {
            Some(_) => format!("206 Partial Content\r\nContent-Range: bytes {first}-{last}/{size}"),
            None => "200 OK".to_owned(),
        };
        write!(
            output,
            "HTTP/1.1 {status}\r\nContent-Length: {length}\r\nAccept-Ranges: bytes\r\nETag: \"1\"\r\n\r\n"
        )?;
        file.seek(SeekFrom::Start(first))?;
        // The kernel copies.
        io::copy(&mut file.take(length), &mut output)?;
    }
}
