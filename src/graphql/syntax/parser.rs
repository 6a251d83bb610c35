//! Documents, operations, fragments and selections (specification, sections 2.2 to 2.8).

use std::collections::HashMap;
use std::collections::hash_map::Entry;

use async_graphql::parser::types::{
    Directive, DocumentOperations, ExecutableDocument, Field, FragmentDefinition, FragmentSpread, InlineFragment,
    OperationDefinition, OperationType, Selection, SelectionSet, TypeCondition, VariableDefinition,
};
use async_graphql::{Name, Pos, Positioned, ServerError};
use async_graphql_value::Value;

use super::token::{Lexer, Token};
use super::{Parsed, error};
use crate::error::Code;
use crate::graphql::errors::coded;

pub(super) struct Parser<'a> {
    lexer: Lexer<'a>,
    /// The next token, and its position.
    pub(super) token: Token<'a>,
    pub(super) pos: Pos,
    pub(super) faults: Vec<ServerError>,
}

type Arguments = Vec<(Positioned<Name>, Positioned<Value>)>;

impl<'a> Parser<'a> {
    pub(super) fn new(text: &'a str) -> Result<Self, ServerError> {
        let mut lexer = Lexer::new(text);
        let (token, pos) = lexer.next()?;
        Ok(Self { lexer, token, pos, faults: Vec::new() })
    }

    pub(super) fn document(mut self) -> Result<Parsed, ServerError> {
        let mut anonymous = Vec::new();
        let mut named = HashMap::new();
        let mut fragments = HashMap::new();
        loop {
            let described = self.description()?;
            let Token::Name(keyword) = self.token else {
                match (&self.token, described) {
                    (Token::Punctuator("{"), None) => anonymous.push(self.shorthand()?),
                    (Token::End, None) if !anonymous.is_empty() || !named.is_empty() || !fragments.is_empty() => break,
                    (Token::Punctuator("{"), Some(pos)) => {
                        return Err(error(pos, "a query in short form cannot have a description"));
                    }
                    (_, None) => return Err(self.expected("an operation or a fragment")),
                    (_, Some(_)) => return Err(self.expected("an operation or a fragment after the description")),
                }
                continue;
            };
            match keyword {
                "query" | "mutation" | "subscription" => {
                    let (name, operation) = self.operation(keyword)?;
                    match name {
                        None => anonymous.push(operation),
                        Some(name) => self.keep(&mut named, name, operation, "operation"),
                    }
                }
                "fragment" => {
                    let (name, fragment) = self.fragment_definition()?;
                    self.keep(&mut fragments, name, fragment, "fragment");
                }
                "schema" | "scalar" | "type" | "interface" | "union" | "enum" | "input" | "directive" => {
                    return Err(self.not_executable());
                }
                "extend" if described.is_none() => return Err(self.not_executable()),
                _ => return Err(self.expected("an operation or a fragment")),
            }
        }
        let operations = self.operations(anonymous, named);
        Ok(Parsed { document: ExecutableDocument { operations, fragments }, faults: self.faults })
    }

    /// The operations, as far as the tree can represent them; the others make the document invalid.
    fn operations(
        &mut self,
        anonymous: Vec<Positioned<OperationDefinition>>,
        mut named: HashMap<Name, Positioned<OperationDefinition>>,
    ) -> DocumentOperations {
        if anonymous.len() + named.len() > 1 {
            self.faults.extend(anonymous.iter().map(|operation| {
                let message = "An anonymous operation must be the only operation of its document.";
                coded(Code::GraphqlValidationFailed, message, [operation.pos])
            }));
        }
        match anonymous.into_iter().next() {
            Some(operation) if named.is_empty() => DocumentOperations::Single(operation),
            // No operation can have this name, so nobody can select it; the document is rejected before.
            Some(operation) => {
                named.insert(Name::new(""), operation);
                DocumentOperations::Multiple(named)
            }
            None => DocumentOperations::Multiple(named),
        }
    }

