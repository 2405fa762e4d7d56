//! A small HTTP server that can be rude in the ways that real ones are.

use std::collections::BTreeMap;
use std::io::{BufRead as _, BufReader, Write as _};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex};

/// What the server does with a path.
#[derive(Clone)]
pub(crate) enum Answer {
    /// The whole body.
    Body(Vec<u8>),
    /// So many bytes of the body, and then the connection is closed.
    Cut(Vec<u8>, usize),
    /// A status without body.
    Status(u16),
    /// A redirect.
    Redirect(String),
}

/// Serves until the test ends. Each request takes the next answer of its path; the last one
/// stays.
pub(crate) struct Server {
    address: String,
    log: Arc<Mutex<Vec<String>>>,
}

type Answers = Arc<Mutex<BTreeMap<String, Vec<Answer>>>>;

impl Server {
    pub(crate) fn new(answers: impl IntoIterator<Item = (&'static str, Vec<Answer>)>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap().to_string();
        let answers: BTreeMap<_, _> = answers
            .into_iter()
            .map(|(path, answers)| (path.to_owned(), answers))
            .collect();
        let answers: Answers = Arc::new(Mutex::new(answers));
        let log = Arc::new(Mutex::new(Vec::new()));
        let seen = Arc::clone(&log);
        std::thread::spawn(move || {
            for connection in listener.incoming().flatten() {
                let (answers, seen) = (Arc::clone(&answers), Arc::clone(&seen));
                std::thread::spawn(move || serve(connection, &answers, &seen));
            }
        });
        Self { address, log }
    }

    pub(crate) fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }

    /// The paths asked for so far.
    pub(crate) fn requests(&self) -> Vec<String> {
        self.log.lock().unwrap().clone()
    }
}

fn serve(connection: TcpStream, answers: &Answers, log: &Mutex<Vec<String>>) -> Option<()> {
    let mut lines = BufReader::new(connection.try_clone().ok()?).lines();
    let request = lines.next()?.ok()?;
    while !lines.next()?.ok()?.is_empty() {}
    let path = request.split(' ').nth(1)?.to_owned();
    log.lock().unwrap().push(path.clone());
    let answer = match answers.lock().unwrap().get_mut(&path) {
        Some(list) if list.len() > 1 => list.remove(0),
        Some(list) => list.first()?.clone(),
        None => Answer::Status(404),
    };
    let mut out = connection;
    let head = |status: u16, len: usize, more: &str| {
        format!("HTTP/1.1 {status} X\r\nContent-Length: {len}\r\nConnection: close\r\n{more}\r\n")
    };
    match answer {
        Answer::Body(body) => {
            out.write_all(head(200, body.len(), "").as_bytes()).ok()?;
            out.write_all(&body).ok()
        }
        Answer::Cut(body, at) => {
            out.write_all(head(200, body.len(), "").as_bytes()).ok()?;
            out.write_all(&body[..at]).ok()
        }
        Answer::Status(status) => out.write_all(head(status, 0, "").as_bytes()).ok(),
        Answer::Redirect(to) => out
            .write_all(head(302, 0, &format!("Location: {to}\r\n")).as_bytes())
            .ok(),
    }
}
