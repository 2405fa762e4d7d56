//! A storm of simulated machines against the server, on a cable of its own.

use std::process::Stdio;
use std::time::Duration;

use crate::cable::{Cable, done};
use crate::fixture::site_dir;
use crate::lease::SITE;

#[test]
fn a_storm_of_machines_is_leased_booted_and_installed_and_none_is_lost() {
    let Some(cable) = Cable::new("a_storm_of_machines_is_leased") else {
        return;
    };
    let dir = site_dir();
    let site = SITE.replace("10.1.0.10-10.1.0.11", "10.1.0.100-10.1.0.199");
    std::fs::write(dir.path().join("site/site.yaml"), site).unwrap();
    std::fs::write(dir.path().join("site/groups/all.yaml"), "profile: worker\n").unwrap();
    done(
        cable
            .client("ip")
            .args(["address", "add", "10.1.0.3/24", "dev", "c0"]),
    );
    let server = cable.serve(dir.path());
    let mut storm = cable.client(env!("CARGO_BIN_EXE_pxe-server"));
    storm.args(["storm", "10.1.0.2", "--from", "10.1.0.3", "--json"]);
    storm.args(["--machines", "20", "--patience", "300"]);
    let output = done(&mut storm);
    let tally: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(
        (&tally["machines"], &tally["lost"]),
        (&20.into(), &0.into()),
        "{tally}"
    );
    for step in ["firmware", "program", "ipxe", "script", "config", "install"] {
        assert_eq!(tally["steps"][step]["machines"], 20, "{step}: {tally}");
    }
    let log = server.kill();
    let leased = log.iter().filter(|line| line.contains("leased"));
    assert!(leased.count() >= 40, "the ROM and iPXE of each");

    // A storm finds out, too: two addresses are too few.
    std::fs::write(dir.path().join("site/site.yaml"), SITE).unwrap();
    std::fs::remove_dir_all(dir.path().join("state")).unwrap();
    let server = cable.serve(dir.path());
    let mut storm = cable.client(env!("CARGO_BIN_EXE_pxe-server"));
    storm.args([
        "storm", "10.1.0.2", "--from", "10.1.0.3", "--until", "firmware",
    ]);
    let output = storm
        .args(["--machines", "5", "--patience", "8"])
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(1));
    let told = String::from_utf8(output.stdout).unwrap();
    assert!(told.contains("5 machines, 3 lost"), "{told}");
    let said = String::from_utf8(output.stderr).unwrap();
    assert!(said.contains("error: 3 of 5 machines were lost"), "{said}");
    let log = server.kill();
    let exhausted = log
        .iter()
        .filter(|line| line.contains("no address is left"));
    assert_eq!(exhausted.count(), 1, "{log:#?}");
}

#[test]
fn a_site_that_is_broken_and_mended_during_a_storm_loses_no_machine() {
    let Some(cable) = Cable::new("a_site_that_is_broken_and_mended") else {
        return;
    };
    let dir = site_dir();
    let site = SITE.replace("10.1.0.10-10.1.0.11", "10.1.0.100-10.1.0.199");
    let path = dir.path().join("site/site.yaml");
    std::fs::write(&path, &site).unwrap();
    std::fs::write(dir.path().join("site/groups/all.yaml"), "profile: worker\n").unwrap();
    let address = ["address", "add", "10.1.0.3/24", "dev", "c0"];
    done(cable.client("ip").args(address));
    let server = cable.serve(dir.path());
    let mut storm = cable.client(env!("CARGO_BIN_EXE_pxe-server"));
    storm.args(["storm", "10.1.0.2", "--from", "10.1.0.3", "--json"]);
    storm.args(["--machines", "60", "--patience", "600"]);
    let mut storm = storm.stdout(Stdio::piped()).spawn().unwrap();
    while storm.try_wait().unwrap().is_none() {
        for text in ["media: [\n", &site] {
            std::fs::write(&path, text).unwrap();
            server.hang_up();
            std::thread::sleep(Duration::from_millis(30));
        }
    }
    let output = storm.wait_with_output().unwrap();
    let tally: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(tally["lost"], 0, "{tally}");
    assert_eq!(tally["steps"]["install"]["machines"], 60, "{tally}");
    let log = server.kill();
    let refused = log
        .iter()
        .filter(|line| line.contains("the changed site is refused"));
    assert!(refused.count() > 0, "{log:#?}");
}
