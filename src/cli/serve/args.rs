//! The options of `serve`, and what they make of the server's own.

use std::fs;
use std::path::PathBuf;
use std::sync::LazyLock;
use std::time::{Duration, UNIX_EPOCH};

use clap::{Args, ValueEnum};
use monomorph::built::SPEC;
use monomorph::{Prompt, Truncate};
use monomorph_server::{Address, Keys, Limits, LogFormat, Options};

use super::super::choice::choice;
use super::super::failure::Failure;
use super::super::model::ModelArgs;
use super::super::preparation::{prompt, prompt_help};
use super::engine;

/// Answer HTTP clients of OpenAI, Text Embeddings Inference, Ollama and llama-server
#[derive(Args, Debug)]
#[command(after_help = "\
A text gets the same bits as from embed, whatever else is asked at the same time. Each option can also be given in the
environment: --max-batch as MONOMORPH_MAX_BATCH, say; and keys, one a line, in MONOMORPH_API_KEY. Requests are answered as
soon as the engine is free: there is no batch size to choose. After SIGTERM or Ctrl-C nothing new is accepted, requests
under way are answered, and the exit code is 0; a second signal ends at once. docs/serve.md has the routes. A binary
built with --features grpc also serves gRPC, as Text Embeddings Inference does, at the same port.

Examples:
  monomorph serve
  monomorph serve --host 0.0.0.0 --api-key-file keys.txt --log json
  monomorph serve --port 11434 --model-name embeddinggemma
  curl localhost:8080/v1/embeddings -d '{\"input\": \"Hello world\"}'")]
