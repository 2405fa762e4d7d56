//! What is embedded for what is asked.

use std::io::Read as _;

use super::*;

const PLAIN: &str = "{\"ignition\": {\"version\": \"3.3.0\"}}\n";

fn unpack(resource: &Value) -> String {
    let source = resource["source"].as_str().unwrap();
    let packed = source.strip_prefix("data:;base64,").unwrap();
    let packed = BASE64_STANDARD.decode(packed).unwrap();
    let mut text = String::new();
    flate2::read::GzDecoder::new(packed.as_slice())
        .read_to_string(&mut text)
        .unwrap();
    text
}

/// The live config of `custom`, which must be one that Ignition takes.
fn live(custom: &Customization) -> Value {
    let text = custom.live_config().unwrap().unwrap();
    Config::parse(text.as_str()).unwrap();
    serde_json::from_str(&text).unwrap()
}

/// Paths, modes and contents of the files of a config.
fn files(config: &Value) -> Vec<(String, u64, String)> {
    let files = config["storage"]["files"].as_array().unwrap().iter();
    let of = |file: &Value| {
        let path = file["path"].as_str().unwrap().to_owned();
        let mode = file["mode"].as_u64().unwrap();
        (path, mode, unpack(&file["contents"]))
    };
    files.map(of).collect()
}

fn hook(when: When, name: &str) -> Hook {
    Hook {
        when,
        name: name.into(),
        content: b"#!/bin/sh\n".to_vec(),
    }
}

#[test]
fn nothing_asked_needs_no_config() {
    assert_eq!(Customization::default().live_config(), Ok(None));
    // Keyfiles are no part of it, and without an install nothing copies them.
    let network = Customization {
        network: true,
        ..Customization::default()
    };
    assert_eq!(network.live_config(), Ok(None));
    assert!(!network.installs());
}

#[test]
fn destination_config_is_carried_byte_for_byte() {
    let dest = Config::parse(PLAIN).unwrap();
    let custom = Customization {
        dest: vec![dest.clone()],
        dest_device: Some("/dev/vda".into()),
        live: vec![dest],
        dest_kargs_append: vec!["a=b".into()],
        dest_consoles: vec!["ttyS0,9600n8".into()],
        network: true,
        ..Customization::default()
    };
    assert!(custom.installs());
    let config = live(&custom);
    let files = files(&config);
    let (path, mode, settings) = &files[1];
    assert_eq!(path, "/etc/coreos/installer.d/0000-customize.yaml");
    assert_eq!(*mode, 0o600);
    let settings: Value = serde_json::from_str(settings).unwrap();
    let want = json!({"dest-device": "/dev/vda", "ignition-file": DEST_CONFIG,
        "append-karg": ["a=b"], "console": ["ttyS0,9600n8"], "copy-network": true});
    assert_eq!(settings, want);
    assert_eq!(files[0], (DEST_CONFIG.into(), 0o600, PLAIN.into()));
    assert_eq!(unpack(&config["ignition"]["config"]["merge"][0]), PLAIN);
    assert_eq!(config.get("systemd"), None);
}

#[test]
fn several_destination_configs_and_authorities_are_wrapped() {
    let plain = Config::parse(PLAIN).unwrap();
    let custom = |dest: usize, authorities: usize| Customization {
        dest: vec![plain.clone(); dest],
        authorities: vec![b"PEM".to_vec(); authorities],
        ..Customization::default()
    };
    for (dest, authorities) in [(1, 1), (2, 0), (2, 2)] {
        let config = live(&custom(dest, authorities));
        let files = files(&config);
        let (_, _, text) = files.iter().find(|(path, ..)| path == DEST_CONFIG).unwrap();
        Config::parse(text.as_str()).unwrap();
        let inner: Value = serde_json::from_str(text).unwrap();
        let merge = inner["ignition"]["config"]["merge"].as_array().unwrap();
        assert_eq!((merge.len(), unpack(&merge[0])), (dest, PLAIN.into()));
        for config in [&config, &inner] {
            let list = &config["ignition"]["security"]["tls"]["certificateAuthorities"];
            let list: Vec<_> = list.as_array().into_iter().flatten().map(unpack).collect();
            assert_eq!(list, vec!["PEM"; authorities]);
        }
    }
    // Authorities alone are for the live system only.
    let config = live(&custom(0, 1));
    assert_eq!(config.get("storage"), None);
}

