//! A small HTTP server that can be rude in the ways that real ones are.

use std::collections::BTreeMap;
use std::io::{BufRead as _, BufReader, Write as _};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::time::Duration;

/// What the server does with a path.
#[derive(Clone)]
pub(crate) enum Answer {
    /// The whole body.
    Body(Vec<u8>),
    /// So many bytes of the body, and then the connection is closed.
    Cut(Vec<u8>, usize),
    /// A file, whole or from the byte that is asked for.
    File(File),
    /// These bytes, whatever they are; the first ones one by one.
    Raw(Vec<u8>, usize),
    /// A status without body.
    Status(u16),
    /// A redirect.
    Redirect(String),
    /// No answer for so long.
    Silence(Duration),
}

/// A file with a version, and a server that may or may not get parts of it right.
#[derive(Clone)]
pub(crate) struct File {
    pub(crate) body: Arc<Vec<u8>>,
    /// Headers that identify the version, the first one's value is what `If-Range` must have.
    pub(crate) version: Vec<(&'static str, String)>,
    pub(crate) parts: Parts,
    /// At which byte of the file the connection ends, and how.
    pub(crate) end: Option<(usize, End)>,
}

/// How a server answers a request for the rest of a file.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Parts {
    /// As RFC 9110 says.
    Right,
    /// With all of the file.
    Ignored,
    /// With bytes from another place than asked for, and saying so.
    WrongStart,
    /// With the right bytes, but of a file of another size.
    WrongTotal,
    /// With the right bytes, but of another version.
    WrongVersion,
    /// With bytes from one earlier than asked for, and not saying so.
    Shifted,
    /// Without saying which part it is.
    Nameless,
    /// With 416.
    Refused,
}

#[derive(Clone, Copy)]
pub(crate) enum End {
    Cut,
    Stall(Duration),
}

impl File {
    pub(crate) fn new(body: &[u8]) -> Self {
        Self {
            body: Arc::new(body.to_vec()),
            version: vec![("ETag", "\"v1\"".to_owned())],
            parts: Parts::Right,
            end: None,
        }
    }

    pub(crate) fn cut(&self, at: usize) -> Answer {
        let end = Some((at, End::Cut));
        Answer::File(Self {
            end,
            ..self.clone()
        })
    }

    pub(crate) fn with_parts(&self, parts: Parts) -> Self {
        Self {
            parts,
            ..self.clone()
        }
    }

    pub(crate) fn whole(&self) -> Answer {
        Answer::File(self.clone())
    }
}

/// What was asked.
#[derive(Clone, Debug)]
pub(crate) struct Asked {
    pub(crate) path: String,
    /// Names in lower case.
    pub(crate) headers: BTreeMap<String, String>,
}

/// Serves until the test ends. Each request takes the next answer of its path; the last one
/// stays.
pub(crate) struct Server {
    address: String,
    log: Arc<Mutex<Vec<Asked>>>,
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
        self.asked().into_iter().map(|asked| asked.path).collect()
    }

    /// What was asked so far.
    pub(crate) fn asked(&self) -> Vec<Asked> {
        self.log.lock().unwrap().clone()
    }

    /// The `Range` headers of the requests for `path`.
    pub(crate) fn ranges(&self, path: &str) -> Vec<Option<String>> {
        self.asked()
            .into_iter()
            .filter(|asked| asked.path == path)
            .map(|mut asked| asked.headers.remove("range"))
            .collect()
    }
}

fn serve(connection: TcpStream, answers: &Answers, log: &Mutex<Vec<Asked>>) -> Option<()> {
    let mut lines = BufReader::new(connection.try_clone().ok()?).lines();
    let request = lines.next()?.ok()?;
    let mut headers = BTreeMap::new();
    loop {
        let line = lines.next()?.ok()?;
        let Some((name, value)) = line.split_once(':') else {
            break;
        };
        headers.insert(name.to_ascii_lowercase(), value.trim().to_owned());
    }
    let path = request.split(' ').nth(1)?.to_owned();
    let asked = Asked { path, headers };
    log.lock().unwrap().push(asked.clone());
    let answer = match answers.lock().unwrap().get_mut(&asked.path) {
        Some(list) if list.len() > 1 => list.remove(0),
        Some(list) => list.first()?.clone(),
        None => Answer::Status(404),
    };
    let mut out = connection;
    match answer {
        Answer::Body(body) => {
            out.write_all(head(200, body.len(), "").as_bytes()).ok()?;
            out.write_all(&body).ok()
        }
        Answer::Cut(body, at) => {
            out.write_all(head(200, body.len(), "").as_bytes()).ok()?;
            out.write_all(&body[..at]).ok()
        }
        Answer::Raw(bytes, singly) => {
            out.set_nodelay(true).ok()?;
            let (slow, rest) = bytes.split_at(singly);
            for byte in slow {
                out.write_all(&[*byte]).ok()?;
            }
            out.write_all(rest).ok()
        }
        Answer::File(file) => send_file(&mut out, &file, &asked),
        Answer::Status(status) => out.write_all(head(status, 0, "").as_bytes()).ok(),
        Answer::Redirect(to) => out
            .write_all(head(302, 0, &format!("Location: {to}\r\n")).as_bytes())
            .ok(),
        Answer::Silence(time) => {
            std::thread::sleep(time);
            Some(())
        }
    }
}

fn head(status: u16, len: usize, more: &str) -> String {
    format!("HTTP/1.1 {status} X\r\nContent-Length: {len}\r\nConnection: close\r\n{more}\r\n")
}

fn send_file(out: &mut TcpStream, file: &File, asked: &Asked) -> Option<()> {
    let size = file.body.len();
    let start = asked.headers.get("range").and_then(|range| {
        let start = range.strip_prefix("bytes=")?.strip_suffix('-')?;
        start.parse::<usize>().ok()
    });
    let version = file.version.first().map(|(_, value)| value);
    let condition = asked.headers.get("if-range");
    let fits = condition.is_none() || condition == version;
    let mut more: String = file
        .version
        .iter()
        .map(|(name, value)| format!("{name}: {value}\r\n"))
        .collect();
    let start = match start.filter(|_| fits && file.parts != Parts::Ignored) {
        Some(_) if file.parts == Parts::Refused => {
            return out.write_all(head(416, 0, "").as_bytes()).ok();
        }
        Some(start) => {
            let said = start - usize::from(file.parts == Parts::WrongStart);
            let early = matches!(file.parts, Parts::WrongStart | Parts::Shifted);
            let start = start - usize::from(early);
            let total = size + usize::from(file.parts == Parts::WrongTotal);
            if file.parts == Parts::WrongVersion {
                more = "ETag: \"other\"\r\n".to_owned();
            }
            let range = match file.parts {
                Parts::Nameless => String::new(),
                _ => format!("Content-Range: bytes {said}-{}/{total}\r\n", size - 1),
            };
            let head = head(206, size - start, &format!("{range}{more}"));
            out.write_all(head.as_bytes()).ok()?;
            start
        }
        None => {
            out.write_all(head(200, size, &more).as_bytes()).ok()?;
            0
        }
    };
    let end = file.end.map_or(size, |(at, _)| at);
    out.write_all(file.body.get(start..end)?).ok()?;
    if let Some((_, End::Stall(time))) = file.end {
        std::thread::sleep(time);
    }
    Some(())
}
