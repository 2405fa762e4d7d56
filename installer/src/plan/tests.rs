//! Config files, merging and relations, through the real argument parser.

use std::fs;
use std::path::Path;

use clap::Parser;

use super::config_file::parse;
use super::*;
use crate::source::Retries;

#[derive(Parser)]
#[command(args_override_self = true)]
struct Line {
    #[command(flatten)]
    options: Options,
}

fn line(args: &[&str]) -> Options {
    Line::try_parse_from([&["install"], args].concat())
        .unwrap()
        .options
}

fn yaml(text: &str) -> Options {
    parse(text, Path::new("x.yaml")).unwrap()
}

#[test]
fn every_key_of_a_config_file_means_the_same_option() {
    let file = yaml(
        "stream: testing\nimage-url: http://x/i\nimage-file: /i\noffline: true\narchitecture: aarch64\n\
         stream-base-url: http://x/\nmirror: [http://m/]\n\
         image-manifest: none\n\
         image-digest: sha256-2d711642b726b04401627ca9fbac32f5c8530fb1903cc4db02258717921a4881\n\
         keyring: [/k]\nkeyring-dir: [/d]\nhttp-header: ['A: b', 'C: d']\nca-cert: [/ca]\n\
         client-cert: /cc\nclient-key: /ck\ninsecure: true\nfetch-retries: infinite\n\
         ignition-file: /c.ign\nignition-url: http://x/c\n\
         ignition-hash: sha256-2d711642b726b04401627ca9fbac32f5c8530fb1903cc4db02258717921a4881\n\
         insecure-ignition: true\nset: [a=1]\nvars: [/v]\nenv: [E]\nsecret: [s=/s]\nplatform: qemu\nconsole: [tty0, ttyS0]\nappend-karg: [a=1, b]\n\
         delete-karg: [c]\ncopy-network: true\nnetwork-dir: /n\nsave-partlabel: ['data,log*']\n\
         save-partindex: [5, 7-]\npreserve-on-error: true\nboot-entry: true\nwipe-stale-boot: true\nmemory: 64MiB\nlog-file: /l\n\
         dest-match: [serial=Z1, 'size=>=1GB']\ndest-device: /dev/sda\n",
    );
    let command = "-s|testing|-u|http://x/i|-f|/i|--offline|-a|aarch64|--stream-base-url|http://x/|\
         --mirror|http://m/|--image-manifest|none|--image-digest|\
         sha256-2d711642b726b04401627ca9fbac32f5c8530fb1903cc4db02258717921a4881|\
         --keyring|/k|--keyring-dir|/d|--http-header|A: b|--http-header|C: d|--ca-cert|\
         /ca|--client-cert|/cc|--client-key|/ck|--insecure|--fetch-retries|infinite|-i|\
         /c.ign|-I|http://x/c|--ignition-hash|\
         sha256-2d711642b726b04401627ca9fbac32f5c8530fb1903cc4db02258717921a4881|\
         --insecure-ignition|--set|a=1|--vars|/v|--env|E|--secret|s=/s|-p|qemu|--console|tty0|--console|ttyS0|--append-karg|a=1|\
         --append-karg|b|--delete-karg|c|-n|--network-dir|/n|--save-partlabel|data,log*|\
         --save-partindex|5|--save-partindex|7-|--preserve-on-error|--boot-entry|--wipe-stale-boot|--memory|64MiB|--log-file|/l|--dest-match|serial=Z1|--dest-match|size=>=1GB|/dev/sda";
    let command = line(&command.split('|').collect::<Vec<_>>());
    assert_eq!(file, command);
}

#[test]
fn lists_add_up_and_of_single_values_the_last_wins() {
    let dir = tempfile::tempdir().unwrap();
    let (one, two) = (dir.path().join("1.yaml"), dir.path().join("2.yaml"));
    fs::write(
        &one,
        "append-karg: [a]\nplatform: aws\nfetch-retries: 3\ndest-device: /dev/sda\n",
    )
    .unwrap();
    fs::write(&two, "append-karg: [b]\nplatform: gcp\ninsecure: true\n").unwrap();
    let options = line(&[
        "-c",
        one.to_str().unwrap(),
        "--append-karg",
        "c",
        "-c",
        two.to_str().unwrap(),
        "--fetch-retries",
        "1",
        "--fetch-retries",
        "infinite",
        "--firstboot-args",
        "ip=dhcp",
    ]);
    let merged = options.with_config_files().unwrap();
    assert_eq!(merged.append_karg, ["a", "b", "c"]);
    assert_eq!(merged.platform.as_deref(), Some("gcp"));
    assert_eq!(merged.fetch_retries, Some(Retries::Infinite));
    assert!(merged.insecure);
    assert_eq!(merged.dest_device.as_deref(), Some(Path::new("/dev/sda")));
    assert_eq!(merged.firstboot_args.unwrap().to_string(), "ip=dhcp");
}