    /// Keeps the first of a name and records any other.
    fn keep<T>(
        &mut self,
        kept: &mut HashMap<Name, Positioned<T>>,
        name: Positioned<Name>,
        node: Positioned<T>,
        what: &str,
    ) {
        match kept.entry(name.node) {
            Entry::Vacant(place) => drop(place.insert(node)),
            Entry::Occupied(taken) => {
                let message = format!("There can be only one {what} named \"{}\".", taken.key());
                self.faults.push(coded(Code::GraphqlValidationFailed, message, [taken.get().pos, name.pos]));
            }
        }
    }

    fn not_executable(&self) -> ServerError {
        let message = "A document that is executed can only contain operations and fragments, not type definitions.";
        coded(Code::GraphqlValidationFailed, message, [self.pos])
    }

    /// Skips a description, which has no meaning, and returns its position.
    fn description(&mut self) -> Result<Option<Pos>, ServerError> {
        let pos = self.pos;
        if matches!(self.token, Token::String(_)) {
            self.advance()?;
            return Ok(Some(pos));
        }
        Ok(None)
    }

    fn shorthand(&mut self) -> Result<Positioned<OperationDefinition>, ServerError> {
        let selection_set = self.selection_set()?;
        let pos = selection_set.pos;
        let operation = OperationDefinition {
            ty: OperationType::Query,
            variable_definitions: Vec::new(),
            directives: Vec::new(),
            selection_set,
        };
        Ok(Positioned::new(operation, pos))
    }

    fn operation(
        &mut self,
        keyword: &str,
    ) -> Result<(Option<Positioned<Name>>, Positioned<OperationDefinition>), ServerError> {
        let pos = self.pos;
        let ty = match keyword {
            "mutation" => OperationType::Mutation,
            "subscription" => OperationType::Subscription,
            _ => OperationType::Query,
        };
        self.advance()?;
        let name = match self.token {
            Token::Name(_) => Some(self.name()?),
            _ => None,
        };
        let variable_definitions = self.in_parentheses("a variable", Self::variable_definition)?;
        let directives = self.directives(false)?;
        let selection_set = self.selection_set()?;
        let operation = OperationDefinition { ty, variable_definitions, directives, selection_set };
        Ok((name, Positioned::new(operation, pos)))
    }

    fn variable_definition(&mut self) -> Result<Positioned<VariableDefinition>, ServerError> {
        self.description()?;
        let pos = self.pos;
        let name = self.variable()?;
        self.require(":")?;
        let var_type = self.type_reference()?;
        let default_value = if self.skip("=")? { Some(self.const_value()?) } else { None };
        let directives = self.directives(true)?;
        Ok(Positioned::new(VariableDefinition { name, var_type, directives, default_value }, pos))
    }

    fn fragment_definition(&mut self) -> Result<(Positioned<Name>, Positioned<FragmentDefinition>), ServerError> {
        let pos = self.pos;
        self.advance()?;
        let name = self.fragment_name()?;
        if !matches!(self.token, Token::Name("on")) {
            return Err(self.expected("\"on\""));
        }
        let type_condition = self.type_condition()?;
        let directives = self.directives(false)?;
        let selection_set = self.selection_set()?;
        Ok((name, Positioned::new(FragmentDefinition { type_condition, directives, selection_set }, pos)))
    }

    fn fragment_name(&mut self) -> Result<Positioned<Name>, ServerError> {
        if matches!(self.token, Token::Name("on")) {
            return Err(self.expected("the name of a fragment"));
        }
        self.name()
    }

    /// `on` and a type; the next token is the keyword.
    fn type_condition(&mut self) -> Result<Positioned<TypeCondition>, ServerError> {
        let pos = self.pos;
        self.advance()?;
        Ok(Positioned::new(TypeCondition { on: self.name()? }, pos))
    }

    fn selection_set(&mut self) -> Result<Positioned<SelectionSet>, ServerError> {
        let pos = self.pos;
        self.require("{")?;
        let mut items = vec![self.selection()?];
        while !self.skip("}")? {
            items.push(self.selection()?);
        }
        Ok(Positioned::new(SelectionSet { items }, pos))
    }

