//! The TFTP server against the `tftpd` crate's client, directly and through a lossy network.

use std::future::ready;
use std::net::{Ipv4Addr, SocketAddr, UdpSocket};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, OnceLock};
use std::time::Duration;

use pxe_server::limit::Limiter;
use pxe_server::mac::MacAddr;
use pxe_server::machine::Event;
use pxe_server::net::PacketPort;
use pxe_server::tftp::{Asker, Content, FileSource, OpenError, Opened, Opening, TftpServer};
use pxe_server::trace::Recorder;
use tftpd::{Client, ClientConfig};

use crate::fixture::site_dir;
use crate::process::Server;

/// Files whose names are their sizes.
#[derive(Debug)]
struct Sizes;

/// Size of the largest one.
const LARGEST: usize = 92 << 20;

/// The first `size` bytes of what every file begins with. Made once: a client does not wait for long.
fn pattern(size: usize) -> Vec<u8> {
    static PATTERN: OnceLock<Vec<u8>> = OnceLock::new();
    let byte = |at: usize| (at ^ (at >> 8) ^ (at >> 16) ^ (at >> 24)).to_le_bytes()[0];
    PATTERN.get_or_init(|| (0..LARGEST).map(byte).collect())[..size].to_vec()
}

impl FileSource for Sizes {
    fn open<'a>(&'a self, name: &'a str, _asker: Asker) -> Opening<'a> {
        let opened = name.parse().map(|size| Opened {
            content: Content::Bytes(pattern(size)),
            note: None,
        });
        Box::pin(ready(opened.map_err(|_| OpenError::NotFound)))
    }

    fn arrived(&self, _mac: MacAddr, _event: Event) {}
}

/// A server of [`Sizes`] on loopback, and its port.
fn serve_sizes() -> (tokio::runtime::Runtime, u16) {
    // Before a client waits for it.
    pattern(0);
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(1)
        .enable_all()
        .build()
        .unwrap();
    let port = runtime.block_on(async {
        let bound = PacketPort::bind("TFTP", 0, &["lo".to_owned()]).unwrap();
        let port = bound.port().unwrap();
        let server = TftpServer::new(
            bound,
            Arc::new(Sizes),
            Arc::new(Limiter::new(0)),
            Recorder::default(),
        )
        .unwrap();
        tokio::spawn(async move {
            let (_stop, stopped) = tokio::sync::watch::channel(false);
            server.run(stopped).await;
        });
        port
    });
    (runtime, port)
}

/// Fetches `name` with the reference client; `None` when it says that it failed.
pub(crate) fn fetch(port: u16, name: &str, options: &[&str]) -> Option<Vec<u8>> {
    let dir = tempfile::tempdir().unwrap();
    let port = port.to_string();
    let words = [
        name,
        "-i",
        "127.0.0.1",
        "-p",
        &port,
        "-d",
        "-q",
        "-rd",
        dir.path().to_str().unwrap(),
    ];
    let config = ClientConfig::new(
        words
            .into_iter()
            .chain(options.iter().copied())
            .map(str::to_owned),
    )
    .unwrap();
    let fetched = Client::new(&config).unwrap().run().unwrap_or(false);
    let file = name.rsplit('/').next().unwrap();
    fetched.then(|| std::fs::read(dir.path().join(file)).unwrap())
}

#[test]
fn files_of_every_boundary_size_arrive_whole() {
    let (_runtime, port) = serve_sizes();
    for size in [0, 1, 511, 512, 513, 1468, 2936] {
        for options in [
            &["-b", "512", "-w", "1"][..],
            &["-b", "1468", "-w", "4"],
            &["-b", "8192", "-w", "64"],
        ] {
            assert_eq!(
                fetch(port, &size.to_string(), options),
                Some(pattern(size)),
                "{size} {options:?}"
            );
        }
    }
}

#[test]
fn block_numbers_wrap_at_32_mib_of_512_and_at_92_mib_of_1468() {
    let (_runtime, port) = serve_sizes();
    for (size, block) in [((32 << 20) + 7, "512"), (LARGEST, "1468")] {
        let got = fetch(port, &size.to_string(), &["-b", block, "-w", "32"]).unwrap();
        assert!(got == pattern(size), "{size}: {} bytes", got.len());
    }
}

#[test]
fn a_file_arrives_whole_through_one_percent_loss() {
    let (_runtime, server) = serve_sizes();
    let (proxy, lost) = lossy_proxy(server, 100);
    for (size, window) in [(400_000, "1"), (4_000_000, "8")] {
        let got = fetch(
            proxy,
            &size.to_string(),
            &["-b", "1468", "-w", window, "-t", "1"],
        );
        assert!(
            got == Some(pattern(size)),
            "window {window}: {:?} bytes",
            got.map(|got| got.len())
        );
    }
    assert!(
        lost.load(Ordering::SeqCst) > 10,
        "the proxy has lost {} packets",
        lost.load(Ordering::SeqCst)
    );
}

