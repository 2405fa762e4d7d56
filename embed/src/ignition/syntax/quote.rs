//! Values of a config as messages show them: in backticks, on one line, not too long, and without
//! the control characters that would write over a terminal.

/// So many characters of a value are shown.
const SHOWN: usize = 60;

/// `text` in backticks.
pub fn quoted(text: &str) -> String {
    let mut out = String::from("`");
    for (index, char) in text.chars().enumerate() {
        if index == SHOWN {
            out.push('…');
            break;
        }
        if char.is_control() {
            out.extend(char.escape_default());
        } else {
            out.push(char);
        }
    }
    out.push('`');
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_shown_on_one_short_line() {
        assert_eq!(quoted("/etc/é"), "`/etc/é`");
        assert_eq!(quoted("a\n\u{1b}[2J"), r"`a\n\u{1b}[2J`");
        assert_eq!(quoted(&"x".repeat(60)), format!("`{}`", "x".repeat(60)));
        assert_eq!(quoted(&"x".repeat(9999)), format!("`{}…`", "x".repeat(60)));
    }
}