    fn selection(&mut self) -> Result<Positioned<Selection>, ServerError> {
        let pos = self.pos;
        if !self.skip("...")? {
            return Ok(Positioned::new(Selection::Field(self.field()?), pos));
        }
        let selection = match self.token {
            Token::Name(name) if name != "on" => {
                let fragment_name = self.fragment_name()?;
                let directives = self.directives(false)?;
                let spread = FragmentSpread { fragment_name, directives };
                Selection::FragmentSpread(Positioned::new(spread, pos))
            }
            _ => {
                let conditional = matches!(self.token, Token::Name(_));
                let type_condition = if conditional { Some(self.type_condition()?) } else { None };
                let directives = self.directives(false)?;
                let selection_set = self.selection_set()?;
                let fragment = InlineFragment { type_condition, directives, selection_set };
                Selection::InlineFragment(Positioned::new(fragment, pos))
            }
        };
        Ok(Positioned::new(selection, pos))
    }

    fn field(&mut self) -> Result<Positioned<Field>, ServerError> {
        let pos = self.pos;
        if !matches!(self.token, Token::Name(_)) {
            return Err(self.expected("a field, a fragment or \"}\""));
        }
        let first = self.name()?;
        let (alias, name) = if self.skip(":")? { (Some(first), self.name()?) } else { (None, first) };
        let arguments = self.arguments(false)?;
        let directives = self.directives(false)?;
        let selection_set = match self.token {
            Token::Punctuator("{") => self.selection_set()?,
            _ => Positioned::new(SelectionSet::default(), pos),
        };
        Ok(Positioned::new(Field { alias, name, arguments, directives, selection_set }, pos))
    }

    fn arguments(&mut self, constant: bool) -> Result<Arguments, ServerError> {
        self.in_parentheses("an argument", |parser| {
            let name = parser.name()?;
            parser.require(":")?;
            Ok((name, parser.value(constant)?))
        })
    }

    fn directives(&mut self, constant: bool) -> Result<Vec<Positioned<Directive>>, ServerError> {
        let mut directives = Vec::new();
        while let Token::Punctuator("@") = self.token {
            let pos = self.pos;
            self.advance()?;
            let name = self.name()?;
            let arguments = self.arguments(constant)?;
            directives.push(Positioned::new(Directive { name, arguments }, pos));
        }
        Ok(directives)
    }

    /// One or more items in parentheses, or nothing.
    fn in_parentheses<T>(
        &mut self,
        what: &str,
        mut item: impl FnMut(&mut Self) -> Result<T, ServerError>,
    ) -> Result<Vec<T>, ServerError> {
        if !self.skip("(")? {
            return Ok(Vec::new());
        }
        if let Token::Punctuator(")") = self.token {
            return Err(self.expected(what));
        }
        let mut items = vec![item(self)?];
        while !self.skip(")")? {
            items.push(item(self)?);
        }
        Ok(items)
    }

    pub(super) fn name(&mut self) -> Result<Positioned<Name>, ServerError> {
        let Token::Name(name) = self.token else { return Err(self.expected("a name")) };
        let name = Positioned::new(Name::new(name), self.pos);
        self.advance()?;
        Ok(name)
    }

    pub(super) fn require(&mut self, mark: &'static str) -> Result<(), ServerError> {
        if self.skip(mark)? { Ok(()) } else { Err(self.expected(&format!("\"{mark}\""))) }
    }

    /// Advances if this punctuator is next.
    pub(super) fn skip(&mut self, mark: &'static str) -> Result<bool, ServerError> {
        let found = self.token == Token::Punctuator(mark);
        if found {
            self.advance()?;
        }
        Ok(found)
    }

    /// Advances to the next token and returns the current one.
    pub(super) fn advance(&mut self) -> Result<Token<'a>, ServerError> {
        let (token, pos) = self.lexer.next()?;
        self.pos = pos;
        Ok(std::mem::replace(&mut self.token, token))
    }

    pub(super) fn expected(&self, what: &str) -> ServerError {
        error(self.pos, format_args!("expected {what}, found {}", self.token))
    }

    pub(super) fn unexpected(&self) -> ServerError {
        error(self.pos, format_args!("unexpected {}", self.token))
    }
}
