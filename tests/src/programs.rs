//! Where the programs under test and the repository's files are.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result, ensure};

/// Root of the repository that this program was built from.
pub fn repository() -> PathBuf {
    let tests = Path::new(env!("CARGO_MANIFEST_DIR"));
    tests.parent().unwrap_or(tests).to_owned()
}

/// Directory of this build's programs (`target/release`), found from where this one lies.
pub fn directory() -> Result<PathBuf> {
    let own = std::env::current_exe().context("finding this program's path")?;
    let directory = own.parent().context("this program lies in no directory")?;
    // Test programs lie one level deeper.
    let directory = if directory.ends_with("deps") {
        directory.parent().unwrap_or(directory)
    } else {
        directory
    };
    Ok(directory.to_owned())
}

/// Path of the program `name` of this build.
pub fn program(name: &str) -> Result<PathBuf> {
    let path = directory()?.join(name);
    ensure!(
        path.exists(),
        "{} is missing: `cargo build --release --workspace` makes it",
        path.display()
    );
    Ok(path)
}
