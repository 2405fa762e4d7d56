//! The packets of a machine's boot as a capture: what tcpdump makes of it.

use std::fs::File;
use std::process::{Command, Stdio};

use crate::cable::{Cable, done};
use crate::fixture::{MAC, site_dir};
use crate::lease::SITE;
use crate::process::Server;

/// The storm's first machine.
const MACHINE: &str = "02:53:54:00:00:00";

/// What tcpdump prints of a capture; none where it is not installed.
fn tcpdump(capture: &[u8], test: &str) -> Option<String> {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("pcapng");
    std::fs::write(&path, capture).unwrap();
    let mut command = Command::new("tcpdump");
    command.args(["-nn", "-v", "-A", "-r", "-"]);
    let ran = command
        .stdin(Stdio::from(File::open(&path).unwrap()))
        .output();
    let Ok(output) = ran else {
        eprintln!("SKIP: {test}: tcpdump is not installed");
        return None;
    };
    let told = String::from_utf8_lossy(&output.stderr);
    assert!(
        output.status.success() && told.contains("link-type RAW"),
        "{told}"
    );
    Some(String::from_utf8_lossy(&output.stdout).into_owned())
}

#[test]
fn a_boot_is_captured_as_tcpdump_understands_it() {
    let test = "a_boot_is_captured_as_tcpdump_understands_it";
    let Some(cable) = Cable::new(test) else {
        return;
    };
    let dir = site_dir();
    std::fs::write(dir.path().join("site/site.yaml"), SITE).unwrap();
    std::fs::write(dir.path().join("site/groups/all.yaml"), "profile: worker\n").unwrap();
    let address = ["address", "add", "10.1.0.3/24", "dev", "c0"];
    done(cable.client("ip").args(address));
    let server = cable.serve(dir.path());
    let mut storm = cable.client(env!("CARGO_BIN_EXE_pxe-server"));
    storm.args([
        "storm",
        "10.1.0.2",
        "--from",
        "10.1.0.3",
        "--patience",
        "300",
    ]);
    done(storm.args(["--machines", "1"]));
    let mut pcap = cable.host(env!("CARGO_BIN_EXE_pxe-server"));
    let capture = done(pcap.args(["pcap", MACHINE])).stdout;
    let Some(text) = tcpdump(&capture, test) else {
        return;
    };
    let mut rest = text.as_str();
    for step in [
        "BOOTP/DHCP, Request from 02:53:54:00:00:00",
        "DHCP-Message (53), length 1: Discover",
        "BOOTP/DHCP, Reply",
        "DHCP-Message (53), length 1: Offer",
        "DHCP-Message (53), length 1: Request",
        "DHCP-Message (53), length 1: ACK",
        "RRQ \"boot/02-53-54-00-00-00/",
        "GET /ipxe?mac=02-53-54-00-00-00",
        "GET /machines/02-53-54-00-00-00/ignition?version=",
        "POST /machines/02-53-54-00-00-00/report?ticket=... HTTP/1.1",
    ] {
        let found = rest.find(step);
        assert!(
            found.is_some(),
            "{step} after what is before {rest}\nin {text}"
        );
        rest = &rest[found.unwrap()..];
    }
    let request = "TFTP, length";
    assert!(
        text.contains(request) && text.contains("RRQ \"boot/02-53-54-00-00-00/"),
        "{text}"
    );
    for wrong in ["bad cksum", "bad udp cksum", "incorrect"] {
        assert!(!text.contains(wrong), "{wrong} in {text}");
    }
    let comments = String::from_utf8_lossy(&capture);
    assert!(comments.contains("Complete: ") && comments.contains("answered 200 OK"));
    server.kill();
}

#[test]
fn what_was_not_answered_is_captured_with_its_reason() {
    let dir = site_dir();
    let site = "media: ../media\nipxe: {dir: ../ipxe}\nunknown-machines: ignore\n";
    std::fs::write(dir.path().join("site/site.yaml"), site).unwrap();
    let server = Server::start(dir.path());
    let path = format!("api/v1/machines/{MAC}/pcap");
    let answer = server.get(&path);
    assert_eq!(answer.status(), 404);
    assert_eq!(
        answer.text().unwrap(),
        format!("nothing was heard of {MAC}\n")
    );
    let socket = std::net::UdpSocket::bind("127.0.0.1:0").unwrap();
    let mut stranger = crate::dhcp::uefi(1, crate::dhcp::PXE);
    stranger[28..34].copy_from_slice(&[2, 0, 0, 0, 0, 7]);
    socket
        .send_to(&stranger, ("127.0.0.1", server.dhcp))
        .unwrap();
    let path = "api/v1/machines/02:00:00:00:00:07/pcap";
    server.wait_for("the packet", |server| server.get(path).status() == 200);
    let answer = server.get(path);
    assert_eq!(answer.headers()["content-type"], "application/x-pcapng");
    let capture = answer.bytes().unwrap();
    let text = String::from_utf8_lossy(&capture);
    let want = "not answered: no group matches, and unknown machines are ignored";
    assert!(text.contains(want), "{text}");
    assert!(
        capture
            .windows(stranger.len())
            .any(|packet| packet == stranger)
    );
}
