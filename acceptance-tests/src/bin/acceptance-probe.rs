//! `acceptance-probe URL INTERVAL_MS PATIENCE_MS [AUTHORITY]`: asks for the URL over a new connection each time and prints a line
//! for each answer: when it was asked, how long it took, and `ok` or an error. Ends when its standard input does.

use acceptance_tests::command::end_of_input;
use rustls::pki_types::{CertificateDer, ServerName, pem::PemObject};
use rustls::{ClientConfig, ClientConnection, RootCertStore, Stream};
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

type Failure = Box<dyn std::error::Error>;

struct Question {
    address: SocketAddr,
    host: String,
    path: String,
    tls: Option<Arc<ClientConfig>>,
    patience: Duration,
}

fn main() -> ExitCode {
    match probe(&std::env::args().skip(1).collect::<Vec<_>>()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("acceptance-probe: {error}");
            ExitCode::FAILURE
        }
    }
}

fn probe(arguments: &[String]) -> Result<(), Failure> {
    let [url, interval, patience, authority @ ..] = arguments else {
        return Err("URL INTERVAL_MS PATIENCE_MS [AUTHORITY]".into());
    };
    let question = Question::parse(url, Duration::from_millis(patience.parse()?), authority.first())?;
    let interval = Duration::from_millis(interval.parse()?);
    let ended = end_of_input();
    let mut output = std::io::stdout().lock();
    while !ended.load(Ordering::Relaxed) {
        let (begun, clock) = (SystemTime::now().duration_since(UNIX_EPOCH)?.as_millis(), Instant::now());
        let answer = question.ask().map_or_else(|error| error.to_string().replace('\n', " "), |()| "ok".into());
        writeln!(output, "{begun} {} {answer}", clock.elapsed().as_millis())?;
        output.flush()?;
        std::thread::sleep(interval.saturating_sub(clock.elapsed()));
    }
    Ok(())
}

impl Question {
    fn parse(url: &str, patience: Duration, authority: Option<&String>) -> Result<Question, Failure> {
        let (scheme, rest) = url.split_once("://").ok_or("not a URL")?;
        let (address, path) = rest.split_once('/').unwrap_or((rest, ""));
        let default_port = if scheme == "https" { 443 } else { 80 };
        let address: SocketAddr = address.parse().or_else(|_| format!("{address}:{default_port}").parse())?;
        let tls = authority.map(|file| tls(file)).transpose()?;
        let host = address.ip().to_string();
        Ok(Question { address, host, path: format!("/{path}"), tls, patience })
    }

    fn ask(&self) -> Result<(), Failure> {
        let mut socket = TcpStream::connect_timeout(&self.address, self.patience)?;
        socket.set_read_timeout(Some(self.patience))?;
        socket.set_write_timeout(Some(self.patience))?;
        let Some(tls) = &self.tls else { return self.get(&mut socket) };
        let mut connection = ClientConnection::new(tls.clone(), ServerName::try_from(self.host.clone())?)?;
        self.get(&mut Stream::new(&mut connection, &mut socket))
    }

    fn get(&self, stream: &mut (impl Read + Write)) -> Result<(), Failure> {
        let bracketed = if self.address.is_ipv6() { format!("[{}]", self.host) } else { self.host.clone() };
        write!(stream, "GET {} HTTP/1.1\r\nHost: {bracketed}\r\nConnection: close\r\n\r\n", self.path)?;
        let mut status = [0; 12]; // "HTTP/1.1 200"
        stream.read_exact(&mut status)?;
        let status = String::from_utf8_lossy(&status).into_owned();
        if status.ends_with(" 200") { Ok(()) } else { Err(status.into()) }
    }
}

fn tls(authority: &str) -> Result<Arc<ClientConfig>, Failure> {
    let mut roots = RootCertStore::empty();
    roots.add(CertificateDer::from_pem_file(authority)?)?;
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let config = ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions()?;
    Ok(Arc::new(config.with_root_certificates(roots).with_no_client_auth()))
}
