//! Parsing of the entries between an attribute's parentheses, and of their values. A value of the wrong form is an
//! error that shows the right one.

use proc_macro2::TokenStream;
use quote::ToTokens;
use syn::{
    Attribute, Expr, Ident, Lit, LitInt, LitStr, Meta, Path, Token, Type,
    ext::IdentExt,
    parse::{Parse, ParseStream, Parser},
    punctuated::Punctuated,
};

use super::mistakes::Mistakes;
use crate::nearest::nearest;

/// The value of a missing field.
#[derive(Clone)]
pub(super) enum DefaultValue {
    /// The type's own default.
    OfType,
    /// The result of a function.
    Call(Path),
}

/// Reports duplicates.
#[derive(Default)]
pub(super) struct Once(Vec<String>);

impl Once {
    pub(super) fn is_new(&mut self, list: &str, entry: &Entry, mistakes: &mut Mistakes) -> bool {
        let name = format!("#[{list}({})]", entry.name);
        let new = !self.0.contains(&name);
        if new {
            self.0.push(name);
        } else {
            mistakes.at(&entry.name, format_args!("`{name}` stands here twice: keep one of them"));
        }
        new
    }
}

/// The entries of `#[olap(…)]` or `#[serde(…)]`.
pub(super) fn entries_of(attribute: &Attribute, mistakes: &mut Mistakes) -> Vec<Entry> {
    let list = match &attribute.meta {
        Meta::List(_) => attribute.parse_args_with(Punctuated::<Entry, Token![,]>::parse_terminated),
        _ => Err(syn::Error::new_spanned(attribute, format_args!("expected `#[{}(…)]`", path_text(attribute)))),
    };
    match list {
        Ok(entries) => entries.into_iter().collect(),
        Err(error) => {
            mistakes.add(error);
            Vec::new()
        }
    }
}

fn path_text(attribute: &Attribute) -> String {
    attribute.path().to_token_stream().to_string()
}

/// `name`, `name = value` or `name(list)`.
pub(super) struct Entry {
    pub(super) name: Ident,
    value: Value,
}

enum Value {
    None,
    Literal(Lit),
    Type(Type),
    List(TokenStream),
    Other(Expr),
}

impl Parse for Entry {
    fn parse(input: ParseStream<'_>) -> syn::Result<Self> {
        let name = Ident::parse_any(input)?;
        let value = if input.peek(syn::token::Paren) {
            let list;
            syn::parenthesized!(list in input);
            Value::List(list.parse()?)
        } else if input.parse::<Option<Token![=]>>()?.is_none() {
            Value::None
        } else if input.is_empty() || input.peek(Token![,]) {
            return Err(syn::Error::new(
                name.span(),
                format_args!("`{name} =` has nothing behind it: expected a value"),
            ));
        } else if input.peek(Lit) {
            Value::Literal(input.parse()?)
        } else if name == "column" {
            Value::Type(input.parse()?)
        } else {
            Value::Other(input.parse()?)
        };
        Ok(Self { name, value })
    }
}

impl ToTokens for Entry {
    fn to_tokens(&self, tokens: &mut TokenStream) {
        self.name.to_tokens(tokens);
        match &self.value {
            Value::None => {}
            Value::Literal(literal) => literal.to_tokens(tokens),
            Value::Type(path) => path.to_tokens(tokens),
            Value::List(list) => list.to_tokens(tokens),
            Value::Other(expression) => expression.to_tokens(tokens),
        }
    }
}

impl Entry {
    fn expected(&self, form: &str, mistakes: &mut Mistakes) {
        mistakes.at(self, format_args!("expected `{form}`"));
    }

