//! SIGTERM to the command itself, at moments at which it could wait for long.

use std::io::{BufRead as _, BufReader, Read as _};
use std::net::TcpListener;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use crate::disk::{LoopDisk, assert_unbootable};
use crate::image::{Published, Signer, compress, raw};
use crate::request::or_skip;
use crate::server::{Answer, End, File, Server};

fn start(args: &[&str]) -> Child {
    Command::new(env!("CARGO_BIN_EXE_coreos-installer"))
        .args(args)
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap()
}

/// Sends SIGTERM; the status and what was said on standard error until the end.
fn terminate(mut child: Child) -> (Option<i32>, String) {
    let sent = Command::new("kill")
        .args(["-TERM", &child.id().to_string()])
        .status();
    assert!(sent.unwrap().success());
    let status = child.wait().unwrap().code();
    let mut said = String::new();
    let mut stderr = child.stderr.take().unwrap();
    stderr.read_to_string(&mut said).unwrap();
    (status, said)
}

#[test]
fn a_server_that_accepts_and_says_nothing_is_left_at_once() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("https://{}/os.raw", listener.local_addr().unwrap());
    let child = start(&["verify", &url]);
    let (_connection, _) = listener.accept().unwrap();
    // Not how long it was silent.
    let interrupted = "error: interrupted\n".to_owned();
    assert_eq!(terminate(child), (Some(1), interrupted));
}

#[test]
fn an_install_that_waits_for_the_rest_of_its_image_is_undone() {
    let disk = or_skip!("sigterm", LoopDisk::new(64 << 20, 512));
    let signer = Signer::new();
    let bytes = compress(&raw(512), "zst");
    let signature = signer.sign(&bytes);
    let published = Published::new("os.zst", &bytes, Some(&signature), &signer);
    let stalls = File {
        end: Some((bytes.len() / 2, End::Stall(Duration::from_secs(3600)))),
        ..File::new(&bytes)
    };
    let server = Server::new([
        ("/os.zst.sig", vec![Answer::Body(signature)]),
        ("/os.zst", vec![Answer::File(stalls)]),
    ]);
    let (url, node) = (server.url("/os.zst"), disk.node.to_str().unwrap());
    let key = published.key.to_str().unwrap();
    let mut args = vec!["install", "--progress", "json", "--image-url", &url];
    args.extend(["--keyring", key, node]);
    let mut child = start(&args);
    let lines = BufReader::new(child.stdout.take().unwrap()).lines();
    let mut lines = lines.map_while(Result::ok);
    assert!(lines.any(|line| line.contains(r#""stage":"started""#)));
    let (status, said) = terminate(child);
    assert_eq!(
        (status, said),
        (
            Some(1),
            format!(
                "error: cannot install to {node}: the disk was left empty and unbootable\n\
                 cause: interrupted\n"
            )
        )
    );
    assert_unbootable(&disk.bytes(), 512, &[]);
}
