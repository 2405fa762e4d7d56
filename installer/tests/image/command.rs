//! The command on a real disk: `--dry-run` first and then the install, choosing the disk, and what
//! programs and logs get to see.

use std::path::Path;
use std::process::{Command, Output};

use installer::disk::DiskInfo;
use installer::disk::SaveFilter;
use installer::install::{DiskState, InstallCause, rehearse};
use installer::observe::Silent;
use installer::seal::SealError;

use crate::disk::{LoopDisk, OLD};
use crate::image::{Published, SIZE, Signer, compress, raw};
use crate::request::{or_skip, request, run};

const DISK: usize = 64 * 1024 * 1024;

fn signed() -> Published {
    let signer = Signer::new();
    let bytes = compress(&raw(512), "zst");
    Published::new("os.zst", &bytes, Some(&signer.sign(&bytes)), &signer)
}

fn command(args: &[&str], published: &Published) -> Output {
    Command::new(env!("CARGO_BIN_EXE_coreos-installer"))
        .args(args)
        .arg("--keyring")
        .arg(&published.key)
        .arg("--image-file")
        .arg(&published.image)
        .output()
        .unwrap()
}

fn text(bytes: &[u8]) -> &str {
    std::str::from_utf8(bytes).unwrap()
}

#[test]
fn a_dry_run_tells_the_plan_and_touches_nothing() {
    let disk = or_skip!("dry_run", LoopDisk::new(DISK, 512));
    let published = signed();
    let size = std::fs::metadata(&published.image).unwrap().len();
    let (node, image) = (disk.node.display(), published.image.display());
    let args = ["install", "--dry-run", "--append-karg", "nosmt"];
    let args = [&args[..], &[disk.node.to_str().unwrap()]].concat();
    let out = command(&args, &published);
    assert_eq!(
        (text(&out.stdout), text(&out.stderr)),
        (
            format!(
                "dry run; nothing was written\n\
                 image     {image} ({} as published)\n\
                 checked   by its signature\n\
                 disk      {node} (64.00 MiB, sectors of 512 bytes)\n\
                 erased    nothing known\n\
                 written   partitions BIOS-BOOT, EFI-SYSTEM, boot, root\n\
                 kargs     +nosmt\n",
                indicatif::BinaryBytes(size)
            )
            .as_str(),
            ""
        )
    );
    assert!(out.status.success());
    assert!(disk.bytes().iter().all(|byte| *byte == OLD));

    // Over a system, keeping one of its partitions that is in the way.
    run(request(&published, &disk)).unwrap();
    let before = disk.bytes();
    let out = command(&args, &published);
    assert!(
        text(&out.stdout)
            .contains("erased    partitions 1 `BIOS-BOOT`, 2 `EFI-SYSTEM`, 3 `boot`, 4 `root`\n"),
        "{out:?}"
    );
    let mut keeping = request(&published, &disk);
    keeping.save = SaveFilter::labels("root").unwrap();
    let error = rehearse(&keeping, &Silent, &installer::cancel::Cancel::new()).unwrap_err();
    assert!(
        matches!(error.source, InstallCause::Seal(SealError::Saved(_))),
        "{error:?}"
    );
    assert_eq!(error.state, DiskState::Untouched);
    assert!(disk.bytes() == before);
}

#[test]
fn a_dry_run_fails_as_the_real_one_would() {
    let disk = or_skip!("dry_run_fails", LoopDisk::new(DISK, 512));
    let published = signed();
    std::fs::remove_file(published.image.with_extension("zst.sig")).unwrap();
    let args = |more: &'static [&'static str]| {
        let node = disk.node.to_str().unwrap().to_owned();
        let all = [&["install"], more].concat();
        all.into_iter()
            .map(str::to_owned)
            .chain([node])
            .collect::<Vec<_>>()
    };
    let ran = |args: Vec<String>| {
        let args: Vec<&str> = args.iter().map(String::as_str).collect();
        let out = command(&args, &published);
        (
            out.status.code(),
            text(&out.stderr).to_owned(),
            out.stdout.len(),
        )
    };
    let dry = ran(args(&["--dry-run"]));
    assert_eq!(dry.0, Some(1));
    assert!(dry.1.contains("has no signature at"), "{}", dry.1);
    assert_eq!(dry, ran(args(&["--progress", "none"])));
    assert!(disk.bytes().iter().all(|byte| *byte == OLD));
}

