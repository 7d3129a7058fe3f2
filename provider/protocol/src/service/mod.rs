//! The provider as the engine sees it: each method of the protocol, answered by the file named after its noun.

mod catalogue;
mod change;
mod data_sources;
mod functions;
mod proposed;
mod provider;
mod resources;

use std::sync::{Arc, OnceLock};

use ::schema::Diagnostics;
use tonic::{Request, Response, Status};

use self::catalogue::Catalogue;
use crate::calls::Calls;
use crate::convert::diagnostics_to_wire;
use crate::panic;
use crate::provider::Provider;
use crate::wire::tfplugin6::provider_server;
use crate::wire::tfplugin6::*;

pub(crate) struct Service {
    provider: Arc<dyn Provider>,
    calls: Arc<Calls>,
    catalogue: OnceLock<Result<Catalogue, ::schema::Diagnostic>>,
}

impl Service {
    /// Cheap: schemas are built when they are first asked for, which is after the handshake.
    pub(crate) fn new(provider: Arc<dyn Provider>, calls: Arc<Calls>) -> Service {
        Service { provider, calls, catalogue: OnceLock::new() }
    }

    fn catalogue(&self) -> Result<&Catalogue, Diagnostics> {
        let build = || panic::catch("building the schemas", || Catalogue::new(self.provider.as_ref())).flatten();
        self.catalogue.get_or_init(build).as_ref().map_err(|bug| bug.clone().into())
    }
}

/// An answer that can carry diagnostics, so that every failure reaches the user as one and none breaks the connection.
trait Answer: Default {
    fn diagnostics(&mut self) -> &mut Vec<Diagnostic>;
}

fn answer<T: Answer>(result: Result<T, Diagnostics>) -> Result<Response<T>, Status> {
    let failed = |diagnostics| {
        let mut answer = T::default();
        *answer.diagnostics() = diagnostics_to_wire(diagnostics);
        answer
    };
    Ok(Response::new(result.unwrap_or_else(failed)))
}

/// The schema has none, so no engine asks for one.
fn no_ephemeral_resources() -> Status {
    Status::unimplemented("this provider has no ephemeral resources")
}

macro_rules! answers {
    ($($message:ident),* $(,)?) => {
        $(impl Answer for $message::Response {
            fn diagnostics(&mut self) -> &mut Vec<Diagnostic> {
                &mut self.diagnostics
            }
        })*
    };
}

answers!(
    get_metadata,
    get_provider_schema,
    get_resource_identity_schemas,
    get_functions,
    validate_provider_config,
    configure_provider,
    validate_resource_config,
    upgrade_resource_state,
    upgrade_resource_identity,
    import_resource_state,
    move_resource_state,
    read_resource,
    plan_resource_change,
    apply_resource_change,
    validate_data_resource_config,
    read_data_source,
);

#[tonic::async_trait]
impl provider_server::Provider for Service {
    async fn get_metadata(&self, _request: Request<get_metadata::Request>) -> Result<Response<get_metadata::Response>, Status> {
        answer(self.metadata())
    }

    async fn get_provider_schema(
        &self,
        _request: Request<get_provider_schema::Request>,
    ) -> Result<Response<get_provider_schema::Response>, Status> {
        answer(self.provider_schema())
    }

    async fn get_resource_identity_schemas(
        &self,
        _request: Request<get_resource_identity_schemas::Request>,
    ) -> Result<Response<get_resource_identity_schemas::Response>, Status> {
        answer(self.identity_schemas())
    }

    async fn get_functions(
        &self,
        _request: Request<get_functions::Request>,
    ) -> Result<Response<get_functions::Response>, Status> {
        answer(self.functions())
    }

    async fn validate_provider_config(
        &self,
        request: Request<validate_provider_config::Request>,
    ) -> Result<Response<validate_provider_config::Response>, Status> {
        answer(self.validate_provider(request.into_inner()))
    }

    async fn configure_provider(
        &self,
        request: Request<configure_provider::Request>,
    ) -> Result<Response<configure_provider::Response>, Status> {
        answer(self.configure(request.into_inner()).await)
    }

    async fn stop_provider(
        &self,
        _request: Request<stop_provider::Request>,
    ) -> Result<Response<stop_provider::Response>, Status> {
        self.calls.cancel();
        Ok(Response::new(Default::default()))
    }

    async fn validate_resource_config(
        &self,
        request: Request<validate_resource_config::Request>,
    ) -> Result<Response<validate_resource_config::Response>, Status> {
        answer(self.validate_resource(request.into_inner()))
    }

    async fn upgrade_resource_state(
        &self,
        request: Request<upgrade_resource_state::Request>,
    ) -> Result<Response<upgrade_resource_state::Response>, Status> {
        answer(self.upgrade_state(request.into_inner()))
    }

    async fn upgrade_resource_identity(
        &self,
        request: Request<upgrade_resource_identity::Request>,
    ) -> Result<Response<upgrade_resource_identity::Response>, Status> {
        answer(self.upgrade_identity(request.into_inner()))
    }

    async fn import_resource_state(
        &self,
        request: Request<import_resource_state::Request>,
    ) -> Result<Response<import_resource_state::Response>, Status> {
        answer(self.import_state(request.into_inner()).await)
    }

    async fn move_resource_state(
        &self,
        request: Request<move_resource_state::Request>,
    ) -> Result<Response<move_resource_state::Response>, Status> {
        answer(self.move_state(request.into_inner()))
    }

    async fn read_resource(&self, request: Request<read_resource::Request>) -> Result<Response<read_resource::Response>, Status> {
        answer(self.read_state(request.into_inner()).await)
    }

    async fn plan_resource_change(
        &self,
        request: Request<plan_resource_change::Request>,
    ) -> Result<Response<plan_resource_change::Response>, Status> {
        answer(self.plan_change(request.into_inner()).await)
    }

    async fn apply_resource_change(
        &self,
        request: Request<apply_resource_change::Request>,
    ) -> Result<Response<apply_resource_change::Response>, Status> {
        Ok(Response::new(self.apply_change(request.into_inner()).await))
    }

    async fn validate_data_resource_config(
        &self,
        request: Request<validate_data_resource_config::Request>,
    ) -> Result<Response<validate_data_resource_config::Response>, Status> {
        answer(self.validate_data_source(request.into_inner()))
    }

    async fn read_data_source(
        &self,
        request: Request<read_data_source::Request>,
    ) -> Result<Response<read_data_source::Response>, Status> {
        answer(self.read_data(request.into_inner()).await)
    }

    async fn validate_ephemeral_resource_config(
        &self,
        _request: Request<validate_ephemeral_resource_config::Request>,
    ) -> Result<Response<validate_ephemeral_resource_config::Response>, Status> {
        Err(no_ephemeral_resources())
    }

    async fn open_ephemeral_resource(
        &self,
        _request: Request<open_ephemeral_resource::Request>,
    ) -> Result<Response<open_ephemeral_resource::Response>, Status> {
        Err(no_ephemeral_resources())
    }

    async fn renew_ephemeral_resource(
        &self,
        _request: Request<renew_ephemeral_resource::Request>,
    ) -> Result<Response<renew_ephemeral_resource::Response>, Status> {
        Err(no_ephemeral_resources())
    }

    async fn close_ephemeral_resource(
        &self,
        _request: Request<close_ephemeral_resource::Request>,
    ) -> Result<Response<close_ephemeral_resource::Response>, Status> {
        Err(no_ephemeral_resources())
    }

    async fn call_function(&self, request: Request<call_function::Request>) -> Result<Response<call_function::Response>, Status> {
        Ok(Response::new(self.call(request.into_inner())))
    }
}
