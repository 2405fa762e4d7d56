//! What a config made, as a text with one line per thing, read from the system and not from the
//! config: the same text means the same users, files and units, however the config came here.
//!
//! Order follows the names, not the config. What differs between machines by nature is left out.

use std::collections::BTreeSet;
use std::fs;
use std::io;
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};

use embed::digest::Sha256Digest;

use super::merged::{MergedConfig, Unit};

/// Different on every machine, whatever the config says.
const BY_NATURE: [&str; 2] = ["/etc/machine-id", "/etc/.ignition-result.json"];
const UNITS: &str = "etc/systemd/system";

/// Describes everything that `config` names below `root`. Things that are not there are said to be
/// missing; only a file that cannot be read is an error.
pub fn describe(config: &MergedConfig, root: &Path) -> io::Result<String> {
    let mut lines = BTreeSet::new();
    for user in &config.passwd.users {
        lines.insert(user_line(root, &user.name)?);
    }
    for group in &config.passwd.groups {
        let entry = entry(root, "etc/group", &group.name)?;
        lines.insert(format!(
            "group {} {}",
            group.name,
            entry.map_or("missing".to_owned(), |f| f.join(":"))
        ));
    }
    let storage = &config.storage;
    for node in storage
        .files
        .iter()
        .chain(&storage.directories)
        .chain(&storage.links)
    {
        if !BY_NATURE.contains(&node.path.as_str()) {
            lines.insert(node_line(root, &node.path)?);
        }
    }
    for unit in &config.systemd.units {
        lines.insert(unit_line(root, unit)?);
    }
    Ok(lines.into_iter().map(|line| line + "\n").collect())
}

fn user_line(root: &Path, name: &str) -> io::Result<String> {
    let Some(fields) = entry(root, "etc/passwd", name)? else {
        return Ok(format!("user {name} missing"));
    };
    let home = fields.get(5).cloned().unwrap_or_default();
    let password = entry(root, "etc/shadow", name)?
        .and_then(|fields| fields.get(1).cloned())
        .unwrap_or_default();
    let mut groups: Vec<String> = read(&root.join("etc/group"))?
        .lines()
        .filter_map(|line| {
            let fields: Vec<&str> = line.split(':').collect();
            let member = fields.get(3)?.split(',').any(|member| member == name);
            member.then(|| (*fields.first().unwrap_or(&"")).to_owned())
        })
        .collect();
    groups.sort();
    let ssh = below(root, &home).join(".ssh");
    let keys = [
        ssh.join("authorized_keys.d/ignition"),
        ssh.join("authorized_keys"),
    ];
    let keys: Vec<String> = keys
        .iter()
        .map(|path| content(path))
        .collect::<io::Result<_>>()?;
    Ok(format!(
        "user {} password {} groups {} keys {}",
        fields.join(":"),
        Sha256Digest::of(password.as_bytes()),
        groups.join(","),
        keys.join(" ")
    ))
}

fn node_line(root: &Path, path: &str) -> io::Result<String> {
    let real = below(root, path);
    let metadata = match fs::symlink_metadata(&real) {
        Ok(metadata) => metadata,
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            return Ok(format!("path {path} missing"));
        }
        Err(error) => return Err(error),
    };
    let owner = format!(
        "{:04o} {}:{}",
        metadata.permissions().mode() & 0o7777,
        metadata.uid(),
        metadata.gid()
    );
    Ok(if metadata.is_symlink() {
        format!(
            "link {path} {}:{} {}",
            metadata.uid(),
            metadata.gid(),
            fs::read_link(&real)?.display()
        )
    } else if metadata.is_dir() {
        format!("directory {path} {owner}")
    } else {
        format!("file {path} {owner} {}", content(&real)?)
    })
}

fn unit_line(root: &Path, unit: &Unit) -> io::Result<String> {
    let dir = root.join(UNITS);
    let file = dir.join(&unit.name);
    let state = match fs::read_link(&file) {
        Ok(target) if target == Path::new("/dev/null") => "masked".to_owned(),
        _ => content(&file)?,
    };
    let mut dropins: Vec<String> = unit
        .dropins
        .iter()
        .map(|dropin| {
            Ok(format!(
                "{}={}",
                dropin.name,
                content(&dir.join(format!("{}.d", unit.name)).join(&dropin.name))?
            ))
        })
        .collect::<io::Result<_>>()?;
    dropins.sort();
    Ok(format!(
        "unit {} {state} enabled {} dropins {}",
        unit.name,
        enabled_by(&dir, &unit.name)?.join(","),
        dropins.join(",")
    ))
}

/// Names of the links in `*.wants`, `*.requires` and the directory itself that lead to the unit,
/// which is what enabling it leaves behind.
fn enabled_by(dir: &Path, unit: &str) -> io::Result<Vec<String>> {
    let mut found = Vec::new();
    for path in list(dir)? {
        let name = path
            .file_name()
            .unwrap_or_default()
            .to_string_lossy()
            .into_owned();
        if name.ends_with(".wants") || name.ends_with(".requires") {
            if fs::symlink_metadata(path.join(unit)).is_ok() {
                found.push(name);
            }
        } else if name != unit
            && fs::read_link(&path)
                .is_ok_and(|target| target.file_name().is_some_and(|file| file == unit))
        {
            found.push(format!("alias {name}"));
        }
    }
    found.sort();
    Ok(found)
}

fn list(dir: &Path) -> io::Result<Vec<PathBuf>> {
    match fs::read_dir(dir) {
        Ok(entries) => entries.map(|entry| Ok(entry?.path())).collect(),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Vec::new()),
        Err(error) => Err(error),
    }
}

/// The fields of the line of `file` whose first field is `name`.
fn entry(root: &Path, file: &str, name: &str) -> io::Result<Option<Vec<String>>> {
    let text = read(&root.join(file))?;
    let fields = |line: &str| line.split(':').map(str::to_owned).collect::<Vec<_>>();
    Ok(text
        .lines()
        .map(fields)
        .find(|fields| fields.first().is_some_and(|first| first == name)))
}

fn content(path: &Path) -> io::Result<String> {
    match fs::File::open(path) {
        Ok(file) => Ok(Sha256Digest::of_reader(file)?.0.to_string()),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok("none".to_owned()),
        Err(error) => Err(error),
    }
}

fn read(path: &Path) -> io::Result<String> {
    match fs::read(path) {
        Ok(bytes) => Ok(String::from_utf8_lossy(&bytes).into_owned()),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(String::new()),
        Err(error) => Err(error),
    }
}

fn below(root: &Path, path: &str) -> PathBuf {
    root.join(path.trim_start_matches('/'))
}

#[cfg(test)]
mod tests;
