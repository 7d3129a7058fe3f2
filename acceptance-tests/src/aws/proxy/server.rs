//! The proxy's side towards its callers: HTTP/1.1 with everything that clients may do (chunks, kept connections, `Expect`), and
//! connections that end without an answer.

use super::gateway::Gateway;
use crate::aws::http::{Answer, Request, end_to_end};
use http_body_util::{BodyExt, Full};
use hyper::body::{Bytes, Incoming};
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use std::io::{Error, ErrorKind};
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use tokio::net::{TcpListener, TcpStream};
use tokio::runtime::{Builder, Runtime};

pub fn start(gateway: Arc<Gateway>) -> (Runtime, SocketAddr) {
    let runtime = Builder::new_multi_thread().worker_threads(1).enable_all().thread_name("aws-proxy").build();
    let runtime = runtime.unwrap_or_else(|error| panic!("no runtime: {error}"));
    let bound = runtime.block_on(TcpListener::bind((Ipv4Addr::LOCALHOST, 0)));
    let listener = bound.unwrap_or_else(|error| panic!("no free port: {error}"));
    let address = listener.local_addr().unwrap_or_else(|error| panic!("no free port: {error}"));
    runtime.spawn(accept(listener, gateway));
    (runtime, address)
}

async fn accept(listener: TcpListener, gateway: Arc<Gateway>) {
    while let Ok((connection, _)) = listener.accept().await {
        tokio::spawn(serve(connection, gateway.clone()));
    }
}

/// An error of the service ends the connection: that is how one goes unanswered.
async fn serve(connection: TcpStream, gateway: Arc<Gateway>) {
    let service = service_fn(move |request| answer(request, gateway.clone()));
    let _ = hyper::server::conn::http1::Builder::new().serve_connection(TokioIo::new(connection), service).await;
}

/// The gateway blocks: it asks the emulator, waits for other calls, runs hooks. Its work goes on when the caller is gone, as at AWS.
async fn answer(request: hyper::Request<Incoming>, gateway: Arc<Gateway>) -> Result<hyper::Response<Full<Bytes>>, Error> {
    let request = receive(request).await.map_err(Error::other)?;
    let answer = tokio::task::spawn_blocking(move || gateway.handle(request)).await?;
    let answer = answer.ok_or_else(|| Error::new(ErrorKind::ConnectionAborted, "on purpose"))?;
    response(answer).map_err(Error::other)
}

async fn receive(request: hyper::Request<Incoming>) -> hyper::Result<Request> {
    let (head, body) = request.into_parts();
    let text = |value: &hyper::header::HeaderValue| String::from_utf8_lossy(value.as_bytes()).into_owned();
    let headers = head.headers.iter().map(|(name, value)| (name.to_string(), text(value))).collect();
    let target = head.uri.path_and_query().map_or("/", |target| target.as_str()).to_string();
    let body = body.collect().await?.to_bytes().to_vec();
    Ok(Request { method: head.method.to_string(), target, headers, body })
}

fn response(answer: Answer) -> hyper::http::Result<hyper::Response<Full<Bytes>>> {
    let builder = hyper::Response::builder().status(answer.status);
    let builder = end_to_end(&answer.headers).fold(builder, |builder, (name, value)| builder.header(name, value));
    builder.body(Full::new(Bytes::from(answer.body)))
}
