//! One server takes over from another: downloads that were begun end with the old one, byte for
//! byte, while the new one has ports and state.

use std::ffi::OsStr;
use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpStream, UdpSocket};
use std::time::Duration;

use embed::report::Event;

use crate::fixture::site_dir;
use crate::process::{Server, enlarge_rootfs, ticket_in};

/// Far more than sockets hold.
const SIZE: u64 = 64_000_000;
/// Longer than any pause of a busy machine.
const LONG: Option<Duration> = Some(Duration::from_secs(600));

/// A download that was begun and waits; nothing more of it than this was read.
fn begin_download(server: &Server) -> (TcpStream, u64) {
    let mut stream = TcpStream::connect(("127.0.0.1", server.http)).unwrap();
    stream.set_read_timeout(LONG).unwrap();
    let path = "/assets/rootfs.img?mac=52-54-00-12-34-56";
    write!(stream, "GET {path} HTTP/1.1\r\n\r\n").unwrap();
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        let mut byte = [0];
        stream.read_exact(&mut byte).unwrap();
        head.extend(byte);
    }
    assert!(head.starts_with(b"HTTP/1.1 200 "));
    let mut some = [0; 1000];
    stream.read_exact(&mut some).unwrap();
    (stream, 1000)
}

/// A TFTP transfer whose first block has come and is not acknowledged.
struct Transfer {
    socket: UdpSocket,
    from: SocketAddr,
    content: Vec<u8>,
}

fn receive(socket: &UdpSocket) -> (u16, Vec<u8>, SocketAddr) {
    let mut buffer = [0; 1024];
    let (length, from) = socket.recv_from(&mut buffer).unwrap();
    assert_eq!(buffer[..2], [0, 3], "DATA");
    let number = u16::from_be_bytes([buffer[2], buffer[3]]);
    (number, buffer[4..length].to_vec(), from)
}

impl Transfer {
    fn begin(server: &Server) -> Self {
        let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
        socket.set_read_timeout(LONG).unwrap();
        let request = b"\x00\x01undionly.kpxe\x00octet\x00";
        socket.send_to(request, ("127.0.0.1", server.tftp)).unwrap();
        let (number, content, from) = receive(&socket);
        assert_eq!(number, 1);
        Self {
            socket,
            from,
            content,
        }
    }

    /// Takes the rest; blocks that are sent again count once.
    fn finish(mut self) -> Vec<u8> {
        let mut last = 1u16;
        loop {
            let [high, low] = last.to_be_bytes();
            self.socket.send_to(&[0, 4, high, low], self.from).unwrap();
            if self.content.len() < usize::from(last) * 512 {
                return self.content;
            }
            let (number, block, _) = receive(&self.socket);
            if number == last + 1 {
                self.content.extend(block);
                last = number;
            }
        }
    }
}

#[test]
fn a_new_server_answers_while_the_old_one_ends_what_it_has_begun() {
    let dir = site_dir();
    enlarge_rootfs(dir.path(), SIZE);
    let options = ["--drain", "3600"].map(OsStr::new);
    let old = Server::start_for_site(dir.path(), &options);
    let ticket = ticket_in(&old.script());
    let (mut download, mut count) = begin_download(&old);
    let transfer = Transfer::begin(&old);
    old.ask_to_stop();
    let program = transfer.finish();
    let new = old.start_in_place_of(dir.path());
    assert_eq!((new.http, new.tftp), (old.http, old.tftp));
    assert_eq!(new.state(), "booting", "the state is the new one's");
    assert_eq!(new.report(&ticket, Event::Live, 1), 204);
    assert_eq!(Transfer::begin(&new).finish(), [1; 3000]);
    assert_eq!(program, [1; 3000], "by the old one");
    let mut piece = vec![0; 1 << 20];
    loop {
        let length = download.read(&mut piece).unwrap();
        if length == 0 {
            break;
        }
        count += length as u64;
    }
    assert_eq!(count, SIZE);
    assert_eq!(old.end(), Some(0), "nothing else keeps it");
    assert_eq!(new.state(), "live");
    new.wait_for("what the old one has observed", |new| {
        new.events().contains(&"rootfs-served".to_owned())
    });
    let left = || std::fs::read_dir(dir.path().join("state/observed")).unwrap();
    new.wait_for("its end", |_| left().next().is_none());
}

#[test]
fn a_server_waits_for_the_one_that_still_serves() {
    let dir = site_dir();
    let old = Server::start(dir.path());
    let new = std::thread::scope(|scope| {
        let starting = scope.spawn(|| old.start_in_place_of(dir.path()));
        assert_eq!(old.get("healthz").status(), 200);
        old.ask_to_stop();
        starting.join().unwrap()
    });
    assert_eq!(new.get("healthz").status(), 200);
    assert_eq!(old.end(), Some(0));
}

#[test]
fn a_second_signal_ends_downloads_under_way() {
    let dir = site_dir();
    enlarge_rootfs(dir.path(), SIZE);
    let options = ["--drain", "3600"].map(OsStr::new);
    let server = Server::start_for_site(dir.path(), &options);
    let (mut download, count) = begin_download(&server);
    server.ask_to_stop();
    server.ask_to_stop();
    server.wait_for_log("told again to stop: downloads are cut");
    assert_eq!(server.end(), Some(0));
    let mut rest = Vec::new();
    // Whether the end is orderly depends on what is still under way.
    let _ = download.read_to_end(&mut rest);
    assert!(count + (rest.len() as u64) < SIZE);
}
