//! Functions: a call, answered by a value or by an error that names the argument.

use ::schema::{Diagnostic, Diagnostics, Value};

use super::Service;
use super::catalogue::unknown_name;
use crate::bug::bug;
use crate::convert::{value_from_wire, value_to_wire};
use crate::panic;
use crate::provider::{Function, FunctionError};
use crate::wire::tfplugin6::{self as wire, call_function};

impl Service {
    pub(super) fn call(&self, request: call_function::Request) -> call_function::Response {
        match self.try_call(request) {
            Ok(result) => call_function::Response { result: Some(result), error: None },
            Err(FunctionError { text, argument }) => {
                let error = wire::FunctionError { text, function_argument: argument };
                call_function::Response { result: None, error: Some(error) }
            }
        }
    }

    fn try_call(&self, request: call_function::Request) -> Result<wire::DynamicValue, FunctionError> {
        let catalogue = self.catalogue().map_err(whole_call)?;
        let name = request.name.as_str();
        let function = catalogue.functions.get(name).ok_or_else(|| whole_call(unknown_name("function", name)))?;
        let arguments = arguments_from_wire(function.as_ref(), request.arguments)?;
        let operation = format!("call of function {name}");
        let result = panic::catch(&operation, || function.call(arguments)).map_err(|bug| whole_call(bug.into()))??;
        value_to_wire(&result, &function.result(), &format!("result of function {name}")).map_err(whole_call)
    }
}

fn arguments_from_wire(function: &dyn Function, arguments: Vec<wire::DynamicValue>) -> Result<Vec<Value>, FunctionError> {
    let mut parameters = function.parameters();
    while let Some(parameter) = function.variadic().filter(|_| parameters.len() < arguments.len()) {
        parameters.push(parameter);
    }
    if parameters.len() != arguments.len() {
        let found = format!("It has {} parameters and got {} arguments.", parameters.len(), arguments.len());
        return Err(whole_call(bug(&format!("call of function {}", function.name()), &found).into()));
    }
    let values = (0_i64..).zip(parameters.iter().zip(arguments)).map(|(position, (parameter, argument))| {
        value_from_wire(Some(argument), &parameter.value_type, &format!("argument {}", parameter.name))
            .map_err(|diagnostics| FunctionError { argument: Some(position), ..whole_call(diagnostics) })
    });
    values.collect()
}

/// An error that is about no argument.
fn whole_call(diagnostics: Diagnostics) -> FunctionError {
    let text = |diagnostic: Diagnostic| format!("{}\n\n{}", diagnostic.summary, diagnostic.detail);
    let texts: Vec<_> = diagnostics.into_iter().map(text).collect();
    FunctionError { text: texts.join("\n\n"), argument: None }
}
