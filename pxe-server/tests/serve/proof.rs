//! `proof: link`: another host on the same cable names the machine's MAC address, and gets neither its
//! script nor its config, by whichever protocol it asks.

use crate::cable::{Cable, done};
use crate::fixture::{MAC, site_dir};
use crate::process::ticket_in;

/// What the host at the cable's other end is, in turns.
const MACHINE: [&str; 2] = [MAC, "10.1.0.5/24"];
const STRANGER: [&str; 2] = ["02:00:00:00:00:66", "10.1.0.66/24"];

/// Makes the client's host another one.
fn become_host(cable: &Cable, [mac, address]: [&str; 2]) {
    for words in [
        &["address", "flush", "dev", "c0"][..],
        &["link", "set", "c0", "down"],
        &["link", "set", "c0", "address", mac],
        &["link", "set", "c0", "up"],
        &["address", "add", address, "dev", "c0"],
    ] {
        done(cable.client("ip").args(words));
    }
}

/// The body of the answer, or all of what is none with status 200.
fn get(cable: &Cable, path: &str) -> Result<String, String> {
    let script = "exec 3<>/dev/tcp/10.1.0.2/8080
        printf 'GET /%s HTTP/1.1\\r\\nHost: x\\r\\nConnection: close\\r\\n\\r\\n' \"$0\" >&3
        exec cat <&3";
    let output = done(cable.client("bash").args(["-euc", script, path]));
    let answer = String::from_utf8_lossy(&output.stdout).into_owned();
    match answer.split_once("\r\n\r\n") {
        Some((head, body)) if head.starts_with("HTTP/1.1 200 ") => Ok(body.to_owned()),
        _ => Err(answer),
    }
}

/// The file, or what the server says of its refusal.
fn fetch(cable: &Cable, name: &str) -> Result<String, String> {
    let words = ["tftp", "-g", "-r", name, "-l", "-", "10.1.0.2"];
    let output = cable.client("busybox").args(words).output().unwrap();
    match output.status.success() {
        true => Ok(String::from_utf8_lossy(&output.stdout).into_owned()),
        false => Err(String::from_utf8_lossy(&output.stderr).into_owned()),
    }
}

#[test]
fn who_names_another_machine_gets_nothing_of_its() {
    let Some(cable) = Cable::new("proof::who_names_another_machine_gets_nothing_of_its") else {
        return;
    };
    let dir = site_dir();
    let profile = dir.path().join("site/profiles/worker.yaml");
    let text = std::fs::read_to_string(&profile).unwrap() + "proof: link\n";
    let text = text.replace("worker.ign", "worker.ign.j2");
    std::fs::write(&profile, text).unwrap();
    let template = r#"{"ignition":{"version":"3.4.0"},"storage":{"files":[{"path":"/serial",
        "contents":{"source":"data:,{{ machine.serial | default('untold') }}"}}]}}"#;
    std::fs::write(dir.path().join("site/configs/worker.ign.j2"), template).unwrap();
    let server = cable.serve(dir.path());
    let script = format!("ipxe?mac={MAC}&serial=stolen");
    let (grub, config) = (
        format!("machines/{MAC}/grub.cfg?&serial=stolen"),
        format!("machines/{MAC}/ignition"),
    );

    become_host(&cable, STRANGER);
    for waits in [get(&cable, &script), fetch(&cable, &grub)] {
        let waits = waits.unwrap();
        assert!(waits.contains("does not know it by its address"), "{waits}");
        assert!(!waits.contains("ticket"), "{waits}");
    }
    let refused = get(&cable, &config).unwrap_err();
    assert!(refused.contains("403 Forbidden"), "{refused}");

    become_host(&cable, MACHINE);
    let own = get(&cable, &format!("ipxe?mac={MAC}")).unwrap();
    let initrd = format!("machines/{MAC}/config.img?ticket={}", ticket_in(&own));
    let given = get(&cable, &config).unwrap();
    assert!(given.contains("data:,untold"), "believed: {given}");
    assert!(get(&cable, &initrd).unwrap().contains("070701"));
    assert!(fetch(&cable, &initrd).unwrap().contains("070701"));

    become_host(&cable, STRANGER);
    for path in [&config, &initrd] {
        let refused = get(&cable, path).unwrap_err();
        assert!(refused.contains("403 Forbidden"), "{refused}");
    }
    let refused = fetch(&cable, &initrd).unwrap_err();
    assert!(refused.contains("`proof: link`"), "{refused}");

    become_host(&cable, MACHINE);
    assert_eq!(get(&cable, &config).unwrap(), given);
    assert!(get(&cable, &initrd).unwrap().contains("070701"));

    let log = server.kill().join("\n");
    let told = format!("no install: the link does not know {MAC} by the address 10.1.0.66");
    assert!(log.contains(&told), "{log}");
    assert!(!log.contains("stolen"), "{log}");
}
