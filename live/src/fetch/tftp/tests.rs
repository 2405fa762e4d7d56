//! Transfers from a server of a few lines that loses, repeats and refuses as it is told.

use std::collections::BTreeSet;
use std::thread::{self, JoinHandle};

use super::*;

const PATIENCE: Patience = Patience {
    timeout: Duration::from_millis(200),
    tries: 20,
};

/// How a server behaves.
#[derive(Clone, Default)]
struct Manners {
    /// Options that it agrees to; none is a server of 1992.
    options: &'static [(&'static str, &'static str)],
    /// Blocks, counted from 1 without wrapping, that it drops the first time.
    lose: BTreeSet<usize>,
    /// What it answers to any request.
    refuse: Option<(u16, &'static str)>,
}

/// Serves `data` once, and gives the request that it got.
fn serve(data: Vec<u8>, manners: Manners) -> (u16, JoinHandle<Vec<u8>>) {
    let listener = UdpSocket::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let server = thread::spawn(move || {
        let mut request = [0u8; 2000];
        let (length, client) = listener.recv_from(&mut request).unwrap();
        // A transfer has a port of its own (RFC 1350 section 4).
        let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
        socket.connect(client).unwrap();
        match manners.refuse {
            Some((code, text)) => {
                let head = [ERROR.to_be_bytes(), code.to_be_bytes()].concat();
                let packet = [head.as_slice(), text.as_bytes(), b"\0"].concat();
                socket.send(&packet).unwrap();
            }
            None => send_all(&socket, &data, manners),
        }
        request[..length].to_vec()
    });
    (port, server)
}

fn send_all(socket: &UdpSocket, data: &[u8], mut manners: Manners) {
    let option = |name: &str, default: usize| {
        let found = manners.options.iter().find(|(n, _)| *n == name);
        found.map_or(default, |(_, value)| value.parse().unwrap())
    };
    let (block, window) = (option("blksize", SMALL_BLOCK), option("windowsize", 1));
    let blocks = data.len() / block + 1;
    let mut acknowledged = 0;
    if !manners.options.is_empty() {
        let mut packet = OACK.to_be_bytes().to_vec();
        for (name, value) in manners.options {
            packet.extend(format!("{name}\0{value}\0").as_bytes());
        }
        socket.send(&packet).unwrap();
        acknowledged = wait(socket, 0);
    }
    while acknowledged < blocks {
        for number in acknowledged + 1..=(acknowledged + window).min(blocks) {
            if manners.lose.remove(&number) {
                continue;
            }
            let start = (number - 1) * block;
            let bytes = &data[start..(start + block).min(data.len())];
            let wire = u16::try_from(number % 65536).unwrap();
            let head = [DATA.to_be_bytes(), wire.to_be_bytes()].concat();
            socket.send(&[head.as_slice(), bytes].concat()).unwrap();
        }
        acknowledged = wait(socket, acknowledged);
    }
}

/// The number of the block that the client acknowledges, `last` or one behind it.
fn wait(socket: &UdpSocket, last: usize) -> usize {
    let mut packet = [0u8; 4];
    socket.recv(&mut packet).unwrap();
    assert_eq!(packet[..2], ACK.to_be_bytes());
    let number = u16::from_be_bytes([packet[2], packet[3]]);
    let ahead = number.wrapping_sub(u16::try_from(last % 65536).unwrap());
    last + usize::from(ahead)
}

fn data(length: usize) -> Vec<u8> {
    (0..length)
        .map(|n| u8::try_from(n % 251).unwrap())
        .collect()
}

fn fetched(data: Vec<u8>, manners: Manners) -> (Result<Vec<u8>, TftpError>, Vec<u8>) {
    let (port, server) = serve(data, manners);
    let result = Transfer::open(&format!("tftp://127.0.0.1:{port}/a%20dir/file"), PATIENCE);
    let result = result.map(|mut transfer| {
        let mut out = Vec::new();
        transfer.read_to_end(&mut out).unwrap();
        out
    });
    (result, server.join().unwrap())
}

const MODERN: &[(&str, &str)] = &[("blksize", "1428"), ("windowsize", "16"), ("tsize", "1")];

#[test]
fn a_file_arrives_whole_whatever_the_server_agrees_to() {
    for length in [0, 511, 512, 1428 * 16, 100_000] {
        for options in [&[], MODERN, &[("blksize", "600")]] {
            let manners = Manners {
                options,
                ..Manners::default()
            };
            let (result, request) = fetched(data(length), manners);
            assert!(result.unwrap() == data(length), "{length} {options:?}");
            assert!(request.starts_with(b"\0\x01a dir/file\0octet\0blksize\x001428\0"));
        }
    }
}

#[test]
fn lost_blocks_are_sent_again() {
    for lose in [vec![1], vec![2, 3], vec![16], vec![17, 40], vec![71]] {
        let manners = Manners {
            options: MODERN,
            lose: lose.iter().copied().collect(),
            ..Manners::default()
        };
        let (result, _) = fetched(data(100_000), manners);
        assert!(result.unwrap() == data(100_000), "{lose:?}");
    }
}

#[test]
fn block_numbers_go_on_at_zero() {
    let long = data(66_000 * 8);
    let manners = Manners {
        options: &[("blksize", "8"), ("windowsize", "16")],
        ..Manners::default()
    };
    assert!(fetched(long.clone(), manners).0.unwrap() == long);
}

#[test]
fn refusals_say_why_and_whether_to_ask_again() {
    for (code, is_final) in [(1, true), (2, true), (0, false), (3, false)] {
        let manners = Manners {
            refuse: Some((code, "not today")),
            ..Manners::default()
        };
        let error = fetched(Vec::new(), manners).0.unwrap_err();
        assert_eq!(
            error.to_string(),
            format!("server answered error {code}: not today")
        );
        assert_eq!(error.is_final(), is_final);
    }
}

#[test]
fn options_that_were_not_asked_for_are_refused() {
    let manners = Manners {
        options: &[("blksize", "65464")],
        ..Manners::default()
    };
    let (port, _server) = serve(data(10), manners);
    let error = Transfer::open(&format!("tftp://127.0.0.1:{port}/file"), PATIENCE).unwrap_err();
    assert!(matches!(error, TftpError::Protocol), "{error}");
    for url in [
        "tftp://host",
        "tftp:///file",
        "tftp://host/%00",
        "not a url",
    ] {
        let error = Transfer::open(url, PATIENCE).unwrap_err();
        assert!(matches!(error, TftpError::Url), "{url}: {error}");
    }
}

#[test]
fn packets_that_are_cut_or_of_another_kind_are_no_tftp() {
    for bad in [
        b"".as_slice(),
        b"\0",
        b"\0\x03",
        b"\0\x03\0",
        b"\0\x05\0",
        b"\0\x01file\0octet\0",
        b"\xff\xff\0\0",
    ] {
        assert!(matches!(parse(bad), Err(TftpError::Protocol)), "{bad:02x?}");
    }
    let half = parse(b"\0\x06blksize\0").unwrap();
    assert!(matches!(half, Packet::Options(options) if options.is_empty()));
}