pub struct ServeArgs {
    /// Listen at this name or address
    #[arg(
        long,
        value_name = "HOST",
        env = "MONOMORPH_HOST",
        hide_env = true,
        default_value = "127.0.0.1"
    )]
    pub host: String,

    /// Listen at this port; 0 takes a free one, which the log names
    #[arg(long, value_name = "N", env = "MONOMORPH_PORT", hide_env = true, default_value = "8080")]
    port: u16,

    /// Listen at a Unix socket instead
    #[arg(long, value_name = "PATH", env = "MONOMORPH_UDS", hide_env = true)]
    pub uds: Option<PathBuf>,

    /// Name of the model, for clients; may repeat, and the first is in the answers [default: the file's own name]
    #[arg(
        long,
        value_name = "NAME",
        env = "MONOMORPH_MODEL_NAME",
        hide_env = true,
        value_delimiter = ','
    )]
    model_name: Vec<String>,

    /// Refuse requests for a model of another name
    #[arg(long, env = "MONOMORPH_STRICT_MODEL", hide_env = true)]
    strict_model: bool,

    #[arg(long, value_name = "NAME", help = PROMPT_HELP.as_str())]
    #[arg(value_parser = prompt, conflicts_with = "prefix", env = "MONOMORPH_PROMPT", hide_env = true)]
    prompt: Option<Prompt>,

    /// Prepend STR to each text whose request names no prompt
    #[arg(long, value_name = "STR", env = "MONOMORPH_PREFIX", hide_env = true)]
    prefix: Option<String>,

    /// What to do with a text longer than the model's context, where the request does not say
    #[arg(long, value_name = "WHERE", env = "MONOMORPH_TRUNCATE", hide_env = true)]
    #[arg(default_value = "end", value_parser = choice::<Truncate>())]
    truncate: Truncate,

    /// Take token ids, of this model's vocabulary, on OpenAI's route
    #[arg(long, env = "MONOMORPH_TOKEN_IDS", hide_env = true)]
    token_ids: bool,

    /// Texts that a request may have
    #[arg(long, value_name = "N", env = "MONOMORPH_MAX_BATCH", hide_env = true)]
    #[arg(default_value = "2048", value_parser = clap::value_parser!(u32).range(1..=65536))]
    max_batch: u32,

    /// Tokens that a request may have
    #[arg(long, value_name = "N", env = "MONOMORPH_MAX_REQUEST_TOKENS", hide_env = true)]
    #[arg(default_value = "300000", value_parser = clap::value_parser!(u32).range(1..))]
    max_request_tokens: u32,

    /// Bytes that a request may have, such as 16MiB
    #[arg(long, value_name = "SIZE", env = "MONOMORPH_MAX_BODY", hide_env = true)]
    #[arg(default_value = "16MiB", value_parser = bytes)]
    max_body: usize,

    /// Refuse requests that would wait longer than S seconds for those before them
    #[arg(long, value_name = "S", env = "MONOMORPH_MAX_WAIT", hide_env = true)]
    #[arg(default_value = "30", value_parser = clap::value_parser!(u32).range(1..))]
    max_wait: u32,

    /// Give up a request after S seconds
    #[arg(long, value_name = "S", env = "MONOMORPH_TIMEOUT", hide_env = true)]
    #[arg(default_value = "300", value_parser = clap::value_parser!(u32).range(1..))]
    timeout: u32,

    /// Milliseconds that most passes over several texts should take: a short request waits about so long for others
    #[arg(long, value_name = "MS", env = "MONOMORPH_PASS_MS", hide_env = true)]
    #[arg(default_value = "75", value_parser = clap::value_parser!(u32).range(1..=60_000))]
    pass_ms: u32,

    /// Keep vectors of texts that may come again, in SIZE bytes such as 100MiB; 0 keeps none
    #[arg(long, value_name = "SIZE", env = "MONOMORPH_CACHE", hide_env = true)]
    #[arg(default_value = "0", value_parser = bytes)]
    cache: usize,

    /// Connections at once; others wait
    #[arg(long, value_name = "N", env = "MONOMORPH_MAX_CONNECTIONS", hide_env = true)]
    #[arg(default_value = "1024", value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
    max_connections: u32,

    /// Wait at most S seconds for requests under way when the server is stopped
    #[arg(long, value_name = "S", env = "MONOMORPH_DRAIN", hide_env = true, default_value = "30")]
    drain: u32,

    /// Serve only clients with one of the keys in FILE, one a line; read again on SIGHUP
    #[arg(long, value_name = "FILE", env = "MONOMORPH_API_KEY_FILE", hide_env = true)]
    api_key_file: Option<PathBuf>,

    /// Serve everybody who can reach the server, without keys
    #[arg(long, env = "MONOMORPH_INSECURE", hide_env = true)]
    pub insecure: bool,

    /// Also serve clients that ask for this host name, if the server listens at a loopback address; may repeat
    #[arg(
        long,
        value_name = "NAME",
        env = "MONOMORPH_ALLOW_HOST",
        hide_env = true,
        value_delimiter = ','
    )]
    allow_host: Vec<String>,

    /// Let pages of this origin call the server, or those of all with `*`; may repeat
    #[arg(long, value_name = "ORIGIN", env = "MONOMORPH_CORS_ORIGIN", hide_env = true)]
    #[arg(value_delimiter = ',', value_parser = origin)]
    cors_origin: Vec<String>,

    /// Show browsers no page at `/`
    #[arg(long, env = "MONOMORPH_NO_WEB", hide_env = true)]
    no_web: bool,

    /// Form of the log, on standard error
    #[arg(
        long,
        value_name = "FORM",
        env = "MONOMORPH_LOG",
        hide_env = true,
        default_value = "text"
    )]
    log: Log,

    /// What to log: a line for each request from `info` on
    #[arg(
        long,
        value_name = "LEVEL",
        env = "MONOMORPH_LOG_LEVEL",
        hide_env = true,
        default_value = "info"
    )]
    log_level: Level,

    #[command(flatten)]
    pub model: ModelArgs,
}

static PROMPT_HELP: LazyLock<String> =
    LazyLock::new(|| prompt_help("each text whose request names no prompt"));

#[derive(Clone, Copy, Debug, ValueEnum)]
enum Log {
    /// A line for people
    Text,
    /// A JSON object a line
    Json,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum Level {
    Off,
    Error,
    Warn,
    Info,
    Debug,
}

impl ServeArgs {
    /// The keys of the file and of the environment.
    pub fn keys(&self) -> Result<Vec<String>, Failure> {
        let mut keys = Keys::parse(&std::env::var("MONOMORPH_API_KEY").unwrap_or_default());
        if let Some(file) = &self.api_key_file {
            let text = fs::read_to_string(file)
                .map_err(|error| Failure::reading(file.display(), &error))?;
            let in_file = Keys::parse(&text);
            if in_file.is_empty() {
                return Err(Failure::Usage(format!(
                    "--api-key-file {}: it has no keys",
                    file.display()
                )));
            }
            keys.extend(in_file);
        }
        Ok(keys)
    }

    pub fn start_log(&self) {
        let level = match self.log_level {
            Level::Off => "off",
            Level::Error => "error",
            Level::Warn => "warn",
            Level::Info => "info",
            Level::Debug => "debug",
        };
        let form = match self.log {
            Log::Text => LogFormat::Text,
            Log::Json => LogFormat::Json,
        };
        form.start(level);
    }