/// A proxy for one client at a time that loses one packet of `rate` on average, by a fixed
/// sequence. Requests are not lost: the reference client does not repeat them.
fn lossy_proxy(server: u16, rate: u64) -> (u16, Arc<AtomicU64>) {
    let near = Arc::new(UdpSocket::bind("127.0.0.1:0").unwrap());
    let far = Arc::new(UdpSocket::bind("127.0.0.1:0").unwrap());
    let request_port = SocketAddr::from((Ipv4Addr::LOCALHOST, server));
    let peers = Arc::new(Mutex::new((request_port, request_port)));
    let lost = Arc::new(AtomicU64::new(0));
    let port = near.local_addr().unwrap().port();
    let state = Arc::new(AtomicU64::new(1));
    let lose = {
        let lost = lost.clone();
        move |packet: &[u8]| {
            let next = |x: u64| {
                Some(
                    x.wrapping_mul(6_364_136_223_846_793_005)
                        .wrapping_add(1_442_695_040_888_963_407),
                )
            };
            let drawn = state
                .fetch_update(Ordering::SeqCst, Ordering::SeqCst, next)
                .unwrap()
                >> 33;
            let is_first = matches!(packet, [0, 1 | 6, ..]);
            let lose = !is_first && drawn.is_multiple_of(rate);
            lost.fetch_add(u64::from(lose), Ordering::SeqCst);
            lose
        }
    };
    for (from, to, is_near) in [(near.clone(), far.clone(), true), (far, near, false)] {
        let (peers, lose) = (peers.clone(), lose.clone());
        std::thread::spawn(move || {
            let mut buffer = [0; 2048];
            while let Ok((length, sender)) = from.recv_from(&mut buffer) {
                let packet = &buffer[..length];
                let target = {
                    let mut peers = peers.lock().unwrap();
                    if is_near {
                        peers.0 = sender;
                        if packet.starts_with(&[0, 1]) {
                            peers.1 = request_port;
                        }
                        peers.1
                    } else {
                        peers.1 = sender;
                        peers.0
                    }
                };
                if !lose(packet) {
                    let _ = to.send_to(packet, target);
                }
            }
        });
    }
    (port, lost)
}

#[test]
fn a_size_probe_then_a_transfer_is_how_uefi_asks() {
    let (_runtime, port) = serve_sizes();
    let probe = UdpSocket::bind("127.0.0.1:0").unwrap();
    probe
        .set_read_timeout(Some(Duration::from_secs(10)))
        .unwrap();
    probe
        .send_to(
            b"\0\x015000\0octet\0tsize\x000\0blksize\x001468\0windowsize\x004\0",
            ("127.0.0.1", port),
        )
        .unwrap();
    let mut buffer = [0; 2048];
    let (length, transfer) = probe.recv_from(&mut buffer).unwrap();
    assert_eq!(
        &buffer[..length],
        b"\0\x06tsize\x005000\0blksize\x001468\0windowsize\x004\0"
    );
    assert_ne!(transfer.port(), port, "a transfer has a port of its own");
    probe
        .send_to(b"\0\x05\0\x08User aborted the transfer\0", transfer)
        .unwrap();
    assert_eq!(
        fetch(port, "5000", &["-b", "1468", "-w", "4"]),
        Some(pattern(5000))
    );
}

#[test]
fn errors_name_their_kind_and_no_path() {
    let dir = site_dir();
    let server = Server::start(dir.path());
    let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
    socket
        .set_read_timeout(Some(Duration::from_secs(10)))
        .unwrap();
    for (request, want) in [
        (
            &b"\0\x01nothing\0octet\0"[..],
            &b"\0\x05\0\x01no such file\0"[..],
        ),
        (
            b"\0\x01../../media/vmlinuz\0octet\0",
            b"\0\x05\0\x01no such file\0",
        ),
        (
            b"\0\x02snponly.efi\0octet\0",
            b"\0\x05\0\x02this server is read-only\0",
        ),
        (
            b"\0\x01snponly.efi\0mail\0",
            b"\0\x05\0\x04modes are octet and netascii\0",
        ),
    ] {
        socket.send_to(request, ("127.0.0.1", server.tftp)).unwrap();
        let mut buffer = [0; 512];
        let length = socket.recv(&mut buffer).unwrap();
        assert_eq!(&buffer[..length], want);
    }
}

#[test]
fn boot_programs_and_the_generated_script_are_served_and_noted() {
    let dir = site_dir();
    let server = Server::start(dir.path());
    assert_eq!(
        fetch(
            server.tftp,
            "boot/52-54-00-12-34-56/undionly.kpxe",
            &["-b", "1468", "-w", "1"]
        ),
        Some(vec![1; 3000])
    );
    server.wait_for("nbp-served", |server| {
        server.events() == ["discovered", "nbp-served"]
    });
    assert_eq!(server.machine()["timeline"][1]["bytes"], 3000);
    let script = fetch(server.tftp, "autoexec.ipxe", &["-b", "512", "-w", "1"]).unwrap();
    let script = String::from_utf8(script).unwrap();
    assert!(
        script.contains(&format!(
            "chain --replace --autofree {}\n",
            server.url("boot.ipxe")
        )),
        "{script}"
    );
}

#[test]
fn two_hundred_transfers_at_once_all_arrive() {
    let (_runtime, port) = serve_sizes();
    let fetches: Vec<_> = (0..200)
        .map(|n| {
            std::thread::spawn(move || {
                (
                    n,
                    fetch(
                        port,
                        &(100_000 + n).to_string(),
                        &["-b", "1468", "-w", "4", "-T", "10"],
                    ),
                )
            })
        })
        .collect();
    for thread in fetches {
        let (n, got) = thread.join().unwrap();
        assert!(
            got == Some(pattern(100_000 + n)),
            "{n}: {:?} bytes",
            got.map(|got| got.len())
        );
    }
}
