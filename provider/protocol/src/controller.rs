//! The services that go-plugin expects beside the provider: health, the controller that ends the process, and the stream of
//! its output. The stream stays open and empty: logs go to standard error.

use std::pin::Pin;

use futures::{Stream, StreamExt, stream};
use tokio_util::sync::CancellationToken;
use tonic::{Request, Response, Status};

use crate::wire::health::health_check_response::ServingStatus;
use crate::wire::health::health_server::Health;
use crate::wire::health::{HealthCheckRequest, HealthCheckResponse};
use crate::wire::plugin::grpc_controller_server::GrpcController;
use crate::wire::plugin::grpc_stdio_server::GrpcStdio;
use crate::wire::plugin::{Empty, StdioData};

/// The name under which go-plugin asks for health.
const SERVICE: &str = "plugin";

type Streamed<T> = Pin<Box<dyn Stream<Item = Result<T, Status>> + Send>>;

/// Cheap to clone; every clone ends the same server.
#[derive(Clone)]
pub(crate) struct Controller {
    pub(crate) shutdown: CancellationToken,
}

impl Controller {
    /// Yields `first`, then nothing until the server ends.
    fn until_shutdown<T: Send + 'static>(&self, first: Option<T>) -> Response<Streamed<T>> {
        let shutdown = self.shutdown.clone().cancelled_owned();
        let items = stream::iter(first.map(Ok)).chain(stream::pending()).take_until(shutdown);
        Response::new(Box::pin(items))
    }
}

#[tonic::async_trait]
impl GrpcController for Controller {
    async fn shutdown(&self, _request: Request<Empty>) -> Result<Response<Empty>, Status> {
        self.shutdown.cancel();
        Ok(Response::new(Empty {}))
    }
}

#[tonic::async_trait]
impl GrpcStdio for Controller {
    type StreamStdioStream = Streamed<StdioData>;

    async fn stream_stdio(&self, _request: Request<Empty>) -> Result<Response<Self::StreamStdioStream>, Status> {
        Ok(self.until_shutdown(None))
    }
}

#[tonic::async_trait]
impl Health for Controller {
    type WatchStream = Streamed<HealthCheckResponse>;

    async fn check(&self, request: Request<HealthCheckRequest>) -> Result<Response<HealthCheckResponse>, Status> {
        if !is_served(&request.get_ref().service) {
            return Err(Status::not_found("unknown service"));
        }
        Ok(Response::new(HealthCheckResponse { status: ServingStatus::Serving.into() }))
    }

    async fn watch(&self, request: Request<HealthCheckRequest>) -> Result<Response<Self::WatchStream>, Status> {
        let known = is_served(&request.get_ref().service);
        let status = if known { ServingStatus::Serving } else { ServingStatus::ServiceUnknown };
        Ok(self.until_shutdown(Some(HealthCheckResponse { status: status.into() })))
    }
}

/// The empty name stands for the whole server.
fn is_served(service: &str) -> bool {
    service.is_empty() || service == SERVICE
}
