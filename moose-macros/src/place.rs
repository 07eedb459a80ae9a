//! The span at which the compiler reports an error in generated code.

use proc_macro2::{Group, Span, TokenStream, TokenTree};

/// Gives the tokens this span. The compiler shows an expression at its first token.
pub(crate) fn respanned(tokens: TokenStream, span: Span) -> TokenStream {
    tokens
        .into_iter()
        .map(|token| match token {
            TokenTree::Group(group) => {
                let mut inner = Group::new(group.delimiter(), respanned(group.stream(), span));
                inner.set_span(span);
                TokenTree::Group(inner)
            }
            mut token => {
                token.set_span(span);
                token
            }
        })
        .collect()
}
