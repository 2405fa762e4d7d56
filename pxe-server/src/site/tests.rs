//! Sites read whole, and refused with the place of the mistake.

use std::path::Path;

use super::*;
use crate::fixture::{self, site_dir};
use crate::mac::MacAddr;

const MAC: MacAddr = MacAddr([0x52, 0x54, 0, 0x12, 0x34, 0x56]);

fn refused(change: impl Fn(&Path)) -> SiteError {
    let dir = site_dir();
    change(dir.path());
    Site::load(&dir.path().join("site")).unwrap_err()
}

fn write(dir: &Path, name: &str, text: &str) {
    std::fs::write(dir.join("site").join(name), text).unwrap();
}

#[test]
fn a_machine_gets_its_own_group_and_others_the_catch_all() {
    assert_eq!(MAC.to_string(), fixture::MAC);
    let dir = site_dir();
    let site = Site::load(&dir.path().join("site")).unwrap();
    assert_eq!(site.assign(&Subject::new(MAC)).unwrap().group, Some("rack"));
    assert!(site.assign(&Subject::new(MacAddr([2; 6]))).is_none());
    assert_eq!(site.named_machines(), [Subject::new(MAC)]);

    write(dir.path(), "groups/a-rest.yaml", "profile: worker\n");
    let site = Site::load(&dir.path().join("site")).unwrap();
    assert_eq!(site.assign(&Subject::new(MAC)).unwrap().group, Some("rack"));
    assert_eq!(
        site.assign(&Subject::new(MacAddr([2; 6]))).unwrap().group,
        Some("a-rest")
    );
}

#[test]
fn an_unknown_field_is_named_with_its_place() {
    let error = refused(|dir| {
        write(
            dir,
            "groups/rack.yaml",
            "profile: worker\nselector:\n  macs: []\n",
        )
    });
    let SiteError::Yaml {
        path,
        line,
        column,
        reason,
    } = error
    else {
        panic!("{error:?}")
    };
    assert!(path.ends_with("groups/rack.yaml"), "{}", path.display());
    assert_eq!((line, column), (3, 3));
    assert!(reason.contains("macs"), "{reason}");
}

#[test]
fn a_bad_address_is_named_with_its_place() {
    let error = refused(|dir| {
        write(
            dir,
            "groups/rack.yaml",
            "profile: worker\nselector:\n  mac: [52:54]\n",
        )
    });
    assert!(
        matches!(&error, SiteError::Yaml { line: 3, reason, .. } if reason.contains("52:54")),
        "{error:?}"
    );
}

#[test]
fn values_that_cannot_work_are_refused() {
    let profile = |rest: &str| format!("name: worker\nignition: worker.ign\n{rest}");
    for (name, text, want) in [
        (
            "groups/rack.yaml",
            "profile: nobody\n".to_owned(),
            "there is no profile `nobody`",
        ),
        (
            "groups/zz.yaml",
            format!("profile: worker\nselector: {{mac: ['{MAC}']}}\n"),
            "is in group `rack` already",
        ),
        (
            "profiles/worker.yaml",
            profile("install: {device: vda}\n"),
            "does not start with /dev/",
        ),
        (
            "profiles/worker.yaml",
            profile("install: {device: /dev/vda, image: published}\n"),
            "no published image",
        ),
        (
            "profiles/worker.yaml",
            profile("install: {device: /dev/vda}\nkargs: ['a b']\n"),
            "is not one word",
        ),
        (
            "profiles/worker.yaml",
            profile("install: {device: /dev/vda}\nkargs: ['a=${net0/ip}']\n"),
            "is not one word",
        ),
        (
            "profiles/other.yaml",
            profile("install: {device: /dev/vda}\n"),
            "the file is named `other`",
        ),
        (
            "profiles/worker.yaml",
            "name: worker\nignition: ../x\ninstall: {device: /dev/vda}\n".to_owned(),
            "no plain file name",
        ),
    ] {
        let error = refused(|dir| write(dir, name, &text));
        assert!(
            matches!(&error, SiteError::Value { reason, .. } if reason.contains(want)),
            "{error:?}"
        );
    }
}

#[test]
fn a_config_that_ignition_would_refuse_is_refused_with_all_its_errors() {
    for (text, want) in [
        ("{}", &["$.ignition, line 1 col 1: "][..]),
        (
            "variant: fcos\nversion: 1.5.0\nstorage: {files: [{path: a, mode: 9999}]}\n",
            &[
                "$.storage.files.0.path, line 3 col 26: ",
                "$.storage.files.0.mode, line 3 col 35: ",
            ],
        ),
    ] {
        let error = refused(|dir| write(dir, "configs/worker.ign", text));
        let SiteError::Ignition { path, source } = &error else {
            panic!("{error:?}");
        };
        assert!(path.ends_with("configs/worker.ign"));
        let told = source.to_string();
        assert!(want.iter().all(|want| told.contains(want)), "{told}");
    }
}

