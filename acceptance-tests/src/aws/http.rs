//! One HTTP request over one connection. In HTTP/1.0, so that no answer comes in chunks: its end is the connection's end.

use std::io::{Error, ErrorKind, Read, Result, Write};
use std::net::{SocketAddr, TcpStream};

#[derive(Clone, Debug, Default)]
pub struct Request {
    pub method: String,
    /// Path and query.
    pub target: String,
    pub headers: Vec<(String, String)>,
    pub body: Vec<u8>,
}

#[derive(Clone, Debug, Default)]
pub struct Answer {
    pub status: u16,
    pub headers: Vec<(String, String)>,
    pub body: Vec<u8>,
}

/// Headers that belong to one connection, or that `send` writes itself.
const OF_THE_CONNECTION: [&str; 5] = ["connection", "content-length", "expect", "keep-alive", "transfer-encoding"];

/// An error, too, when the connection ends without an answer.
pub fn send(address: SocketAddr, request: &Request) -> Result<Answer> {
    let mut connection = TcpStream::connect(address)?;
    connection.set_nodelay(true)?;
    connection.write_all(&head(address, request))?;
    connection.write_all(&request.body)?;
    let mut bytes = Vec::new();
    connection.read_to_end(&mut bytes)?;
    parse_answer(&bytes).ok_or_else(|| Error::new(ErrorKind::UnexpectedEof, "the connection ended without an answer"))
}

fn head(address: SocketAddr, request: &Request) -> Vec<u8> {
    let mut head = format!("{} {} HTTP/1.0\r\ncontent-length: {}\r\n", request.method, request.target, request.body.len());
    if header(&request.headers, "host").is_empty() {
        head += &format!("host: {address}\r\n");
    }
    for (name, value) in end_to_end(&request.headers) {
        head += &format!("{name}: {value}\r\n");
    }
    (head + "\r\n").into_bytes()
}

fn parse_answer(bytes: &[u8]) -> Option<Answer> {
    let end = bytes.windows(4).position(|window| window == b"\r\n\r\n")?;
    let head = String::from_utf8_lossy(&bytes[..end]).into_owned();
    let mut lines = head.lines();
    let status = lines.next()?.split(' ').nth(1)?.parse().ok()?;
    let headers: Vec<(String, String)> =
        lines.filter_map(|line| line.split_once(':')).map(|(name, value)| (name.into(), value.trim().into())).collect();
    let body = bytes[end + 4..].to_vec();
    let length = header(&headers, "content-length").parse().unwrap_or(body.len());
    is_whole(length, &body).then_some(Answer { status, headers, body })
}

/// An answer to HEAD has a length and no body.
fn is_whole(length: usize, body: &[u8]) -> bool {
    body.is_empty() || body.len() >= length
}

/// The value of a header, whose name may be written in any case; none is empty.
pub fn header<'a>(headers: &'a [(String, String)], name: &str) -> &'a str {
    headers.iter().find(|(other, _)| other.eq_ignore_ascii_case(name)).map_or("", |(_, value)| value.as_str())
}

/// Headers that are for whoever answers in the end.
pub fn end_to_end(headers: &[(String, String)]) -> impl Iterator<Item = &(String, String)> {
    headers.iter().filter(|(name, _)| !OF_THE_CONNECTION.iter().any(|other| other.eq_ignore_ascii_case(name)))
}