    pub(super) fn unknown(&self, list: &str, allowed: &[&str], mistakes: &mut Mistakes) {
        let name = self.name.to_string();
        let hint = match nearest(&name, allowed) {
            Some(nearest) => format!("did you mean `{nearest}`?"),
            None => {
                format!("known are {}", allowed.iter().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", "))
            }
        };
        mistakes.at(&self.name, format_args!("unknown attribute `{name}` in `#[{list}(…)]`; {hint}"));
    }

    pub(super) fn flag(&self, mistakes: &mut Mistakes) -> bool {
        let flag = self.is_bare();
        if !flag {
            mistakes.at(self, format_args!("`{0}` takes no value: write `{0}`", self.name));
        }
        flag
    }

    pub(super) fn text(&self, mistakes: &mut Mistakes) -> Option<LitStr> {
        if let Value::Literal(Lit::Str(text)) = &self.value {
            if !text.value().is_empty() {
                return Some(text.clone());
            }
            mistakes.at(text, format_args!("`{}` is empty", self.name));
        } else {
            self.expected(&format!("{} = \"…\"", self.name), mistakes);
        }
        None
    }

    /// Whether nothing follows the name.
    pub(super) fn is_bare(&self) -> bool {
        matches!(self.value, Value::None)
    }

    /// `name("…", "…")`.
    pub(super) fn texts(&self, mistakes: &mut Mistakes) -> Vec<LitStr> {
        if let Value::List(list) = &self.value
            && let Ok(texts) = Punctuated::<LitStr, Token![,]>::parse_terminated.parse2(list.clone())
            && !texts.is_empty()
        {
            return texts.into_iter().collect();
        }
        self.expected(&format!("{}(\"…\", …)", self.name), mistakes);
        Vec::new()
    }

    /// `name = "…"`, or the `deserialize` half of `name(serialize = "…", deserialize = "…")`.
    pub(super) fn deserialize_text(&self, mistakes: &mut Mistakes) -> Option<LitStr> {
        let Value::List(list) = &self.value else { return self.text(mistakes) };
        match Punctuated::<Self, Token![,]>::parse_terminated.parse2(list.clone()) {
            Ok(halves) => halves.iter().find(|half| half.name == "deserialize").and_then(|half| half.text(mistakes)),
            Err(error) => {
                mistakes.add(error);
                None
            }
        }
    }

    /// A whole number; `form` is the correct form, for the error.
    pub(super) fn integer(&self, form: &str, mistakes: &mut Mistakes) -> Option<LitInt> {
        if let Value::Literal(Lit::Int(integer)) = &self.value {
            return Some(integer.clone());
        }
        self.expected(form, mistakes);
        None
    }

    /// Two whole numbers in parentheses.
    pub(super) fn two_integers(&self, form: &str, mistakes: &mut Mistakes) -> Option<(LitInt, LitInt)> {
        if let Value::List(list) = &self.value
            && let Ok(integers) = Punctuated::<LitInt, Token![,]>::parse_terminated.parse2(list.clone())
            && let [first, second] = integers.iter().collect::<Vec<_>>().as_slice()
        {
            return Some(((*first).clone(), (*second).clone()));
        }
        self.expected(form, mistakes);
        None
    }

    /// The entries in parentheses.
    pub(super) fn entries(&self, form: &str, mistakes: &mut Mistakes) -> Vec<Self> {
        let Value::List(list) = &self.value else {
            self.expected(form, mistakes);
            return Vec::new();
        };
        match Punctuated::<Self, Token![,]>::parse_terminated.parse2(list.clone()) {
            Ok(entries) => entries.into_iter().collect(),
            Err(error) => {
                mistakes.add(error);
                Vec::new()
            }
        }
    }

    /// A string and a type in parentheses.
    pub(super) fn text_and_type(&self, form: &str, mistakes: &mut Mistakes) -> Option<(LitStr, Type)> {
        let parse = |input: ParseStream<'_>| {
            let text = input.parse()?;
            input.parse::<Token![,]>()?;
            Ok((text, input.parse()?))
        };
        if let Value::List(list) = &self.value
            && let Ok(both) = parse.parse2(list.clone())
        {
            return Some(both);
        }
        self.expected(form, mistakes);
        None
    }

    pub(super) fn path(&self, mistakes: &mut Mistakes) -> Option<Path> {
        match self.text(mistakes)?.parse() {
            Ok(path) => Some(path),
            Err(error) => {
                mistakes.add(error);
                None
            }
        }
    }

    pub(super) fn type_of_column(&self, mistakes: &mut Mistakes) -> Option<Type> {
        if let Value::Type(path) = &self.value {
            return Some(path.clone());
        }
        self.expected("column = path::Column", mistakes);
        None
    }

    pub(super) fn default(&self, mistakes: &mut Mistakes) -> Option<DefaultValue> {
        match self.value {
            Value::None => Some(DefaultValue::OfType),
            _ => self.path(mistakes).map(DefaultValue::Call),
        }
    }
}
