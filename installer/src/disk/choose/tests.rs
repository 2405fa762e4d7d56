//! Rules, and the disks that they choose or refuse to choose.

use super::*;

fn disk(name: &str, size: u64) -> DiskInfo {
    DiskInfo {
        links: vec![format!("/dev/disk/by-path/pci-0000:00:1f.2-{name}").into()],
        model: Some("ACME Fast 1".to_owned()),
        serial: Some(format!("SN-{name}")),
        transport: Some("sata"),
        ..DiskInfo::for_tests(&format!("/dev/{name}"), size)
    }
}

fn chosen(rules: &[&str], disks: &[DiskInfo]) -> Result<PathBuf, ChooseError> {
    let rules: Vec<DiskRule> = rules.iter().map(|rule| rule.parse().unwrap()).collect();
    choose(&rules, disks)
}

#[test]
fn all_rules_must_hold_for_exactly_one_disk() {
    let mut disks = vec![
        disk("sda", 100 << 30),
        disk("sdb", 500 << 30),
        disk("sdc", 1 << 40),
    ];
    disks[2].rotational = true;
    for (rules, expected) in [
        (&["serial=sn-SDA"][..], "sda"),
        (&["size=>=100GiB", "size=<200GiB"], "sda"),
        (&["size=200GiB..600GiB"], "sdb"),
        (&["size>=101GiB", "rotational=no"], "sdb"),
        (&["rotational=yes", "model=acme*"], "sdc"),
        (&["size=1099511627776"], "sdc"),
        (&["path=/dev/sdb"], "sdb"),
        (&["path=pci-*-sdb"], "sdb"),
        (&["path=/dev/disk/by-path/*sdc"], "sdc"),
    ] {
        let path = chosen(rules, &disks).unwrap();
        assert_eq!(path, PathBuf::from(format!("/dev/{expected}")), "{rules:?}");
    }
}

#[test]
fn none_and_several_are_refused_with_what_was_seen() {
    let disks = vec![disk("sda", 1 << 30), disk("sdb", 2 << 30)];
    assert_eq!(
        chosen(&["transport=sata", "removable=no"], &disks)
            .unwrap_err()
            .to_string(),
        "2 disks match `transport=sata` and `removable=no`: \
         /dev/sda (1.00 GiB, sata, ACME Fast 1, serial SN-sda); \
         /dev/sdb (2.00 GiB, sata, ACME Fast 1, serial SN-sdb)"
    );
    // Nothing is known of a name that is not told.
    assert_eq!(
        chosen(&["wwn=*"], &disks[..1]).unwrap_err().to_string(),
        "no disk matches `wwn=*`; there are: \
         /dev/sda (1.00 GiB, sata, ACME Fast 1, serial SN-sda)"
    );
    assert_eq!(
        chosen(&["wwn=*"], &[]).unwrap_err().to_string(),
        "no disk matches `wwn=*`; there are no disks at all"
    );
}

#[test]
fn a_rule_that_is_none_is_refused() {
    let size = |text: &str| DiskRuleError::Size(text.to_owned());
    for (text, error) in [
        ("serial", DiskRuleError::Form),
        ("", DiskRuleError::Form),
        ("name=x", DiskRuleError::Key("name".into())),
        ("serial=", DiskRuleError::Pattern(String::new())),
        ("serial=[", DiskRuleError::Pattern("[".into())),
        ("size=", size("")),
        ("size=100", size("")),
        ("size=1.5TB", size("1.5TB")),
        ("size=100G", size("100G")),
        ("size=-1", size("-1")),
        ("size=<0", size("<0")),
        ("size=2GB..1GB", size("2GB..1GB")),
        ("size=99999999PiB", size("99999999PiB")),
        ("rotational=maybe", DiskRuleError::YesNo("maybe".into())),
    ] {
        match text.parse::<DiskRule>() {
            Err(found) => assert_eq!(found, error, "{text}"),
            Ok(_) => assert_eq!(text, "size=100"),
        }
    }
}

#[test]
fn the_paths_of_a_multipath_device_are_that_one_disk() {
    let mut disks = ["/dev/dm-0", "/dev/sda", "/dev/sdb"].map(|path| {
        let mut disk = DiskInfo::for_tests(path, 1 << 30);
        disk.wwn = Some("0x5000c500a1b2c3d4".into());
        disk
    });
    disks[0].made_of = Some(crate::disk::Composed {
        kind: "multipath".into(),
        name: Some("mpatha".into()),
        wwid: Some("35000c500a1b2c3d4".into()),
        parts: vec!["/dev/sda".into(), "/dev/sdb".into()],
    });
    let error = chosen(&["wwn=0x5000c500a1b2c3d4"], &disks).unwrap_err();
    assert!(matches!(&error, ChooseError::Several { .. }), "{error:?}");
    for path in &mut disks[1..] {
        path.path_of = Some("/dev/dm-0".into());
    }
    for rule in [
        "wwn=0x5000c500a1b2c3d4",
        "wwn=35000c500a1b2c3d4",
        "size=1GiB",
    ] {
        let found = chosen(&[rule], &disks).unwrap();
        assert_eq!(found, std::path::Path::new("/dev/dm-0"), "{rule}");
    }
    let error = chosen(&["wwn=none"], &disks[..1]).unwrap_err().to_string();
    assert!(
        error.contains("/dev/dm-0 (1.00 GiB, multipath mpatha, wwn 0x5000c500a1b2c3d4)"),
        "{error}"
    );
}
