//! What stands in `examples/` is what the tools accept.

use std::process::Command;

use tests::programs::{program, repository};
use tests::site;

#[test]
fn demo_site_passes_the_servers_check() {
    let room = tempfile::tempdir().unwrap();
    let media = room.path().join("some-media");
    site::sample_media(&media).unwrap();
    let site = site::prepare(room.path(), &media).unwrap();
    let check = || {
        let mut command = Command::new(program("pxe-server").unwrap());
        command
            .arg("check")
            .arg("--site")
            .arg(&site)
            .output()
            .unwrap()
    };
    let output = check();
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );

    // The check is worth something only if it also refuses.
    std::fs::write(site.join("groups/demo.yaml"), "profile: absent\n").unwrap();
    let output = check();
    assert_eq!(
        output.status.code(),
        Some(1),
        "a group without its profile is accepted"
    );
}

#[test]
fn demo_config_is_a_valid_ignition_config() {
    let bytes = std::fs::read(site::config()).unwrap();
    let config = embed::ignition::Config::parse(bytes).unwrap();
    assert!(!config.is_newer_than_known());
}

#[test]
fn demo_config_carries_the_script_beside_it() {
    let config: serde_json::Value =
        serde_json::from_slice(&std::fs::read(site::config()).unwrap()).unwrap();
    let files = config["storage"]["files"].as_array().unwrap();
    let file = files
        .iter()
        .find(|file| file["path"] == "/usr/local/bin/demo-machine")
        .unwrap();
    let encoded = file["contents"]["source"]
        .as_str()
        .unwrap()
        .strip_prefix("data:;base64,")
        .unwrap();
    let script = repository().join("examples/demo/demo-machine.sh");
    let output = Command::new("base64")
        .arg("--wrap=0")
        .arg(&script)
        .output()
        .unwrap();
    let wanted = String::from_utf8(output.stdout).unwrap();
    assert_eq!(
        encoded,
        wanted,
        "{} has changed: put this into the config",
        script.display()
    );
}
