//! Tokens that let operators in: their roles and digests, a line each, in the file `tokens` of the
//! state directory. The tokens themselves are nowhere but with whom they were given to.

use std::fmt;
use std::fs::File;
use std::io::{self, Read as _};
use std::path::{Path, PathBuf};
use std::str::FromStr;

use embed::digest::Sha256Digest;

use crate::store::{Readers, replace};

/// What every token begins with, so that one that lies about is recognized.
const PREFIX: &str = "pxe_";
/// The file in the state directory.
const FILE: &str = "tokens";
/// Most bytes of the file.
const MOST: u64 = 1024 * 1024;

/// What somebody may do; each may what those before it may.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Role {
    /// Look.
    Viewer,
    /// Claim and reinstall machines.
    Operator,
    /// Everything.
    Admin,
}

impl Role {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Viewer, Self::Operator, Self::Admin];

    /// Its name.
    pub fn name(self) -> &'static str {
        match self {
            Self::Viewer => "viewer",
            Self::Operator => "operator",
            Self::Admin => "admin",
        }
    }
}

impl fmt::Display for Role {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// No such role.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("roles are viewer, operator and admin")]
pub struct RoleError;

impl FromStr for Role {
    type Err = RoleError;

    fn from_str(text: &str) -> Result<Self, RoleError> {
        let role = Self::ALL.into_iter().find(|role| role.name() == text);
        role.ok_or(RoleError)
    }
}

/// Why tokens cannot be read or written.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum TokenError {
    /// The file cannot be read or written.
    #[error("{} cannot be used", path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// Cause.
        #[source]
        source: io::Error,
    },
    /// A line is not a token's.
    #[error("{}:{line}: not `ROLE SHA256 NAME`", path.display())]
    Line {
        /// The file.
        path: PathBuf,
        /// Line in it, from 1.
        line: usize,
    },
    /// The name is given already, or cannot be one.
    #[error("a token cannot be called `{0}`: {1}")]
    Name(String, &'static str),
}

/// A token without its secret.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Known {
    /// Who has it.
    pub name: String,
    /// What it allows.
    pub role: Role,
    digest: Sha256Digest,
}

/// All tokens.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tokens {
    state: PathBuf,
    /// Whether there ever was one: taking the last one back lets nobody in.
    made: bool,
    known: Vec<Known>,
}

impl Tokens {
    /// Reads those of the state directory `state`; there may be none.
    pub fn load(state: &Path) -> Result<Self, TokenError> {
        let path = state.join(FILE);
        let text = read(&path).map_err(|source| TokenError::File {
            path: path.clone(),
            source,
        })?;
        let made = text.is_some();
        let text = text.unwrap_or_default();
        let mut known = Vec::new();
        for (number, line) in text.lines().enumerate() {
            known.push(parse(line).ok_or_else(|| TokenError::Line {
                path: path.clone(),
                line: number + 1,
            })?);
        }
        let state = state.to_owned();
        Ok(Self { state, made, known })
    }

    /// Whether none was ever made.
    pub fn none_made(&self) -> bool {
        !self.made
    }

    /// All of them.
    pub fn known(&self) -> &[Known] {
        &self.known
    }

    /// What `token` allows.
    pub fn role(&self, token: &str) -> Option<Role> {
        let digest = Sha256Digest::of(token.as_bytes());
        let known = self.known.iter().find(|known| known.digest == digest);
        known.map(|known| known.role)
    }

    /// Makes a token; this is the only time that it is seen.
    pub fn add(&mut self, name: &str, role: Role) -> Result<String, TokenError> {
        let wrong = |why| Err(TokenError::Name(name.to_owned(), why));
        if name.is_empty() || name.len() > 100 || name.chars().any(char::is_control) {
            return wrong("1 to 100 characters on one line");
        }
        if self.known.iter().any(|known| known.name == name) {
            return wrong("there is one of that name");
        }
        let secret: [u8; 32] = rand::random();
        let token = format!("{PREFIX}{}", hex::encode(secret));
        self.known.push(Known {
            name: name.to_owned(),
            role,
            digest: Sha256Digest::of(token.as_bytes()),
        });
        self.write()?;
        Ok(token)
    }

