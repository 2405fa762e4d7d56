//! `verify`: what it tells of a good image, and what it refuses, files and URLs alike. It writes
//! nothing, so each run is made in a directory that is read back.

use std::path::Path;
use std::process::{Command, Output};

use embed::digest::Sha256Digest;

use crate::image::{Published, SIZE, Signer, compress, raw};
use crate::server::{Answer, Server};

fn verify(args: &[&str], published: &Published) -> Output {
    let names = |dir: &Path| {
        let mut names: Vec<_> = std::fs::read_dir(dir)
            .unwrap()
            .map(|entry| entry.unwrap().file_name())
            .collect();
        names.sort();
        names
    };
    let before = names(published.dir());
    let out = Command::new(env!("CARGO_BIN_EXE_coreos-installer"))
        .current_dir(published.dir())
        .arg("verify")
        .args(args)
        .arg("--keyring")
        .arg(&published.key)
        .output()
        .unwrap();
    assert_eq!(names(published.dir()), before);
    out
}

fn text(bytes: &[u8]) -> &str {
    std::str::from_utf8(bytes).unwrap()
}

fn refused(out: &Output, error: &str) {
    assert_eq!((out.status.code(), text(&out.stdout)), (Some(1), ""));
    let said: String = text(&out.stderr)
        .lines()
        .filter(|line| !line.starts_with("read "))
        .map(|line| format!("{line}\n"))
        .collect();
    assert_eq!(said, error);
}

#[test]
fn a_good_image_is_told_with_its_signer_the_time_and_the_digest_of_the_raw_image() {
    let signer = Signer::new();
    let bytes = compress(&raw(512), "xz");
    let published = Published::new("os.xz", &bytes, Some(&signer.sign(&bytes)), &signer);
    let out = verify(&["os.xz", "--json"], &published);
    assert_eq!(out.status.code(), Some(0), "{out:?}");
    let json: serde_json::Value = serde_json::from_slice(&out.stdout).unwrap();
    let digest = Sha256Digest::of(&raw(512)).to_string();
    assert_eq!(json["image"], "os.xz");
    assert_eq!(json["size"], bytes.len());
    assert_eq!(json["digest-only"], false);
    assert_eq!(
        json["raw"],
        serde_json::json!({"size": SIZE, "sha256": digest, "sector-size": 512})
    );
    let signed = &json["signed-by"];
    assert_eq!(signed["user"], "Image Test <test@example.com>");
    let key = signed["key"].as_str().unwrap();
    assert_eq!(key.len(), 40);
    let time = signed["time"].as_str().unwrap();
    assert!(time.ends_with('Z') && time.len() == 20, "{time}");

    let out = verify(&["os.xz"], &published);
    let size = indicatif::BinaryBytes(bytes.len() as u64);
    assert_eq!(
        text(&out.stdout),
        format!(
            "image      os.xz ({size} as published)\n\
             signed by  Image Test <test@example.com>\n\
             key        {key}\n\
             signed at  {time}\n\
             raw        sha256 {digest}\n\
             \x20          {SIZE} bytes, sectors of 512 bytes\n"
        )
    );
}

#[test]
fn the_signature_may_lie_elsewhere_and_both_may_be_urls() {
    let signer = Signer::new();
    let bytes = compress(&raw(512), "zst");
    let signature = signer.sign(&bytes);
    let published = Published::new("os.zst", &bytes, None, &signer);
    std::fs::write(published.dir().join("elsewhere"), &signature).unwrap();
    let server = Server::new([
        ("/os.zst", vec![Answer::Body(bytes)]),
        ("/os.zst.sig", vec![Answer::Status(404)]),
        ("/sig", vec![Answer::Body(signature)]),
    ]);
    let (image, sig) = (server.url("/os.zst"), server.url("/sig"));
    for args in [
        ["os.zst", "elsewhere"],
        [&image, "elsewhere"],
        ["os.zst", &sig],
        [&image, &sig],
    ] {
        let out = verify(&args, &published);
        assert_eq!(out.status.code(), Some(0), "{args:?}: {out:?}");
    }
    refused(
        &verify(&[&image], &published),
        &format!(
            "error: nothing vouches for {image}: it has no signature at {image}.sig\n\
             hint:  name the signature after the image, or give the image's `--image-digest`\n"
        ),
    );
}

#[test]
fn a_flipped_bit_and_an_absent_signature_are_refused_and_a_digest_can_stand_in() {
    let signer = Signer::new();
    let mut bytes = raw(512);
    let signature = signer.sign(&bytes);
    bytes[SIZE - 1] ^= 1;
    let published = Published::new("os.raw", &bytes, Some(&signature), &signer);
    let out = verify(&["os.raw"], &published);
    assert_eq!((out.status.code(), text(&out.stdout)), (Some(1), ""));
    let said = text(&out.stderr);
    assert!(
        said.contains(&format!(
            "does not match the {SIZE} bytes read from os.raw\n"
        )),
        "{said}"
    );

    std::fs::remove_file(published.dir().join("os.raw.sig")).unwrap();
    refused(
        &verify(&["os.raw"], &published),
        "error: nothing vouches for os.raw: it has no signature at os.raw.sig\n\
         hint:  name the signature after the image, or give the image's `--image-digest`\n",
    );
    let digest = Sha256Digest::of(&bytes);
    let given = format!("sha256-{digest}");
    let out = verify(&["os.raw", "--image-digest", &given], &published);
    assert_eq!(
        text(&out.stdout),
        format!(
            "image      os.raw (40.00 MiB as published)\n\
             believed   by the digest that was given\n\
             raw        sha256 {digest}\n\
             \x20          {SIZE} bytes, sectors of 512 bytes\n"
        )
    );
}
