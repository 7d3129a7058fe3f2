//! Provider functions: pure helpers for modules. One file per function.

mod service_address;

use protocol::Function;

pub fn all() -> Vec<Box<dyn Function>> {
    vec![Box::new(service_address::ServiceAddress)]
}