    /// Takes the token of that name back; whether there was one.
    pub fn revoke(&mut self, name: &str) -> Result<bool, TokenError> {
        let before = self.known.len();
        self.known.retain(|known| known.name != name);
        if self.known.len() == before {
            return Ok(false);
        }
        self.write()?;
        Ok(true)
    }

    /// Replaces the file as a whole; nobody else can read it.
    fn write(&self) -> Result<(), TokenError> {
        let lines = self
            .known
            .iter()
            .map(|Known { name, role, digest }| format!("{role} {digest} {name}\n"));
        let text: String = lines.collect();
        let written = replace(&self.state, FILE.as_ref(), text.as_bytes(), Readers::Owner);
        written.map_err(|source| TokenError::File {
            path: self.state.join(FILE),
            source,
        })
    }
}

fn read(path: &Path) -> io::Result<Option<String>> {
    let file = match File::open(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        file => file?,
    };
    let mut text = String::new();
    file.take(MOST).read_to_string(&mut text)?;
    Ok(Some(text))
}

fn parse(line: &str) -> Option<Known> {
    let (role, rest) = line.split_once(' ')?;
    let (digest, name) = rest.split_once(' ')?;
    Some(Known {
        name: name.to_owned(),
        role: role.parse().ok()?,
        digest: digest.parse().ok()?,
    })
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    #[test]
    fn a_token_is_known_by_its_digest_until_it_is_revoked() {
        let state = tempfile::tempdir().unwrap();
        let mut tokens = Tokens::load(state.path()).unwrap();
        assert!(tokens.none_made());
        let ci = tokens.add("ci job 7", Role::Operator).unwrap();
        let root = tokens.add("root", Role::Admin).unwrap();
        let file = state.path().join("tokens");
        let text = fs::read_to_string(&file).unwrap();
        assert!(
            !text.contains(&ci) && !text.contains(&ci[PREFIX.len()..]),
            "{text}"
        );
        assert_eq!(
            fs::metadata(&file).unwrap().permissions().mode() & 0o777,
            0o600
        );
        let mut tokens = Tokens::load(state.path()).unwrap();
        assert_eq!(
            (tokens.role(&ci), tokens.role(&root)),
            (Some(Role::Operator), Some(Role::Admin))
        );
        assert_eq!(tokens.role(&ci[1..]), None);
        assert_eq!(tokens.role(""), None);
        assert!(tokens.revoke("ci job 7").unwrap());
        assert!(!tokens.revoke("ci job 7").unwrap());
        assert!(tokens.revoke("root").unwrap());
        let tokens = Tokens::load(state.path()).unwrap();
        assert_eq!((tokens.role(&ci), tokens.none_made()), (None, false));
    }

    #[test]
    fn names_are_unique_and_on_one_line() {
        let state = tempfile::tempdir().unwrap();
        let mut tokens = Tokens::load(state.path()).unwrap();
        tokens.add("a", Role::Viewer).unwrap();
        for name in ["a", "", "b\nadmin x y", &"x".repeat(101)] {
            let error = tokens.add(name, Role::Viewer).unwrap_err();
            assert!(matches!(error, TokenError::Name(..)), "{error:?}");
        }
        assert_eq!(Tokens::load(state.path()).unwrap().known().len(), 1);
    }

    #[test]
    fn a_damaged_file_is_told_with_its_line() {
        let state = tempfile::tempdir().unwrap();
        let digest = "0".repeat(64);
        let text = format!("viewer {digest} a\nroot {digest} b\n");
        fs::write(state.path().join("tokens"), text).unwrap();
        let error = Tokens::load(state.path()).unwrap_err();
        assert!(
            matches!(error, TokenError::Line { line: 2, .. }),
            "{error:?}"
        );
    }

    #[test]
    fn each_role_may_what_those_before_it_may() {
        assert!(Role::Viewer < Role::Operator && Role::Operator < Role::Admin);
        for role in Role::ALL {
            assert_eq!(role.name().parse(), Ok(role));
        }
        assert_eq!("root".parse::<Role>(), Err(RoleError));
    }
}