    pub fn options(&self, keys: Keys) -> Options {
        let seconds = |n: u32| Duration::from_secs(n.into());
        let limits = Limits {
            batch: self.max_batch as usize,
            request_tokens: self.max_request_tokens as usize,
            body: self.max_body,
            wait: seconds(self.max_wait),
            timeout: seconds(self.timeout),
            pass: Duration::from_millis(self.pass_ms.into()),
            cache: self.cache,
            connections: self.max_connections as usize,
            drain: seconds(self.drain),
            ..Limits::default()
        };
        let mut options = Options::new(slug(&SPEC.name));
        if !self.model_name.is_empty() {
            options.names.clone_from(&self.model_name);
        }
        options.address = match &self.uds {
            Some(path) => Address::Unix(path.clone()),
            None => Address::Tcp { host: self.host.clone(), port: self.port },
        };
        match (self.prompt, &self.prefix) {
            (Some(prompt), _) => options.prompt = engine::prompt(prompt),
            (None, Some(prefix)) => {
                options.prompt =
                    monomorph_server::Prompt { name: "custom".to_owned(), prefix: prefix.clone() };
            }
            (None, None) => {}
        }
        Options {
            strict_model: self.strict_model,
            truncate: engine::truncate(self.truncate),
            token_ids: self.token_ids,
            keys,
            allowed_hosts: self.allow_host.clone(),
            cors_origins: self.cors_origin.clone(),
            page: !self.no_web,
            limits,
            created: created(),
            ..options
        }
    }
}

/// A model's name as clients write one: lower case, words joined by `-`.
fn slug(name: &str) -> String {
    let words = name.split(|c: char| !c.is_alphanumeric() && c != '.');
    let words: Vec<String> = words.filter(|word| !word.is_empty()).map(str::to_lowercase).collect();
    if words.is_empty() { "model".to_owned() } else { words.join("-") }
}

/// When this binary was written, in seconds since 1970; zero if that is not known.
fn created() -> u64 {
    let binary = std::env::current_exe().and_then(fs::metadata);
    let modified = binary.and_then(|found| found.modified()).ok();
    modified.and_then(|at| at.duration_since(UNIX_EPOCH).ok()).map_or(0, |time| time.as_secs())
}

/// What browsers send as an origin: a scheme and a host, without a path.
fn origin(given: &str) -> Result<String, String> {
    let host = given.split_once("://").map_or("", |(_, host)| host);
    let is_host = |c: char| c.is_ascii_alphanumeric() || ".-:[]".contains(c);
    match given == "*" || (!host.is_empty() && host.chars().all(is_host)) {
        true => Ok(given.to_ascii_lowercase()),
        false => {
            Err("an origin is like https://app.example or http://localhost:3000, or * for all"
                .to_owned())
        }
    }
}

/// A number of bytes, with a unit or without.
fn bytes(given: &str) -> Result<usize, String> {
    let digits = given.trim_end_matches(|c: char| !c.is_ascii_digit());
    let unit = match given[digits.len()..].trim() {
        "" | "B" => 1,
        "KiB" | "K" => 1 << 10,
        "MiB" | "M" => 1 << 20,
        "GiB" | "G" => 1 << 30,
        unit => return Err(format!("unknown unit {unit:?}; known: KiB, MiB, GiB")),
    };
    let number: usize = digits.parse().map_err(|_| "not a number of bytes".to_owned())?;
    number.checked_mul(unit).ok_or_else(|| "too many bytes".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_become_slugs() {
        assert_eq!(slug("EmbeddingGemma 300M"), "embeddinggemma-300m");
        assert_eq!(slug("bge-small-en-v1.5"), "bge-small-en-v1.5");
        assert_eq!(slug("  "), "model");
    }

    #[test]
    fn origins_have_no_paths() {
        for good in ["*", "https://app.example", "http://localhost:3000", "http://[::1]:80"] {
            assert_eq!(origin(good).as_deref(), Ok(good));
        }
        for bad in ["", "app.example", "https://", "https://app.example/", "https://a b", "null"] {
            assert!(origin(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn sizes_have_units() {
        assert_eq!(bytes("16MiB"), Ok(16 << 20));
        assert_eq!(bytes("1 GiB"), Ok(1 << 30));
        assert_eq!(bytes("512"), Ok(512));
        for bad in ["", "MiB", "1.5MiB", "-1", "1TiB", "99999999999999999999", "99999999999GiB"] {
            assert!(bytes(bad).is_err(), "{bad}");
        }
    }
}
