//! The digest that a script gives of a config, and what its URL answers: of one version, whatever
//! becomes of the site in between.

use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};

use embed::digest::Sha512Digest;

use crate::fixture::site_dir;
use crate::process::Server;

/// Has the machine's config carry this text.
fn change(dir: &Path, text: &str) {
    let config = format!(
        "variant: fcos\nversion: 1.5.0\nstorage: {{files: [{{path: /a, contents: {{inline: '{text}'}}}}]}}\n"
    );
    std::fs::write(dir.join("site/configs/worker.ign"), config).unwrap();
}

/// Path and digest of the config in a script.
fn named(script: &str) -> (String, String) {
    let value = |name: &str| {
        let (_, rest) = script.split_once(name).expect("an install script");
        rest.split_whitespace().next().unwrap().to_owned()
    };
    let url = value("coreos.inst.ignition_url=http://127.0.0.1:");
    let (_, path) = url.split_once('/').unwrap();
    (path.to_owned(), value("coreos.inst.ignition_hash=sha512-"))
}

/// Asserts that the URL answers what the digest is of.
fn assert_pair(server: &Server, script: &str) {
    let (path, digest) = named(script);
    let answer = server.get(&path);
    assert_eq!(answer.status(), 200, "{path}");
    let bytes = answer.bytes().unwrap();
    assert_eq!(Sha512Digest::of(&bytes).to_string(), digest, "{path}");
}

fn generation(server: &Server) -> u64 {
    server.json("api/v1/site")["generation"].as_u64().unwrap()
}

#[test]
fn a_script_of_before_a_change_gets_its_own_config_or_none() {
    let dir = site_dir();
    change(dir.path(), "one");
    let server = Server::start(dir.path());
    let before = server.script();
    change(dir.path(), "two");
    server.wait_for("the change", |server| generation(server) == 2);
    assert_pair(&server, &before);
    let (path, _) = named(&before);
    let without = path.split('?').next().unwrap();
    assert_eq!(server.get(without).status(), 200, "as the script has it");
    assert_eq!(server.get(&format!("{without}?version=0")).status(), 409);
    assert_eq!(server.terminate(), Some(0));
    // The first version is kept no more: it is not the second that is answered in its place.
    let server = Server::start(dir.path());
    let answer = server.get(&path);
    assert_eq!(answer.status(), 409);
    assert_eq!(
        answer.text().unwrap(),
        "the config of 52:54:00:12:34:56 has changed since the script that names this version\n"
    );
    let after = server.script();
    assert_ne!(named(&after), named(&before));
    assert_pair(&server, &after);
}

#[test]
fn machines_that_boot_while_the_site_changes_get_what_their_scripts_name() {
    let dir = site_dir();
    let everybody = dir.path().join("site/groups/all.yaml");
    std::fs::write(everybody, "profile: worker\n").unwrap();
    let server = Server::start(dir.path());
    let done = AtomicBool::new(false);
    std::thread::scope(|scope| {
        let changes = scope.spawn(|| {
            let mut changes = 0_u64;
            while !done.load(Ordering::SeqCst) || changes < 2 {
                let before = generation(&server);
                changes += 1;
                change(dir.path(), &changes.to_string());
                server.hang_up();
                server.wait_for("the change", |server| generation(server) > before);
            }
        });
        let machines = (0..4).map(|machine| {
            let server = &server;
            scope.spawn(move || {
                for _ in 0..50 {
                    let script = server.get(&format!("ipxe?mac=02-00-00-00-00-0{machine}"));
                    assert_pair(server, &script.text().unwrap());
                }
            })
        });
        let machines: Vec<_> = machines.collect();
        let ended: Vec<_> = machines.into_iter().map(|machine| machine.join()).collect();
        done.store(true, Ordering::SeqCst);
        changes.join().unwrap();
        assert!(ended.iter().all(Result::is_ok), "{ended:?}");
    });
}
