//! Local ports that lead to where the host can connect to.

use crate::host::{Host, closed_port};
use machines::MachineError;
use std::time::Duration;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};

/// Answers each connection with what it sent, until its end.
async fn echo() -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            tokio::spawn(async move {
                let (mut reader, mut writer) = stream.split();
                let _ = tokio::io::copy(&mut reader, &mut writer).await;
            });
        }
    });
    port
}

#[tokio::test]
async fn a_forwarded_port_carries_many_connections_and_closes_when_dropped() {
    let host = Host::start();
    let machine = host.connect().await;
    let forward = machine.forward("localhost", echo().await).await.unwrap();
    let port = forward.port();
    for number in 0..5 {
        let mut stream = TcpStream::connect(("127.0.0.1", port)).await.unwrap();
        let sent = vec![number; 200_000];
        let (mut reader, mut writer) = stream.split();
        let mut received = Vec::new();
        let (written, read) = tokio::join!(
            async {
                writer.write_all(&sent).await.unwrap();
                writer.shutdown().await
            },
            reader.read_to_end(&mut received)
        );
        written.unwrap();
        read.unwrap();
        assert!(received == sent);
    }
    drop(forward);
    let closed = async {
        while TcpStream::connect(("127.0.0.1", port)).await.is_ok() {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(Duration::from_secs(30), closed).await.unwrap();
}

#[tokio::test]
async fn a_destination_that_the_host_cannot_reach_is_an_error_at_once() {
    let host = Host::start();
    let (_held, nobody) = closed_port();
    let error = host.connect().await.forward("127.0.0.1", nobody).await.err().unwrap();
    assert!(matches!(error, MachineError::NobodyListens { .. }), "{error}");
    assert!(error.to_string().contains(&format!("127.0.0.1 port {nobody}")), "{error}");
}
