//! Choosing the disk, and the keys that count, where nothing matches.

use crate::command::run;

#[test]
fn a_rule_that_no_disk_matches_is_refused_with_what_was_seen() {
    let ran = run(
        &["install", "-f", "/i", "--dest-match", "serial=no such disk"],
        b"",
    );
    assert_eq!(ran.status, 1);
    let start = "error: no disk matches `serial=no such disk`; there are";
    assert!(ran.err.starts_with(start), "{}", ran.err);
    let end = "hint:  `coreos-installer disks` shows what can be matched\n";
    assert!(ran.err.ends_with(end), "{}", ran.err);
}

#[test]
fn a_rule_that_is_none_is_wrong_usage() {
    let ran = run(&["install", "--dest-match", "colour=red"], b"");
    assert_eq!(ran.status, 2);
    assert!(ran.err.contains("unknown key `colour`"), "{}", ran.err);
}

#[test]
fn a_rule_beside_a_device_is_wrong_usage() {
    run(&["install", "--dest-match", "serial=x", "/dev/null"], b"").fails(
        2,
        "error: the destination device cannot be used with --dest-match\n",
    );
}

#[test]
fn keys_are_read_from_a_named_directory_that_must_be_there() {
    run(&["keys", "list", "--keyring-dir", "/nonexistent"], b"").fails(
        1,
        "error: cannot read the key file /nonexistent\n\
         cause: No such file or directory (os error 2)\n",
    );
    let dir = tempfile::tempdir().unwrap();
    std::fs::write(dir.path().join("a"), "no key").unwrap();
    let path = dir.path().to_str().unwrap();
    run(&["keys", "list", "--keyring-dir", path], b"").fails(
        1,
        &format!(
            "error: {path}/a holds no OpenPGP public key\n\
             hint:  export one with `gpg --export KEY > FILE`\n"
        ),
    );
}

#[test]
fn a_client_certificate_needs_its_key() {
    let args = ["list-stream", "--client-cert", "/c"];
    assert_eq!(run(&args, b"").status, 2);
    run(
        &["install", "--client-key", "/k", "-f", "/i", "/dev/null"],
        b"",
    )
    .fails(2, "error: --client-key needs --client-cert\n");
}