#[test]
fn a_second_target_is_refused_even_if_it_is_the_same() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("1.yaml");
    fs::write(&file, "dest-device: /dev/sda\n").unwrap();
    let error = line(&["-c", file.to_str().unwrap(), "/dev/sda"])
        .with_config_files()
        .unwrap_err();
    assert_eq!(
        error.to_string(),
        "destination device is given twice: /dev/sda and /dev/sda"
    );
}

#[test]
fn a_target_is_required_only_without_config_files_and_rules() {
    assert!(Line::try_parse_from(["install"]).is_err());
    let plan = line(&["--dest-match", "serial=Z1"]).resolve().unwrap();
    assert_eq!(
        plan.target,
        Target::Match(vec!["serial=Z1".parse().unwrap()])
    );
    let options = line(&["-c", "/dev/null"]).with_config_files().unwrap();
    assert!(matches!(options.resolve(), Err(PlanError::NoTarget)));
}

#[test]
fn a_bad_config_file_is_refused_with_its_place() {
    for (text, place, part) in [
        ("stream: a\nstraem: b\n", (2, 1), "straem"),
        ("firstboot-args: ip=dhcp\n", (1, 1), "firstboot-args"),
        ("config-file: [x]\n", (1, 1), "config-file"),
        ("insecure: perhaps\n", (1, 11), "bool"),
        ("\n\nconsole: [ttyX]\n", (3, 11), "no console"),
        ("stream: a\nstream: b\n", (2, 1), "stream"),
        ("dest-match: [size=big]\n", (1, 14), "`big` is no size"),
        ("- a\n", (1, 1), "mapping"),
        ("stream: [\n", (1, 9), "expected string scalar"),
    ] {
        match parse(text, Path::new("x.yaml")) {
            Err(PlanError::ConfigFile {
                line,
                column,
                reason,
                ..
            }) => {
                assert_eq!((line, column), place, "{text:?}: {reason}");
                assert!(reason.contains(part), "{text:?}: {reason}");
            }
            other => panic!("{text:?}: {other:?}"),
        }
    }
}

#[test]
fn an_empty_config_file_changes_nothing() {
    for text in ["", "# only a comment\n", "\n\n", "{}\n"] {
        assert_eq!(yaml(text), Options::default());
    }
}

#[test]
fn the_image_is_chosen_by_what_is_given() {
    let image = |args: &[&str]| {
        line(&[args, &["/dev/sda"]].concat())
            .resolve()
            .unwrap()
            .image
    };
    let stream = |name: &str| StreamChoice {
        base_url: None,
        name: name.into(),
        architecture: None,
    };
    assert_eq!(image(&["-f", "/i"]), ImageChoice::File("/i".into()));
    assert_eq!(
        image(&["-u", "http://x"]),
        ImageChoice::Url("http://x".into())
    );
    assert_eq!(image(&[]), ImageChoice::OfflineOr(stream("stable")));
    assert_eq!(image(&["-s", "next"]), ImageChoice::Stream(stream("next")));
    let mirrored = image(&["--mirror", "http://m/"]);
    assert_eq!(mirrored, ImageChoice::Stream(stream("stable")));
    let architecture = Some("aarch64".to_owned());
    assert_eq!(
        image(&["--offline", "-a", "aarch64"]),
        ImageChoice::Offline { architecture }
    );
}

#[test]
fn options_that_exclude_each_other_are_refused_wherever_they_come_from() {
    for (text, args, message) in [
        (
            "stream: a",
            &["-f", "/i"][..],
            "--image-file cannot be used with --stream",
        ),
        (
            "image-url: http://x",
            &["-f", "/i"],
            "--image-file cannot be used with --image-url",
        ),
        (
            "image-url: http://x",
            &["--offline"],
            "--offline cannot be used with --image-url",
        ),
        (
            "stream: a",
            &["--offline"],
            "--offline cannot be used with --stream",
        ),
        (
            "mirror: [http://x/]",
            &["--offline"],
            "--offline cannot be used with --mirror",
        ),
        (
            "mirror: [http://x/]",
            &["-f", "/i"],
            "--image-file cannot be used with --mirror",
        ),
        (
            "dest-match: [serial=Z1]",
            &["-f", "/i"],
            "the destination device cannot be used with --dest-match",
        ),
        (
            "client-cert: /c",
            &["-f", "/i"],
            "--client-cert needs --client-key",
        ),
        (
            "no-validate: true",
            &["-i", "/c", "-I", "https://x"],
            "--no-validate cannot be used with several Ignition configs",
        ),
    ] {
        let options = yaml(text)
            .merge(line(&[args, &["/dev/sda"]].concat()))
            .unwrap();
        assert_eq!(options.resolve().unwrap_err().to_string(), message);
    }
}