/// Upstream issue 966.
#[test]
fn the_installer_of_a_live_system_is_told_whom_ignition_trusts() {
    let mut custom = Customization {
        dest_device: Some("/dev/vda".into()),
        authorities: vec![b"ONE".to_vec(), b"TWO".to_vec()],
        installer_trusts: true,
        ..Customization::default()
    };
    let ca = |serial: usize| format!("/etc/coreos/ignition-ca/000{serial}.pem");
    let list = files(&live(&custom));
    assert_eq!(list[0], (ca(0), 0o644, "ONE".into()));
    assert_eq!(list[1], (ca(1), 0o644, "TWO".into()));
    let settings: Value = serde_json::from_str(&list[2].2).unwrap();
    let want = json!({"dest-device": "/dev/vda", "ca-cert": [ca(0), ca(1)]});
    assert_eq!(settings, want);

    // Upstream's installer refuses keys that it does not know.
    custom.installer_trusts = false;
    let list = files(&live(&custom));
    assert_eq!((list.len(), list[0].2.contains("ca-cert")), (1, false));
    // Certificates alone must not start an install.
    custom.dest_device = None;
    custom.installer_trusts = true;
    assert_eq!(live(&custom).get("storage"), None);
}

#[test]
fn installer_configs_are_numbered_in_order_and_settings_come_last() {
    let config = |name: &str| InstallerConfig {
        name: name.into(),
        content: format!("# {name}\n").into_bytes(),
    };
    let custom = Customization {
        installer_configs: vec![config("b.yaml"), config("a.yaml"), config("b.yaml")],
        network: true,
        ..Customization::default()
    };
    assert!(custom.installs());
    let files = files(&live(&custom));
    let names: Vec<&str> = files.iter().map(|(path, ..)| path.as_str()).collect();
    let want = [
        "0000-b.yaml",
        "0001-a.yaml",
        "0002-b.yaml",
        "0003-customize.yaml",
    ];
    assert_eq!(names, want.map(|name| format!("{INSTALLER_D}/{name}")));
    assert_eq!(files[0].2, "# b.yaml\n");
    let settings: Value = serde_json::from_str(&files[3].2).unwrap();
    assert_eq!(settings, json!({"copy-network": true}));
}

#[test]
fn hooks_are_programs_with_a_unit_around_the_install() {
    let custom = Customization {
        hooks: vec![hook(When::Before, "check"), hook(When::After, "check")],
        ..Customization::default()
    };
    assert!(!custom.installs());
    let config = live(&custom);
    let files = files(&config);
    let program = |path: &str| (path.to_owned(), 0o700, "#!/bin/sh\n".to_owned());
    assert_eq!(
        files,
        [
            program("/usr/local/bin/pre-install-check"),
            program("/usr/local/bin/post-install-check")
        ]
    );
    let unit = |at: usize| {
        let unit = &config["systemd"]["units"][at];
        assert_eq!(unit["enabled"], true);
        let text = unit["contents"].as_str().unwrap().to_owned();
        (unit["name"].as_str().unwrap().to_owned(), text)
    };
    let (name, text) = unit(0);
    assert_eq!(name, "pre-install-check.service");
    for line in [
        "After=coreos-installer-pre.target",
        "Before=coreos-installer.service",
        "RequiredBy=coreos-installer.service",
        "ExecStart=/usr/local/bin/pre-install-check",
    ] {
        assert!(text.lines().any(|found| found == line), "{line}: {text}");
    }
    let (name, text) = unit(1);
    assert_eq!(name, "post-install-check.service");
    for line in [
        "After=coreos-installer.service",
        "Before=coreos-installer.target",
        "RequiredBy=coreos-installer.target",
    ] {
        assert!(text.lines().any(|found| found == line), "{line}: {text}");
    }
}

#[test]
fn hooks_of_one_name_and_names_that_are_no_units_are_refused() {
    let error = |hooks: Vec<Hook>| {
        let custom = Customization {
            hooks,
            ..Customization::default()
        };
        custom.live_config().unwrap_err().to_string()
    };
    assert_eq!(
        error(vec![hook(When::Before, "x"), hook(When::Before, "x")]),
        "config already specifies path /usr/local/bin/pre-install-x"
    );
    for name in ["", "a b", "a/b", "100%", "a\n", "é"] {
        let want = format!("`{name}` cannot be part of a systemd unit's name");
        assert_eq!(error(vec![hook(When::After, name)]), want);
    }
}
