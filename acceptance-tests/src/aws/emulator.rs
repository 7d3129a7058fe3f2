//! The emulator of AWS: moto server as a child process on a port of its own. It ends with this value, and with this program however
//! that ends.

use super::api::Api;
use super::{inventory, objects};
use crate::command::run;
use crate::{build_folder, eventually, source_folder};
use std::fs::File;
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

const STARTS_WITHIN: Duration = Duration::from_secs(60);

/// Waits until its standard input ends, which it does at the latest with this program, and then ends the server.
const KEEPER: &str = r#""$@" & server=$!; cat > /dev/null; kill -9 $server; wait $server 2>/dev/null"#;

/// A running server, which ends with this value.
pub(super) struct Server(Child);

impl Server {
    /// By `shell`, which is a command for `sh` in the network where it is to run. Installs moto server if the cache does not hold it yet.
    pub fn start(mut shell: Command, address: &SocketAddr, log: &Path) -> Server {
        let program = run(Command::new(source_folder().join("lab/aws/build.sh")).stderr(Stdio::inherit())).success().stdout;
        let output = File::create(log).unwrap_or_else(|error| panic!("{}: {error}", log.display()));
        let second = output.try_clone().unwrap_or_else(|error| panic!("{}: {error}", log.display()));
        let (host, port) = (address.ip().to_string(), address.port().to_string());
        shell.args(["-c", KEEPER, "keeper", program.trim(), "-H", &host, "-p", &port]);
        shell.stdin(Stdio::piped()).stdout(output).stderr(second);
        Server(shell.spawn().unwrap_or_else(|error| panic!("cannot run sh: {error}")))
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        drop(self.0.stdin.take());
        let _ = self.0.wait();
    }
}

pub struct Emulator {
    /// Asks it directly, past every proxy: so a test changes things "from outside".
    pub api: Api,
    _server: Server,
    log: PathBuf,
}

impl Emulator {
    pub fn start() -> Emulator {
        let address = free_address();
        let log = build_folder().join(format!("aws-emulator-{}.log", address.port()));
        let server = Server::start(Command::new("sh"), &address, &log);
        let emulator = Emulator { api: Api { address }, _server: server, log };
        let ask = || emulator.api.ask("ec2", &[("Action", "DescribeVpcs")]).ok();
        eventually(&format!("the emulator answers; see {}", emulator.log.display()), STARTS_WITHIN, ask);
        emulator
    }

    pub fn url(&self) -> String {
        format!("http://{}", self.api.address)
    }

    /// Forgets everything that was made. A proxy before it has a memory of its own: `FaultProxy::reset`.
    pub fn reset(&self) {
        let request = super::http::Request { method: "POST".into(), target: "/moto-api/reset".into(), ..Default::default() };
        let answer = self.api.send(&request).unwrap_or_else(|failure| panic!("the emulator is not reset: {failure:?}"));
        assert_eq!(answer.status, 200, "the emulator is not reset");
    }

    /// What a test could leave, one thing a line, without what AWS draws at random.
    pub fn inventory(&self) -> Vec<String> {
        objects::remove_leftovers(&self.api);
        inventory::read(&self.api)
    }

    /// A call of the query protocol, past every proxy: `("ec2", &[("Action", "DeleteSubnet"), …])`. It must succeed.
    #[track_caller]
    pub fn call(&self, service: &str, parameters: &[(&str, &str)]) -> String {
        self.api.call(service, parameters)
    }

    /// A call of Route 53, past every proxy. It must succeed.
    #[track_caller]
    pub fn route53(&self, method: &str, path: &str, body: &str) -> String {
        self.api.route53(method, path, body)
    }
}

impl Drop for Emulator {
    fn drop(&mut self) {
        if !std::thread::panicking() {
            let _ = std::fs::remove_file(&self.log);
        }
    }
}

/// Somebody else could take it before the emulator does; then nobody answers as an emulator would, and the start fails.
fn free_address() -> SocketAddr {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap_or_else(|error| panic!("no free port: {error}"));
    listener.local_addr().unwrap_or_else(|error| panic!("no free port: {error}"))
}
