//! Carries out a template's actions on JSON values.

use std::borrow::Cow;

use serde_json::Value;

use super::TemplateError;
use super::functions::{self, is_true, shown};
use super::parse::{Node, Operand, Pipeline, Template};

/// Steps of one rendering.
const STEPS: usize = 1_000_000;
/// Templates within templates, and actions within actions.
const DEPTH: usize = 200;
/// Most bytes that are rendered.
const MAX_OUTPUT: usize = 4 * 1024 * 1024;

pub(super) fn run(template: &Template, data: &Value) -> Result<String, TemplateError> {
    let mut state = State {
        template,
        output: String::new(),
        variables: vec![(String::new(), data.clone())],
        steps: 0,
        depth: 0,
        line: 1,
    };
    state.nodes(&template.main, data)?;
    Ok(state.output)
}

struct State<'a> {
    template: &'a Template,
    output: String,
    /// Innermost last; `$` has no name.
    variables: Vec<(String, Value)>,
    steps: usize,
    depth: usize,
    line: usize,
}

impl State<'_> {
    fn error(&self, reason: impl Into<String>) -> TemplateError {
        TemplateError::new(self.line, reason)
    }

    fn nodes(&mut self, nodes: &[Node], dot: &Value) -> Result<(), TemplateError> {
        self.depth += 1;
        if self.depth > DEPTH {
            return Err(self.error("too deep"));
        }
        let outer = self.variables.len();
        for node in nodes {
            self.node(node, dot)?;
        }
        self.variables.truncate(outer);
        self.depth -= 1;
        Ok(())
    }

    fn node(&mut self, node: &Node, dot: &Value) -> Result<(), TemplateError> {
        self.step()?;
        match node {
            Node::Text(text) => self.write(text),
            Node::Show(pipeline) => {
                let value = self.pipeline(pipeline, dot)?;
                if pipeline.variables.is_empty() {
                    return self.write(&shown(&value));
                }
                self.assign(pipeline, value)
            }
            Node::If(pipeline, then, otherwise) => {
                let outer = self.variables.len();
                let value = self.declared(pipeline, dot)?;
                self.nodes(if is_true(&value) { then } else { otherwise }, dot)?;
                self.variables.truncate(outer);
                Ok(())
            }
            Node::With(pipeline, then, otherwise) => {
                let outer = self.variables.len();
                let value = self.declared(pipeline, dot)?;
                if is_true(&value) {
                    self.nodes(then, &value)?;
                } else {
                    self.nodes(otherwise, dot)?;
                }
                self.variables.truncate(outer);
                Ok(())
            }
            Node::Range(pipeline, each, otherwise) => self.range(pipeline, each, otherwise, dot),
            Node::Template(name, data, line) => {
                self.line = *line;
                let data = match data {
                    Some(pipeline) => self.pipeline(pipeline, dot)?,
                    None => Value::Null,
                };
                let body = self.template.defined.get(name);
                let body =
                    body.ok_or_else(|| self.error(format!("no template \"{name}\" is defined")))?;
                let outer =
                    std::mem::replace(&mut self.variables, vec![(String::new(), data.clone())]);
                self.nodes(body, &data)?;
                self.variables = outer;
                Ok(())
            }
        }
    }

    fn step(&mut self) -> Result<(), TemplateError> {
        self.steps += 1;
        if self.steps > STEPS {
            return Err(self.error("too many steps"));
        }
        Ok(())
    }

    fn write(&mut self, text: &str) -> Result<(), TemplateError> {
        if self.output.len() + text.len() > MAX_OUTPUT {
            return Err(self.error(format!("makes more than {MAX_OUTPUT} bytes")));
        }
        self.output.push_str(text);
        Ok(())
    }

    /// The value of a pipeline that may declare one variable.
    fn declared(&mut self, pipeline: &Pipeline, dot: &Value) -> Result<Value, TemplateError> {
        let value = self.pipeline(pipeline, dot)?;
        if !pipeline.variables.is_empty() {
            self.assign(pipeline, value.clone())?;
        }
        Ok(value)
    }

    fn assign(&mut self, pipeline: &Pipeline, value: Value) -> Result<(), TemplateError> {
        let [name] = pipeline.variables.as_slice() else {
            return Err(self.error("one variable is given a value here"));
        };
        if pipeline.declares {
            self.variables.push((name.clone(), value));
            return Ok(());
        }
        let known = self
            .variables
            .iter_mut()
            .rev()
            .find(|(known, _)| known == name);
        match known {
            Some((_, known)) => *known = value,
            None => return Err(self.error(format!("no variable `${name}`"))),
        }
        Ok(())
    }

    fn range(
        &mut self,
        pipeline: &Pipeline,
        each: &[Node],
        otherwise: &[Node],
        dot: &Value,
    ) -> Result<(), TemplateError> {
        let over = self.pipeline(pipeline, dot)?;
        let items: Vec<(Value, Value)> = match over {
            Value::Null => Vec::new(),
            Value::Array(list) => list
                .into_iter()
                .enumerate()
                .map(|(at, item)| (at.into(), item))
                .collect(),
            Value::Object(map) => map
                .into_iter()
                .map(|(name, item)| (name.into(), item))
                .collect(),
            other => return Err(self.error(format!("cannot range over {}", shown(&other)))),
        };
        if items.is_empty() {
            return self.nodes(otherwise, dot);
        }
        for (key, item) in items {
            self.step()?;
            let outer = self.variables.len();
            match pipeline.variables.as_slice() {
                [] => {}
                [name] => self.variables.push((name.clone(), item.clone())),
                [index, name] => {
                    self.variables.push((index.clone(), key));
                    self.variables.push((name.clone(), item.clone()));
                }
                _ => return Err(self.error("`range` gives two variables at most")),
            }
            self.nodes(each, &item)?;
            self.variables.truncate(outer);
        }
        Ok(())
    }

    fn pipeline(&mut self, pipeline: &Pipeline, dot: &Value) -> Result<Value, TemplateError> {
        self.line = pipeline.line;
        let mut last: Option<Value> = None;
        for command in &pipeline.commands {
            self.step()?;
            last = Some(self.command(command, last, dot)?);
            self.line = pipeline.line;
        }
        Ok(last.unwrap_or(Value::Null))
    }

    fn command(
        &mut self,
        command: &[Operand],
        last: Option<Value>,
        dot: &Value,
    ) -> Result<Value, TemplateError> {
        let Some((first, rest)) = command.split_first() else {
            return Err(self.error("a value is missing"));
        };
        let Operand::Function(name) = first else {
            if !rest.is_empty() || last.is_some() {
                return Err(self.error("a value is no function, and takes no arguments"));
            }
            return Ok(self.operand(first, dot)?.into_owned());
        };
        if let "and" | "or" = name.as_str() {
            return self.logic(name == "or", rest, last, dot);
        }
        let mut arguments = Vec::with_capacity(rest.len() + 1);
        for operand in rest {
            arguments.push(self.operand(operand, dot)?.into_owned());
        }
        arguments.extend(last);
        functions::call(name, &arguments).map_err(|reason| self.error(reason))
    }

    /// `and` and `or` look no further than they must.
    fn logic(
        &mut self,
        until: bool,
        operands: &[Operand],
        last: Option<Value>,
        dot: &Value,
    ) -> Result<Value, TemplateError> {
        let mut value = None;
        for operand in operands {
            let next = self.operand(operand, dot)?.into_owned();
            if is_true(&next) == until {
                return Ok(next);
            }
            value = Some(next);
        }
        last.or(value)
            .ok_or_else(|| self.error("`and` and `or` take arguments"))
    }

    fn operand<'v>(
        &mut self,
        operand: &'v Operand,
        dot: &'v Value,
    ) -> Result<Cow<'v, Value>, TemplateError> {
        Ok(match operand {
            Operand::Value(value) => Cow::Borrowed(value),
            Operand::Dot(fields) => Cow::Borrowed(self.fields(dot, fields)?),
            Operand::Variable(name, fields) => {
                let known = self.variables.iter().rev().find(|(known, _)| known == name);
                let (_, value) =
                    known.ok_or_else(|| self.error(format!("no variable `${name}`")))?;
                Cow::Owned(self.fields(value, fields)?.clone())
            }
            Operand::Inner(pipeline, fields) => {
                let value = self.pipeline(pipeline, dot)?;
                Cow::Owned(self.fields(&value, fields)?.clone())
            }
            Operand::Function(name) => {
                Cow::Owned(functions::call(name, &[]).map_err(|reason| self.error(reason))?)
            }
        })
    }

    fn fields<'v>(
        &self,
        mut value: &'v Value,
        fields: &[String],
    ) -> Result<&'v Value, TemplateError> {
        for name in fields {
            value = match value {
                Value::Object(map) => map
                    .get(name)
                    .ok_or_else(|| self.error(format!("no value for `.{name}`")))?,
                other => return Err(self.error(format!("`.{name}` of {}", shown(other)))),
            };
        }
        Ok(value)
    }
}
