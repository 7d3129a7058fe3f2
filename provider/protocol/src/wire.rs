//! The generated messages and services of `proto/`. Nothing is added to them here.

/// Terraform's plugin protocol 6.
#[allow(clippy::all)]
pub mod tfplugin6 {
    tonic::include_proto!("tfplugin6");
}

/// go-plugin's own services.
#[allow(clippy::all)]
pub mod plugin {
    tonic::include_proto!("plugin");
}

/// The standard health service.
#[allow(clippy::all)]
pub mod health {
    tonic::include_proto!("grpc.health.v1");
}
