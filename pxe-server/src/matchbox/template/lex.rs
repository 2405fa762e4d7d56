//! A template's text cut into literal text and the words of its actions, each with its line.

use super::TemplateError;

/// Words of one template.
const MAX_TOKENS: usize = 200_000;

/// A word of an action, or text between actions.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Token {
    /// Text as it is.
    Text(String),
    /// `{{`
    Open,
    /// `}}`
    Close,
    /// `if`, `index`, `true` …
    Word(String),
    /// `.name`, or `.` alone with an empty name.
    Field(String),
    /// `$name`, or `$` alone.
    Variable(String),
    /// A quoted text.
    Quoted(String),
    /// A number.
    Number(serde_json::Number),
    /// `(`, `)`, `|`, `,`, `:=` or `=`.
    Sign(&'static str),
    /// White space, where it parts two operands.
    Space,
}

/// A word and the line that it is on, from 1.
pub(super) type Placed = (Token, usize);

pub(super) fn lex(text: &str) -> Result<Vec<Placed>, TemplateError> {
    let mut lexer = Lexer {
        rest: text,
        line: 1,
        tokens: Vec::new(),
    };
    let mut trim = false;
    loop {
        let (literal, rest) = match lexer.rest.find("{{") {
            Some(at) => lexer.rest.split_at(at),
            None => (lexer.rest, ""),
        };
        let trimmed_left = if trim { literal.trim_start() } else { literal };
        let trims_right = rest.strip_prefix("{{-").is_some_and(begins_with_space);
        let kept = if trims_right {
            trimmed_left.trim_end()
        } else {
            trimmed_left
        };
        if !kept.is_empty() {
            lexer.push(Token::Text(kept.to_owned()))?;
        }
        lexer.skip(literal.len());
        if rest.is_empty() {
            return Ok(lexer.tokens);
        }
        lexer.skip(if trims_right { 3 } else { 2 });
        trim = lexer.action()?;
    }
}

fn begins_with_space(text: &str) -> bool {
    text.starts_with([' ', '\t', '\r', '\n'])
}

struct Lexer<'a> {
    rest: &'a str,
    line: usize,
    tokens: Vec<Placed>,
}

impl<'a> Lexer<'a> {
    fn push(&mut self, token: Token) -> Result<(), TemplateError> {
        if self.tokens.len() >= MAX_TOKENS {
            return Err(self.error("the template is too long"));
        }
        self.tokens.push((token, self.line));
        Ok(())
    }

    fn error(&self, reason: impl Into<String>) -> TemplateError {
        TemplateError::new(self.line, reason)
    }

    /// Leaves so many bytes behind, and gives them.
    fn skip(&mut self, length: usize) -> &'a str {
        let (done, rest) = self
            .rest
            .split_at_checked(length)
            .unwrap_or((self.rest, ""));
        self.line += done.matches('\n').count();
        self.rest = rest;
        done
    }

    /// Reads one action up to and with its end; whether that trims what follows.
    fn action(&mut self) -> Result<bool, TemplateError> {
        let inner = self.rest.trim_start();
        if inner.starts_with("/*") {
            return self.comment();
        }
        self.push(Token::Open)?;
        loop {
            let spaces = self.rest.len() - self.rest.trim_start().len();
            let after = self.rest.get(spaces..).unwrap_or_default();
            for (end, trims) in [("-}}", true), ("}}", false)] {
                if after.starts_with(end) && (!trims || spaces > 0) {
                    self.skip(spaces + end.len());
                    self.push(Token::Close)?;
                    return Ok(trims);
                }
            }
            if spaces > 0 {
                self.push(Token::Space)?;
                self.skip(spaces);
            }
            self.word()?;
        }
    }

    fn comment(&mut self) -> Result<bool, TemplateError> {
        let no_end = self.error("a comment without an end");
        let end = self.rest.find("*/").ok_or(no_end)?;
        self.skip(end + 2);
        let spaces = self.rest.len() - self.rest.trim_start().len();
        let after = self.rest.get(spaces..).unwrap_or_default();
        if after.starts_with("-}}") && spaces > 0 {
            self.skip(spaces + 3);
            return Ok(true);
        }
        if self.rest.starts_with("}}") {
            self.skip(2);
            return Ok(false);
        }
        Err(self.error("a comment has its action for itself"))
    }

    fn word(&mut self) -> Result<(), TemplateError> {
        let Some(first) = self.rest.chars().next() else {
            return Err(self.error("an action without an end"));
        };
        let name_length = |text: &str| {
            let is_name = |c: char| c.is_alphanumeric() || c == '_';
            text.find(|c| !is_name(c)).unwrap_or(text.len())
        };
        let token = match first {
            '"' => self.quoted()?,
            '`' => {
                let no_end = self.error("a text without an end");
                let inner = self.rest.get(1..).unwrap_or_default();
                let end = inner.find('`').ok_or(no_end)?;
                let inner = inner.get(..end).unwrap_or_default().to_owned();
                self.skip(end + 2);
                Token::Quoted(inner)
            }
            '.' | '$' => {
                let length = name_length(self.rest.get(1..).unwrap_or_default());
                let name = self
                    .skip(length + 1)
                    .get(1..)
                    .unwrap_or_default()
                    .to_owned();
                if first == '.' {
                    Token::Field(name)
                } else {
                    Token::Variable(name)
                }
            }
            '(' | ')' | '|' | ',' | '=' | ':' => {
                let signs = [":=", "(", ")", "|", ",", "="];
                let sign = signs.into_iter().find(|sign| self.rest.starts_with(sign));
                let sign = sign.ok_or_else(|| self.error("`:` without `=`"))?;
                self.skip(sign.len());
                Token::Sign(sign)
            }
            _ if first.is_ascii_digit() || "+-".contains(first) => {
                let is_number = |c: char| c.is_ascii_alphanumeric() || "+-.".contains(c);
                let length = self.rest.find(|c| !is_number(c)).unwrap_or(self.rest.len());
                let text = self.skip(length);
                let number = text.trim_start_matches('+').parse();
                Token::Number(number.map_err(|_| self.error(format!("`{text}` is no number")))?)
            }
            _ if first.is_alphabetic() || first == '_' => {
                let length = name_length(self.rest);
                Token::Word(self.skip(length).to_owned())
            }
            _ => return Err(self.error(format!("`{first}` means nothing here"))),
        };
        self.push(token)
    }

    /// A text in double quotes, with the escapes that Go and JSON share.
    fn quoted(&mut self) -> Result<Token, TemplateError> {
        let mut escaped = false;
        let end = self.rest.char_indices().skip(1).find(|(_, c)| {
            let ends = *c == '"' && !escaped;
            escaped = *c == '\\' && !escaped;
            ends
        });
        let (end, _) = end.ok_or_else(|| self.error("a text without an end"))?;
        let text = self.skip(end + 1);
        let parsed = serde_json::from_str(text);
        parsed
            .map(Token::Quoted)
            .map_err(|_| self.error(format!("{text} has an escape that is not known")))
    }
}
