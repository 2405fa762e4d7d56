//! What GRUB fetches by TFTP: its config, the machine's own script, the live system's files, and the
//! config of who has the ticket.

use std::path::Path;

use embed::report::Event;

use crate::fixture::{MAC, site_dir};
use crate::process::{Server, ticket_in};
use crate::tftp::fetch;

const BLOCKS: &[&str] = &["-b", "1024", "-w", "1"];

/// A site that starts UEFI machines by shim and GRUB.
fn grub_site() -> tempfile::TempDir {
    let dir = site_dir();
    let site = dir.path().join("site");
    std::fs::create_dir(site.join("efi")).unwrap();
    std::fs::write(site.join("efi/shimx64.efi"), [3; 700]).unwrap();
    std::fs::write(site.join("efi/grubx64.efi"), [4; 900]).unwrap();
    append(
        &site.join("site.yaml"),
        "grub: {dir: efi, uefi-x64: shimx64.efi}\n",
    );
    append(
        &site.join("profiles/worker.yaml"),
        "config-delivery: initrd\n",
    );
    dir
}

fn append(path: &Path, line: &str) {
    let text = std::fs::read_to_string(path).unwrap();
    std::fs::write(path, text + line).unwrap();
}

fn text(server: &Server, name: &str) -> String {
    String::from_utf8(fetch(server.tftp, name, BLOCKS).unwrap()).unwrap()
}

#[test]
fn a_machine_is_led_from_shim_to_its_own_kernel_line() {
    let dir = grub_site();
    let server = Server::start(dir.path());
    for (file, bytes) in [("shimx64.efi", vec![3; 700]), ("grubx64.efi", vec![4; 900])] {
        let name = format!("boot/52-54-00-12-34-56/{file}");
        assert_eq!(fetch(server.tftp, &name, BLOCKS), Some(bytes));
    }
    let first = text(&server, "grub/grub.cfg");
    assert!(first.contains("for server in 127.0.0.1; do\n"), "{first}");
    let own = "source \"(tftp,$server)/machines/$net_default_mac/grub.cfg?$said\"";
    assert!(first.contains(own), "{first}");

    let script = text(
        &server,
        &format!("machines/{MAC}/grub.cfg?&serial=S 1&asset=&product=R640 (2U)"),
    );
    let url = server.url("assets/rootfs.img?mac=52-54-00-12-34-56");
    assert!(
        script.contains(&format!("'coreos.live.rootfs_url={url}'")),
        "{script}"
    );
    assert_eq!(server.state(), "booting");
    let facts = server.machine();
    assert_eq!(facts["serial"], "S 1", "{facts}");
    assert_eq!(facts["labels"]["product"], "R640 (2U)", "{facts}");

    for (file, bytes) in [("vmlinuz", &b"kernel"[..]), ("initrd.img", b"initramfs")] {
        let served = fetch(server.tftp, &format!("assets/{file}"), BLOCKS);
        assert_eq!(served.as_deref(), Some(bytes), "{file}");
    }
    assert_eq!(fetch(server.tftp, "assets/manifest.json", BLOCKS), None);
}

#[test]
fn the_config_is_given_to_the_ticket_and_an_installed_machine_boots_its_disk() {
    let dir = grub_site();
    let server = Server::start(dir.path());
    let script = text(&server, &format!("machines/{MAC}/grub.cfg"));
    let ticket = ticket_in(&script);
    let config = |ticket: &str| format!("machines/52-54-00-12-34-56/config.img?ticket={ticket}");
    assert!(
        script.contains(&format!("\"$source/{}\"", config(&ticket))),
        "{script}"
    );
    assert_eq!(fetch(server.tftp, &config(&"0".repeat(32)), BLOCKS), None);
    let by_tftp = fetch(server.tftp, &config(&ticket), BLOCKS).unwrap();
    let by_http = server.get(&config(&ticket)).bytes().unwrap();
    assert!(by_tftp.starts_with(b"070701"));
    assert_eq!(by_tftp, by_http);

    // Asked again, it is the same ticket: nothing was lost by a script that did not arrive.
    assert_eq!(text(&server, &format!("machines/{MAC}/grub.cfg")), script);
    let device = "/dev/vda".to_owned();
    for event in [
        Event::Live,
        Event::InstallStarted { device },
        Event::Installed,
    ] {
        assert_eq!(server.report(&ticket, event, 1), 204);
    }
    let script = text(&server, &format!("machines/{MAC}/grub.cfg"));
    assert!(
        script.contains("chainloader") && !script.contains("linux"),
        "{script}"
    );
    assert_eq!(fetch(server.tftp, &config(&ticket), BLOCKS), None);
}

#[test]
fn a_program_that_is_not_there_is_named_when_the_site_is_loaded() {
    let dir = grub_site();
    let missing = dir.path().join("site/efi/shimx64.efi");
    std::fs::remove_file(&missing).unwrap();
    let checked = std::process::Command::new(env!("CARGO_BIN_EXE_pxe-server"))
        .args(["check", "--site"])
        .arg(dir.path().join("site"))
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&checked.stderr);
    assert!(
        said.contains(&format!("cannot read {}", missing.display())),
        "{said}"
    );
    assert_eq!(checked.status.code(), Some(1));
}
