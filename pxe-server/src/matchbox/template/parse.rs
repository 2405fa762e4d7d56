//! The words of a template as a tree of actions.

use std::collections::HashMap;
use std::iter::Peekable;
use std::vec::IntoIter;

use serde_json::Value;

use super::TemplateError;
use super::lex::{Placed, Token};

/// Actions within actions, and pipelines within pipelines.
const DEPTH: usize = 100;

/// A whole template and those that it defines.
#[derive(Debug, Default)]
pub(super) struct Template {
    pub(super) main: Vec<Node>,
    pub(super) defined: HashMap<String, Vec<Node>>,
}

/// One step of rendering.
#[derive(Debug)]
pub(super) enum Node {
    Text(String),
    /// Shows a value, unless it only declares a variable.
    Show(Pipeline),
    If(Pipeline, Vec<Node>, Vec<Node>),
    With(Pipeline, Vec<Node>, Vec<Node>),
    Range(Pipeline, Vec<Node>, Vec<Node>),
    Template(String, Option<Pipeline>, usize),
}

/// Commands, each with the value of the one before it as its last argument.
#[derive(Debug)]
pub(super) struct Pipeline {
    pub(super) line: usize,
    /// Variables that are given the value.
    pub(super) variables: Vec<String>,
    /// Whether they are new.
    pub(super) declares: bool,
    pub(super) commands: Vec<Vec<Operand>>,
}

/// A value, or the name of a function.
#[derive(Debug)]
pub(super) enum Operand {
    Function(String),
    Value(Value),
    /// Fields of the dot; none: the dot itself.
    Dot(Vec<String>),
    /// Fields of a variable.
    Variable(String, Vec<String>),
    /// Fields of what a pipeline gives.
    Inner(Box<Pipeline>, Vec<String>),
}

pub(super) fn parse(tokens: Vec<Placed>) -> Result<Template, TemplateError> {
    let mut parser = Parser {
        tokens: tokens.into_iter().peekable(),
        line: 1,
        depth: 0,
        defined: HashMap::new(),
    };
    let (main, end) = parser.block()?;
    match end {
        Stop::File => Ok(Template {
            main,
            defined: parser.defined,
        }),
        Stop::Else(_) | Stop::End => Err(parser.error("`end` or `else` without a beginning")),
    }
}

/// What ended a list of nodes.
enum Stop {
    File,
    End,
    /// `else`, and the word after it.
    Else(Option<String>),
}

struct Parser {
    tokens: Peekable<IntoIter<Placed>>,
    line: usize,
    depth: usize,
    defined: HashMap<String, Vec<Node>>,
}

impl Parser {
    fn error(&self, reason: impl Into<String>) -> TemplateError {
        TemplateError::new(self.line, reason)
    }

    fn next(&mut self) -> Option<Token> {
        let (token, line) = self.tokens.next()?;
        self.line = line;
        Some(token)
    }

    fn skip_space(&mut self) {
        while matches!(self.tokens.peek(), Some((Token::Space, _))) {
            self.next();
        }
    }

    fn peek(&mut self) -> Option<&Token> {
        self.tokens.peek().map(|(token, _)| token)
    }

    fn close(&mut self) -> Result<(), TemplateError> {
        self.skip_space();
        match self.next() {
            Some(Token::Close) => Ok(()),
            _ => Err(self.error("more than fits this action")),
        }
    }

    fn deeper<T>(
        &mut self,
        read: impl FnOnce(&mut Self) -> Result<T, TemplateError>,
    ) -> Result<T, TemplateError> {
        self.depth += 1;
        if self.depth > DEPTH {
            return Err(self.error("too deep"));
        }
        let read = read(self)?;
        self.depth -= 1;
        Ok(read)
    }

    fn block(&mut self) -> Result<(Vec<Node>, Stop), TemplateError> {
        self.deeper(Self::nodes)
    }

    fn nodes(&mut self) -> Result<(Vec<Node>, Stop), TemplateError> {
        let mut nodes = Vec::new();
        loop {
            match self.next() {
                None => return Ok((nodes, Stop::File)),
                Some(Token::Text(text)) => nodes.push(Node::Text(text)),
                Some(_) => {
                    self.skip_space();
                    let keyword = match self.peek() {
                        Some(Token::Word(word)) => word.clone(),
                        _ => String::new(),
                    };
                    match keyword.as_str() {
                        "end" => {
                            self.next();
                            self.close()?;
                            return Ok((nodes, Stop::End));
                        }
                        "else" => {
                            self.next();
                            return Ok((nodes, Stop::Else(self.after_else()?)));
                        }
                        _ => nodes.extend(self.action(&keyword)?),
                    }
                }
            }
        }
    }

    /// The word after `else`; the action is closed if there is none.
    fn after_else(&mut self) -> Result<Option<String>, TemplateError> {
        self.skip_space();
        match self.next() {
            Some(Token::Close) => Ok(None),
            Some(Token::Word(word)) if ["if", "with"].contains(&word.as_str()) => Ok(Some(word)),
            _ => Err(self.error("`else` goes with `if` or `with`, or alone")),
        }
    }

