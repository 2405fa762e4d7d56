//! Absolute paths in their shortest spelling, which is the only one that configs may use: two
//! spellings of one path would not be recognized as the same file.

/// Why a path was refused.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum PathError {
    /// The empty string.
    Empty,
    /// It does not begin with a slash.
    Relative,
    /// It has doubled or trailing slashes, `.` or `..`; the shortest spelling is given.
    Unclean(String),
}

/// Checks that `path` is absolute and has its shortest spelling.
pub fn check(path: &str) -> Result<(), PathError> {
    if path.is_empty() {
        return Err(PathError::Empty);
    }
    if !path.starts_with('/') {
        return Err(PathError::Relative);
    }
    let clean = clean(path);
    if clean == path {
        Ok(())
    } else {
        Err(PathError::Unclean(clean))
    }
}

/// The shortest spelling of a path that is taken to begin at the root.
pub fn clean(path: &str) -> String {
    let mut parts = Vec::new();
    for part in path.split('/') {
        match part {
            "" | "." => {}
            ".." => {
                parts.pop();
            }
            _ => parts.push(part),
        }
    }
    format!("/{}", parts.join("/"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_are_absolute_and_shortest() {
        for good in ["/", "/a", "/a/b.c", "/...", "/a b/å"] {
            assert_eq!(check(good), Ok(()), "{good}");
        }
        assert_eq!(check(""), Err(PathError::Empty));
        assert_eq!(check("a/b"), Err(PathError::Relative));
        for (bad, clean) in [
            ("/a/", "/a"),
            ("//", "/"),
            ("/a//b", "/a/b"),
            ("/./a", "/a"),
            ("/a/b/../c", "/a/c"),
            ("/../..", "/"),
        ] {
            let want = Err(PathError::Unclean(clean.to_owned()));
            assert_eq!(check(bad), want, "{bad}");
        }
    }
}
