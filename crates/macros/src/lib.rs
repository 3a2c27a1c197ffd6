//! The attribute `#[squall::test]`. It only writes down what a person would write with
//! `squall::check`.

use proc_macro::TokenStream;
use quote::quote;
use syn::parse::{Parse, ParseStream};
use syn::punctuated::Punctuated;
use syn::{Expr, Ident, ItemFn, Token, parse_macro_input};

/// What may be said in the attribute: the names of methods of `squall::testing::Check`, and the
/// subject.
const LEGAL: [&str; 9] = [
    "seeds",
    "profile",
    "subject",
    "sometimes",
    "jobs",
    "run_for",
    "shrink_for",
    "named",
    "regressions",
];

struct Said {
    name: Ident,
    value: Expr,
}

impl Parse for Said {
    fn parse(input: ParseStream<'_>) -> syn::Result<Self> {
        let name: Ident = input.parse()?;
        if !LEGAL.iter().any(|legal| name == legal) {
            let message = format!("unknown option `{name}`; legal: {}", LEGAL.join(", "));
            return Err(syn::Error::new(name.span(), message));
        }
        input.parse::<Token![=]>()?;
        let value = input.parse()?;
        Ok(Self { name, value })
    }
}

struct Options(Punctuated<Said, Token![,]>);

impl Parse for Options {
    fn parse(input: ParseStream<'_>) -> syn::Result<Self> {
        let options = Punctuated::<Said, Token![,]>::parse_terminated(input)?;
        for (place, said) in options.iter().enumerate() {
            if options
                .iter()
                .take(place)
                .any(|other| other.name == said.name)
            {
                let message = format!("`{}` is said twice", said.name);
                return Err(syn::Error::new(said.name.span(), message));
            }
        }
        Ok(Self(options))
    }
}

/// Makes a test of a function that takes one simulation, and calls it for every seed:
///
/// ```ignore
/// #[squall::test(seeds = 200)]
/// fn my_raft_survives(sim: squall::Sim<MyRaft>) {
///     sim.run();
/// }
/// ```
///
/// Options, each as the method of `squall::testing::Check` of that name: `seeds` (a number or a
/// range), `profile`, `sometimes` (a list of names of events), `jobs`, `run_for`, `shrink_for`,
/// `named`, `regressions`; and `subject`, an expression for what is tested, which is otherwise the
/// `Default` of the type that `Sim` names. Other attributes of the function (`#[ignore]`,
/// `#[should_panic]`) are kept.
#[proc_macro_attribute]
pub fn test(options: TokenStream, item: TokenStream) -> TokenStream {
    let Options(options) = parse_macro_input!(options as Options);
    let function = parse_macro_input!(item as ItemFn);
    if let Err(error) = has_the_shape(&function) {
        return error.to_compile_error().into();
    }
    let ItemFn {
        attrs, vis, sig, ..
    } = &function;
    let (name, inputs, block) = (&sig.ident, &sig.inputs, &function.block);
    let own = options.iter().find(|said| said.name == "subject");
    let subject = match own {
        Some(Said { value, .. }) => quote!(#value),
        None => quote!(::squall::testing::subject_of(#name)),
    };
    let calls = options.iter().filter(|said| said.name != "subject");
    let calls = calls.map(|Said { name, value }| quote!(.#name(#value)));
    quote! {
        #(#attrs)*
        #[::core::prelude::v1::test]
        #vis fn #name() {
            fn #name(#inputs) #block
            ::squall::testing::check(#subject)
                .test(::core::module_path!(), ::core::stringify!(#name))
                #(#calls)*
                .run_each(#name);
        }
    }
    .into()
}

fn has_the_shape(function: &ItemFn) -> syn::Result<()> {
    let sig = &function.sig;
    let wrong = |message| Err(syn::Error::new_spanned(sig, message));
    if sig.inputs.len() != 1 {
        return wrong("a test takes one simulation: `fn name(sim: squall::Sim<MyRaft>)`");
    }
    if sig.asyncness.is_some() {
        return wrong(
            "a test cannot be async: a simulation has one thread and no clock of its own",
        );
    }
    if !sig.generics.params.is_empty() {
        return wrong("a test cannot be generic: name the subject, as in `squall::Sim<MyRaft>`");
    }
    if !matches!(sig.output, syn::ReturnType::Default) {
        return wrong("a test returns nothing: it panics when something does not hold");
    }
    Ok(())
}