#[test]
fn butane_is_served_as_ignition_with_files_from_beside_it() {
    let dir = site_dir();
    let butane = "variant: fcos\nversion: 1.5.0\nstorag: {}\nstorage: {trees: [{local: tree}]}\n";
    write(dir.path(), "configs/worker.ign", butane);
    std::fs::create_dir(dir.path().join("site/configs/tree")).unwrap();
    write(dir.path(), "configs/tree/motd", "hello");
    let site = Site::load(&dir.path().join("site")).unwrap();
    let subject = Subject::new(MAC);
    let ready = site
        .config(&site.assign(&subject).unwrap(), &subject)
        .unwrap();
    let value: serde_json::Value = serde_json::from_slice(ready.config.bytes()).unwrap();
    assert_eq!(value["ignition"]["version"], "3.4.0");
    assert_eq!(value["storage"]["files"][0]["path"], "/motd");
    let warnings: Vec<&str> = site.warnings.iter().map(|w| w.text.as_str()).collect();
    assert_eq!(
        warnings,
        ["$.storag, line 3 col 1: unknown key `storag` is not used"]
    );
}

#[test]
fn media_that_do_not_match_their_manifest_are_refused() {
    let error = refused(|dir| std::fs::write(dir.join("media/rootfs.img"), "short").unwrap());
    assert!(
        matches!(&error, SiteError::Value { reason, .. } if reason.contains("the manifest says")),
        "{error:?}"
    );
    let error = refused(|dir| std::fs::remove_file(dir.join("media/vmlinuz")).unwrap());
    assert!(
        matches!(&error, SiteError::Read { path, .. } if path.ends_with("vmlinuz")),
        "{error:?}"
    );
}

#[test]
fn too_many_kernel_arguments_are_found_at_load() {
    let text = format!(
        "name: worker\nignition: worker.ign\ninstall: {{device: /dev/vda}}\nkargs: [x={}]\n",
        "y".repeat(2000)
    );
    let error = refused(|dir| write(dir, "profiles/worker.yaml", &text));
    assert!(matches!(&error, SiteError::CommandLine { .. }), "{error:?}");
}

#[test]
fn a_claim_comes_before_every_group_while_its_profile_is_there() {
    let dir = site_dir();
    let profile = "name: other\nignition: worker.ign\ninstall: {device: /dev/sda}\n";
    write(dir.path(), "profiles/other.yaml", profile);
    let site = Site::load(&dir.path().join("site")).unwrap();
    let mut subject = Subject::new(MAC);
    subject.claim = Some("other".into());
    let claimed = site.assign(&subject).unwrap();
    assert_eq!(
        (claimed.group, claimed.profile.name.as_str()),
        (None, "other")
    );
    assert_eq!(
        site.explain(&subject).chosen.unwrap().because,
        "claimed by hand"
    );
    subject.claim = Some("gone".into());
    assert_eq!(site.assign(&subject).unwrap().group, Some("rack"));
}

#[test]
fn unknown_machines_are_ignored_only_when_no_group_can_match_them() {
    let dir = site_dir();
    let base = "media: ../media\nipxe: {dir: ../ipxe}\n";
    write(
        dir.path(),
        "groups/s.yaml",
        "profile: worker\nselector: {serial: 'A*', arch: aarch64}\n",
    );
    let mut stranger = Subject::new(MacAddr([2; 6]));
    stranger.facts.say("arch", "x86_64").unwrap();
    for (policy, serves) in [("boot-disk", true), ("hold", true), ("ignore", false)] {
        write(
            dir.path(),
            "site.yaml",
            &format!("{base}unknown-machines: {policy}\n"),
        );
        let site = Site::load(&dir.path().join("site")).unwrap();
        assert!(site.may_serve(&Subject::new(MAC)), "{policy}");
        assert_eq!(site.may_serve(&stranger), serves, "{policy}");
        assert!(
            site.may_serve(&Subject::new(MacAddr([2; 6]))),
            "its serial may be A1"
        );
    }
}

#[test]
fn configs_come_with_the_live_system_where_another_server_may_stand_in() {
    let dir = site_dir();
    let path = dir.path().join("site/site.yaml");
    let text = std::fs::read_to_string(&path).unwrap();
    let load = |servers: &str| {
        write(
            dir.path(),
            "site.yaml",
            &format!("{text}servers: {servers}\n"),
        );
        Site::load(&dir.path().join("site"))
    };
    let own = Endpoint::plain([10, 0, 0, 2].into(), 8080);
    let delivery = |site: &Site| site.delivery(&site.profiles["worker"]);
    let alone = load("[10.0.0.2]").unwrap();
    assert_eq!(delivery(&alone), Delivery::Url);
    assert_eq!(alone.servers(own), Servers::alone(own));

    let two = load("[10.0.0.2, 10.0.0.3]").unwrap();
    let other = Endpoint::plain([10, 0, 0, 3].into(), 8080);
    assert_eq!(two.servers(own).others(), [other]);
    assert_eq!(delivery(&two), Delivery::Initrd);
    let profile = &dir.path().join("site/profiles/worker.yaml");
    let said = std::fs::read_to_string(profile).unwrap() + "config-delivery: url\n";
    std::fs::write(profile, said).unwrap();
    let two = load("[10.0.0.2, 10.0.0.3]").unwrap();
    assert_eq!(delivery(&two), Delivery::Url);

    let error = load("[10.0.0.2, pxe.example]").unwrap_err();
    assert!(
        matches!(&error, SiteError::Yaml { reason, .. } if reason.contains("IPv4")),
        "{error:?}"
    );
}