#[test]
fn a_disk_is_chosen_by_a_rule_and_programs_and_the_log_see_the_install() {
    let disk = or_skip!("dest_match", LoopDisk::new(DISK, 512));
    let published = signed();
    let log = published.dir().join("log");
    std::fs::write(&log, "earlier\n").unwrap();
    let rule = format!("path={}", disk.node.display());
    let args = ["install", "--progress", "json", "--dest-match", &rule];
    let out = command(
        &[&args[..], &["--log-file", log.to_str().unwrap()]].concat(),
        &published,
    );
    assert!(out.status.success(), "{out:?}");
    assert!(disk.bytes()[..SIZE] == raw(512)[..]);
    let lines: Vec<&str> = text(&out.stdout).lines().collect();
    assert_eq!(
        lines[0],
        format!(
            r#"{{"version":1,"stage":"started","target":"{}"}}"#,
            disk.node.display()
        )
    );
    assert_eq!(lines.last(), Some(&r#"{"version":1,"stage":"done"}"#));
    let log = std::fs::read_to_string(log).unwrap();
    let mut log = log.lines();
    assert_eq!(log.next(), Some("earlier"));
    let said: Vec<&str> = log
        .map(|line| {
            let (time, said) = line.split_once(' ').unwrap();
            assert!(time.ends_with('Z') && time.len() == 20, "{time}");
            said
        })
        .collect();
    let node = disk.node.display();
    assert_eq!(said[0], format!("the disk is {node}"));
    assert_eq!(said[1], format!("writing to {node}"));
    let installed = format!("installed {} to {node}", published.image.display());
    assert!(said.contains(&installed.as_str()), "{said:?}");
}

#[test]
fn disks_are_listed_with_what_is_on_them() {
    let disk = or_skip!("disks", LoopDisk::new(DISK, 512));
    run(request(&signed(), &disk)).unwrap();
    let disks: Vec<DiskInfo> = installer::disk::disks().unwrap();
    let info = disks.iter().find(|info| info.path == disk.node).unwrap();
    assert_eq!((info.size, info.sector_size), (DISK as u64, 512));
    assert_eq!(info.transport, Some("loop"));
    assert_eq!(info.busy, Vec::<String>::new());
    let partitions: Vec<_> = info.content.as_ref().unwrap().partitions.iter().collect();
    let held: Vec<_> = partitions
        .iter()
        .map(|p| {
            let holds = p
                .holds
                .as_ref()
                .map(|held| (held.kind, held.label.as_str()));
            (p.number, p.label.as_str(), holds)
        })
        .collect();
    assert_eq!(
        held,
        [
            (1, "BIOS-BOOT", None),
            (2, "EFI-SYSTEM", None),
            (3, "boot", Some(("ext4", "boot"))),
            (4, "root", None),
        ]
    );
    let out = Command::new(env!("CARGO_BIN_EXE_coreos-installer"))
        .args(["disks", "--json"])
        .output()
        .unwrap();
    let json: serde_json::Value = serde_json::from_slice(&out.stdout).unwrap();
    let found = json
        .as_array()
        .unwrap()
        .iter()
        .find(|one| Path::new(one["path"].as_str().unwrap()) == disk.node)
        .unwrap();
    assert_eq!(found["sector-size"], 512);
    assert_eq!(found["content"]["partitions"][2]["holds"]["kind"], "ext4");
}