    fn action(&mut self, keyword: &str) -> Result<Option<Node>, TemplateError> {
        Ok(match keyword {
            "if" | "with" | "range" => {
                self.next();
                Some(self.branch(keyword)?)
            }
            "define" => {
                self.next();
                let name = self.name()?;
                self.close()?;
                self.define(name)?;
                None
            }
            "template" | "block" => {
                self.next();
                let (name, line) = (self.name()?, self.line);
                self.skip_space();
                let data = match self.peek() {
                    Some(Token::Close) => None,
                    _ => Some(self.pipeline()?),
                };
                self.close()?;
                if keyword == "block" {
                    self.define(name.clone())?;
                }
                Some(Node::Template(name, data, line))
            }
            "break" | "continue" => return Err(self.error(format!("`{keyword}` is not supported"))),
            _ => {
                let pipeline = self.pipeline()?;
                self.close()?;
                Some(Node::Show(pipeline))
            }
        })
    }

    fn define(&mut self, name: String) -> Result<(), TemplateError> {
        let (body, end) = self.block()?;
        if !matches!(end, Stop::End) {
            return Err(self.error("a definition without `end`"));
        }
        self.defined.insert(name, body);
        Ok(())
    }

    fn name(&mut self) -> Result<String, TemplateError> {
        self.skip_space();
        match self.next() {
            Some(Token::Quoted(name)) => Ok(name),
            _ => Err(self.error("a template's name is a quoted text")),
        }
    }

    /// What follows `if`, `with` or `range`, to its `end`.
    fn branch(&mut self, keyword: &str) -> Result<Node, TemplateError> {
        let pipeline = self.pipeline()?;
        self.close()?;
        let (body, end) = self.block()?;
        let otherwise = match end {
            Stop::End => Vec::new(),
            Stop::Else(Some(next)) => vec![self.deeper(|parser| parser.branch(&next))?],
            Stop::Else(None) => {
                let (otherwise, end) = self.block()?;
                if !matches!(end, Stop::End) {
                    return Err(self.error("`else` without `end`"));
                }
                otherwise
            }
            Stop::File => return Err(self.error(format!("`{keyword}` without `end`"))),
        };
        Ok(match keyword {
            "if" => Node::If(pipeline, body, otherwise),
            "with" => Node::With(pipeline, body, otherwise),
            _ => Node::Range(pipeline, body, otherwise),
        })
    }

    fn pipeline(&mut self) -> Result<Pipeline, TemplateError> {
        self.deeper(Self::commands)
    }

    fn commands(&mut self) -> Result<Pipeline, TemplateError> {
        self.skip_space();
        let mut pipeline = Pipeline {
            line: self.line,
            variables: Vec::new(),
            declares: false,
            commands: Vec::new(),
        };
        let mut command = Vec::new();
        loop {
            self.skip_space();
            match self.peek() {
                None | Some(Token::Close | Token::Sign(")")) => break,
                Some(Token::Sign("|")) => {
                    self.next();
                    pipeline.commands.push(std::mem::take(&mut command));
                    pipeline.commands.retain(|command| !command.is_empty());
                }
                Some(Token::Sign(sign @ (":=" | "=" | ","))) => {
                    let sign = *sign;
                    self.next();
                    let [Operand::Variable(name, fields)] = command.as_slice() else {
                        return Err(self.error(format!("`{sign}` follows a variable")));
                    };
                    if !fields.is_empty() || !pipeline.commands.is_empty() {
                        return Err(self.error(format!("`{sign}` follows a variable")));
                    }
                    pipeline.variables.push(name.clone());
                    pipeline.declares = sign == ":=";
                    command.clear();
                }
                Some(_) => command.push(self.operand()?),
            }
        }
        if !command.is_empty() {
            pipeline.commands.push(command);
        }
        if pipeline.commands.is_empty() {
            return Err(self.error("an action without a value"));
        }
        Ok(pipeline)
    }

    fn operand(&mut self) -> Result<Operand, TemplateError> {
        Ok(match self.next() {
            Some(Token::Word(word)) => match word.as_str() {
                "true" | "false" => Operand::Value(Value::Bool(word == "true")),
                "nil" => Operand::Value(Value::Null),
                _ => Operand::Function(word),
            },
            Some(Token::Quoted(text)) => Operand::Value(Value::String(text)),
            Some(Token::Number(number)) => Operand::Value(Value::Number(number)),
            Some(Token::Field(first)) => {
                let mut fields = self.fields()?;
                if first.is_empty() && !fields.is_empty() {
                    return Err(self.error("`..` means nothing"));
                }
                if !first.is_empty() {
                    fields.insert(0, first);
                }
                Operand::Dot(fields)
            }
            Some(Token::Variable(name)) => Operand::Variable(name, self.fields()?),
            Some(Token::Sign("(")) => {
                let inner = self.pipeline()?;
                self.skip_space();
                match self.next() {
                    Some(Token::Sign(")")) => Operand::Inner(Box::new(inner), self.fields()?),
                    _ => return Err(self.error("`(` without `)`")),
                }
            }
            _ => return Err(self.error("a value is missing")),
        })
    }

    /// `.a.b` right behind a value.
    fn fields(&mut self) -> Result<Vec<String>, TemplateError> {
        let mut fields = Vec::new();
        while matches!(self.peek(), Some(Token::Field(_))) {
            match self.next() {
                Some(Token::Field(name)) if !name.is_empty() => fields.push(name),
                _ => return Err(self.error("`.` without a name")),
            }
        }
        Ok(fields)
    }
}
