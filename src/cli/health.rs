//! `monomorph health`: whether a server answers, for containers whose image has no other client.

use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::{TcpStream, ToSocketAddrs};
use std::path::PathBuf;
use std::time::Duration;

use clap::Args;

use super::failure::Failure;

/// Longer first lines are no HTTP.
const LONGEST_LINE: u64 = 1000;

/// Ask a server of `serve` whether it takes requests
#[derive(Args, Debug)]
#[command(after_help = "\
The exit code is 0 if it does, and 1 if it is shutting down, cannot serve, or does not answer. Where the server is, is
taken from the same variables as by serve, so that a container's check needs no options.

Example:
  monomorph health --port 8080")]
pub struct HealthArgs {
    /// Name or address that the server listens at; for 0.0.0.0 and ::, this machine is asked
    #[arg(
        long,
        value_name = "HOST",
        env = "MONOMORPH_HOST",
        hide_env = true,
        default_value = "127.0.0.1"
    )]
    host: String,

    /// Port that it listens at
    #[arg(long, value_name = "N", env = "MONOMORPH_PORT", hide_env = true, default_value = "8080")]
    #[arg(value_parser = clap::value_parser!(u16).range(1..))]
    port: u16,

    /// Unix socket that it listens at instead
    #[arg(long, value_name = "PATH", env = "MONOMORPH_UDS", hide_env = true)]
    uds: Option<PathBuf>,

    /// Give up after S seconds
    #[arg(long, value_name = "S", default_value = "5")]
    #[arg(value_parser = clap::value_parser!(u32).range(1..))]
    wait: u32,
}

pub fn run(args: &HealthArgs) -> Result<(), Failure> {
    let (address, status) = match &args.uds {
        Some(path) => (path.display().to_string(), args.ask_socket(path)),
        None => (format!("{}:{}", args.host, args.port), args.ask_network()),
    };
    match status {
        Ok(200) => Ok(()),
        Ok(status) => {
            Err(Failure::Failed(format!("the server at {address} takes no requests: {status}")))
        }
        Err(error) => {
            Err(Failure::Failed(format!("the server at {address} does not answer: {error}")))
        }
    }
}

impl HealthArgs {
    fn wait(&self) -> Duration {
        Duration::from_secs(self.wait.into())
    }

    fn ask_network(&self) -> io::Result<u16> {
        let host = match self.host.as_str() {
            "0.0.0.0" => "127.0.0.1",
            "::" => "::1",
            host => host,
        };
        let mut failed = io::Error::other("no such host");
        for address in (host, self.port).to_socket_addrs()? {
            let connected = TcpStream::connect_timeout(&address, self.wait());
            match connected {
                Ok(stream) => {
                    stream.set_read_timeout(Some(self.wait()))?;
                    stream.set_write_timeout(Some(self.wait()))?;
                    return ask(stream);
                }
                Err(error) => failed = error,
            }
        }
        Err(failed)
    }

    #[cfg(unix)]
    fn ask_socket(&self, path: &std::path::Path) -> io::Result<u16> {
        let stream = std::os::unix::net::UnixStream::connect(path)?;
        stream.set_read_timeout(Some(self.wait()))?;
        stream.set_write_timeout(Some(self.wait()))?;
        ask(stream)
    }

    #[cfg(not(unix))]
    fn ask_socket(&self, _: &std::path::Path) -> io::Result<u16> {
        Err(io::Error::other("there are no Unix sockets here"))
    }
}

/// The status of `/ready`.
fn ask(mut stream: impl Read + Write) -> io::Result<u16> {
    stream.write_all(b"GET /ready HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")?;
    let mut line = String::new();
    BufReader::new(stream).take(LONGEST_LINE).read_line(&mut line)?;
    let status = line.strip_prefix("HTTP/1.1 ").and_then(|rest| rest.get(..3)?.parse().ok());
    status.ok_or_else(|| io::Error::other("what answers is no server of serve"))
}
