//! `monomorph serve`: the model as an HTTP server.

mod args;
mod engine;
mod tokens;

use std::net::IpAddr;
use std::sync::Arc;

use monomorph_server::{Address, Ending, Inherited, Keys, Server};

use super::failure::Failure;
use super::message;
pub use args::ServeArgs;
use engine::Model;

pub fn run(args: ServeArgs) -> Result<(), Failure> {
    let keys = Keys::default();
    keys.set(args.keys()?);
    let inherited = Inherited::take().map_err(|error| {
        Failure::Failed(format!("cannot take the socket of LISTEN_FDS: {error}"))
    })?;
    let host = match inherited.as_ref().map(Inherited::address) {
        Some(Address::Tcp { host, .. }) => Some(host.clone()),
        Some(Address::Unix(_)) => None,
        None => args.uds.is_none().then(|| args.host.clone()),
    };
    if let Some(host) = host
        && keys.is_empty()
        && !args.insecure
        && !is_loopback(&host)
    {
        return Err(Failure::Usage(format!(
            "--host {host}: others can reach this address; give keys with --api-key-file or MONOMORPH_API_KEY, or serve \
             everybody with --insecure"
        )));
    }
    let embedder = args.model.open(|options| options.keep_panels(true))?;
    args.start_log();
    let options = args.options(keys.clone());
    let address = options.address.clone();
    let model = Arc::new(Model::new(embedder));
    let server = match inherited {
        Some(inherited) => Server::at(inherited, model, options),
        None => Server::bind(model, options),
    };
    let server =
        server.map_err(|error| Failure::Failed(format!("cannot listen at {address}: {error}")))?;
    #[cfg(unix)]
    server
        .obey_signals(Box::new(move || match args.keys() {
            Ok(read) => keys.set(read),
            Err(_) => message::warning("the file of keys cannot be read; the keys are as before"),
        }))
        .map_err(|error| Failure::Failed(format!("cannot wait for signals: {error}")))?;
    match server.run() {
        Ok(Ending::Drained) => Ok(()),
        Ok(Ending::CutOff) => Err(Failure::Failed("requests under way were cut off".to_owned())),
        Err(error) => Err(Failure::Failed(format!("cannot accept connections: {error}"))),
    }
}

/// Whether only this machine's users can reach an address.
fn is_loopback(host: &str) -> bool {
    host == "localhost" || host.parse::<IpAddr>().is_ok_and(|address| address.is_loopback())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_loopback_needs_no_key() {
        for host in ["localhost", "127.0.0.1", "127.1.2.3", "::1"] {
            assert!(is_loopback(host), "{host}");
        }
        for host in ["0.0.0.0", "::", "10.0.0.1", "example.org", ""] {
            assert!(!is_loopback(host), "{host}");
        }
    }
}
