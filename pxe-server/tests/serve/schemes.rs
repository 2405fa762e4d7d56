//! What scripts and kernel arguments name where a site wants HTTPS, and servers that have none.

use std::path::Path;
use std::process::Command;

use crate::fixture::site_dir;
use crate::process::{Server, serve};
use crate::tftp::fetch;
use crate::tls::{Good, certificate, client, start, url, write};

/// The site as it is, with this in `site.yaml`.
fn named(dir: &Path, http: &str) {
    let text = format!("media: ../media\nipxe: {{dir: ../ipxe}}\nhttp: {http}\n");
    std::fs::write(dir.join("site/site.yaml"), text).unwrap();
}

#[test]
fn scripts_and_kernel_arguments_name_the_tls_port_where_the_site_says_so() {
    let dir = site_dir();
    let pair = certificate("one", Good::ForDays(30));
    write(dir.path(), &pair);
    named(dir.path(), "{scripts: https, kargs: https}");
    let server = start(dir.path());
    let secure = |path: &str| url(&server, path);
    let script = server.script();
    for line in [
        format!("kernel {} ", secure("assets/vmlinuz")),
        format!("initrd --name initrd.img {} ", secure("assets/initrd.img")),
        format!("chain --replace --autofree {}\n", secure("boot.ipxe")),
        format!("coreos.live.rootfs_url={}?", secure("assets/rootfs.img")),
        format!(
            "coreos.inst.ignition_url={}",
            secure("machines/52-54-00-12-34-56/ignition?version=")
        ),
        format!(
            "coreos.report_url={}?ticket=",
            secure("machines/52-54-00-12-34-56/report")
        ),
    ] {
        assert!(script.contains(&line), "{line}: {script}");
    }
    assert!(!script.contains("http://"), "{script}");
    // GRUB has no TLS; the system that it starts has.
    let grub = fetch(server.tftp, "machines/52:54:00:12:34:56/grub.cfg", &[]).unwrap();
    let grub = String::from_utf8(grub).unwrap();
    let source = format!("for source in (http,127.0.0.1:{}) ", server.http);
    assert!(grub.contains(&source), "{grub}");
    assert!(grub.contains(&secure("assets/rootfs.img")), "{grub}");
    let config = client(&pair.0).get(named_config(&script)).send().unwrap();
    assert_eq!(config.status(), 200);
    named(dir.path(), "{kargs: https}");
    server.wait_for("the change", |server| {
        server.script().contains("kernel http://")
    });
    assert!(server.script().contains("coreos.report_url=https://"));
}

/// The URL of the config in a script.
fn named_config(script: &str) -> &str {
    let (_, rest) = script.split_once("coreos.inst.ignition_url=").unwrap();
    rest.split_whitespace().next().unwrap()
}

#[test]
fn a_site_that_names_https_is_refused_where_there_is_none() {
    let dir = site_dir();
    let server = Server::start(dir.path());
    named(dir.path(), "{scripts: https}");
    server.wait_for("the refusal", |server| {
        !server.json("api/v1/site")["refused"].is_null()
    });
    let refused = server.json("api/v1/site")["refused"]["error"].clone();
    let reason = "site.yaml: `http`: https is named, and this server has no --https-port";
    assert!(refused.as_str().unwrap().ends_with(reason), "{refused}");
    assert!(server.script().contains("kernel http://"));
    assert_eq!(server.terminate(), Some(0));
    let output = serve()
        .arg("--site")
        .arg(dir.path().join("site"))
        .output()
        .unwrap();
    let said = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(1), "{said}");
    assert!(said.contains(reason), "{said}");
    named(dir.path(), "{scripts: ftp}");
    let checked = Command::new(env!("CARGO_BIN_EXE_pxe-server"))
        .args(["check", "--site"])
        .arg(dir.path().join("site"))
        .output()
        .unwrap();
    let said = String::from_utf8(checked.stderr).unwrap();
    assert!(said.contains("site.yaml:3:"), "{said}");
}