#[test]
fn configs_are_one_value_of_several_parts() {
    let sources = |options: Options| options.resolve().unwrap().configs;
    let (file, url) = (
        |path: &str| ConfigSource::File(path.into()),
        |url: &str| ConfigSource::Url(url.into()),
    );
    let several = ["-I", "https://x", "-i", "/b", "-i", "/a", "/dev/sda"];
    assert_eq!(
        sources(line(&several)),
        [file("/b"), file("/a"), url("https://x")]
    );
    let list = yaml("ignition-file: [/b, /a]\nignition-url: [https://x]\ndest-device: /d\n");
    assert_eq!(sources(list.clone()), sources(line(&several)));
    // What comes later is in the place of all of it.
    let merged = list.clone().merge(line(&["-I", "https://y", "-c", "/x"]));
    assert_eq!(sources(merged.unwrap()), [url("https://y")]);
    let merged = list.merge(yaml("ignition-hash: []\n"));
    assert_eq!(sources(merged.unwrap()).len(), 3);
}

#[test]
fn there_is_a_digest_for_each_config_or_for_none() {
    let hash = "sha256-2d711642b726b04401627ca9fbac32f5c8530fb1903cc4db02258717921a4881";
    let hashes = |configs: &[&str], count: usize| {
        let hashes = ["--ignition-hash", hash].repeat(count);
        line(&[configs, &hashes, &["/dev/sda"]].concat()).resolve()
    };
    let two = ["-I", "http://x/a", "-i", "/b"];
    let plan = hashes(&two, 2).unwrap();
    assert_eq!((plan.configs.len(), plan.config_digests.len()), (2, 2));
    for (configs, count) in [(&two[..], 1), (&two[..], 3), (&two[2..], 2)] {
        let error = hashes(configs, count).unwrap_err();
        assert!(matches!(error, PlanError::Hashes { .. }), "{error:?}");
    }
    assert_eq!(
        hashes(&two, 1).unwrap_err().to_string(),
        "2 Ignition configs cannot be checked by 1 of `--ignition-hash`"
    );
}

#[test]
fn an_ignition_url_must_be_checkable() {
    let hash = "sha256-2d711642b726b04401627ca9fbac32f5c8530fb1903cc4db02258717921a4881";
    let resolve = |args: &[&str]| line(&[args, &["/dev/sda"]].concat()).resolve();
    for args in [
        &["-I", "https://x/c"][..],
        &["-I", "HTTP://x/c", "--insecure-ignition"],
        &["-I", "http://x/c", "--ignition-hash", hash],
    ] {
        let configs = resolve(args).unwrap().configs;
        assert!(matches!(configs[..], [ConfigSource::Url(_)]));
    }
    assert!(matches!(
        resolve(&["-I", "http://x/c"]),
        Err(PlanError::IgnitionInsecure { .. })
    ));
    assert!(matches!(
        resolve(&["-I", "ftp://x/c"]),
        Err(PlanError::IgnitionScheme { .. })
    ));
    assert!(matches!(
        resolve(&["-I", "/c"]),
        Err(PlanError::IgnitionScheme { .. })
    ));
    assert!(matches!(
        resolve(&["--ignition-hash", hash]),
        Err(PlanError::Needs { .. })
    ));
}

#[test]
fn a_manifest_that_is_named_belongs_to_an_image_that_is_named() {
    use ManifestPlace::{Beside, File, Unused, Url};
    let place = |args: &[&str]| {
        let args = [args, &["/dev/sda"]].concat();
        line(&args).resolve().map(|plan| plan.image_manifest)
    };
    let (file, url) = ("--image-file=/i", "--image-url=http://x/i");
    for (args, expected) in [
        (&[file][..], Beside),
        (&[file, "--image-manifest=/m"], File("/m".into())),
        (&[url, "--image-manifest=m"], File("m".into())),
        (
            &[url, "--image-manifest=http://x/m"],
            Url("http://x/m".into()),
        ),
        (&["--offline", "--image-manifest=none"], Unused),
    ] {
        assert_eq!(place(args).unwrap(), expected, "{args:?}");
    }
    for (args, expected) in [
        (
            [file, "--image-manifest=https://x/m"],
            "--image-manifest needs --image-url",
        ),
        (
            ["--offline", "--image-manifest=/m"],
            "--image-manifest needs --image-file or --image-url",
        ),
    ] {
        assert_eq!(place(&args).unwrap_err().to_string(), expected);
    }
}

#[test]
fn values_cannot_break_the_files_they_are_written_to() {
    for args in [
        ["--append-karg", "a\noptions b"],
        ["--delete-karg", "a\u{7}"],
        ["-p", "a b"],
        ["-p", ""],
    ] {
        let options = line(&[&args[..], &["/dev/sda"]].concat());
        assert!(
            matches!(options.resolve(), Err(PlanError::Word { .. })),
            "{args:?}"
        );
    }
    let plan = line(&["--append-karg", "a b=\"c d\"", "/dev/sda"])
        .resolve()
        .unwrap();
    assert_eq!(plan.kargs.append, ["a", "b=\"c d\""]);
}
