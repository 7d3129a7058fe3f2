//! Pure: attribute types, values with unknowns, diagnostics, codecs and registry pages of a Terraform provider.
//! Knows nothing of gRPC, of hosts or of any resource.

#![cfg_attr(test, allow(clippy::unwrap_used, clippy::expect_used))]

mod attribute;
mod change;
mod codec;
mod decode;
mod diagnostic;
mod encode;
mod field;
mod fields;
mod json;
mod mistake;
mod msgpack;
mod nested;
mod nulls;
mod number;
pub mod page;
mod path;
mod schema;
mod types;
mod validator;
mod value;
mod value_at;

pub use attribute::{Attribute, Canonical, Kind, Nesting, NullElements, Requirement};
pub use codec::CodecError;
pub use decode::decode;
pub use diagnostic::{Diagnostic, Diagnostics, Severity};
pub use encode::encode;
pub use field::Field;
pub use fields::fields_without_attribute;
pub use number::{Number, NumberError};
pub use page::{FunctionPage, FunctionParameter, Page, PageKind, render_function_page, render_resource_page};
pub use path::{AttributePath, Step};
pub use schema::Schema;
pub use types::Type;
pub use validator::{Validator, between, not_empty, one_of, port};
pub use value::{PEM, Value};
pub use value_at::ValueAt;
