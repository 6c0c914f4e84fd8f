//! Two servers behind nginx and HAProxy: one of them shuts down, is killed, or refuses, and no request fails.

use std::io::{Read, Write};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use serde_json::json;

use super::*;

const CLIENTS: usize = 8;
const REQUESTS: usize = 10;

/// What happens to the first of two servers.
#[derive(Clone, Copy, Debug)]
enum Event {
    Term,
    Kill,
}

/// A balancer in front of two ports.
type Start = fn(&Folder, [&str; 2]) -> (Running, String);

#[test]
fn nginx_loses_no_request() {
    if is_asked_for(&["nginx"]) {
        names_must_be_allowed("nginx", nginx);
        one_of_two_goes("nginx", nginx);
        one_of_two_refuses(nginx);
    }
}

#[test]
fn haproxy_loses_no_request() {
    if is_asked_for(&["haproxy"]) {
        names_must_be_allowed("haproxy", haproxy);
        one_of_two_goes("haproxy", haproxy);
    }
}

fn nginx(folder: &Folder, servers: [&str; 2]) -> (Running, String) {
    let port = free_port();
    let words = [
        ("listen 8080", format!("listen 127.0.0.1:{port}")),
        ("127.0.0.1:8081", servers[0].to_owned()),
        ("127.0.0.1:8082", servers[1].to_owned()),
    ];
    let words = words.each_ref().map(|(own, other)| (*own, other.as_str()));
    let site = folder.write("site.conf", adapted("nginx.conf", &words).as_bytes());
    let temporary: String = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"]
        .map(|name| format!("{name}_temp_path {};\n", folder.argument(name)))
        .concat();
    let main = format!(
        "daemon off; master_process off; pid {};\nevents {{}}\nhttp {{ access_log off;\n{temporary}include {site}; }}\n",
        folder.argument("nginx.pid")
    );
    let main = folder.write("nginx.conf", main.as_bytes());
    let program = path_of("nginx").expect("nginx");
    let log = std::fs::File::create(folder.path("nginx.log")).expect("a file");
    let mut command = Command::new(program);
    command.args(["-p", &folder.argument(""), "-c", &main, "-e", "stderr"]).stderr(log);
    let balancer = Running::start(&mut command);
    let host = format!("127.0.0.1:{port}");
    wait_for(&host);
    (balancer, host)
}

fn haproxy(folder: &Folder, servers: [&str; 2]) -> (Running, String) {
    let port = free_port();
    let words = [
        ("bind :8080", format!("bind 127.0.0.1:{port}")),
        ("127.0.0.1:8081", servers[0].to_owned()),
        ("127.0.0.1:8082", servers[1].to_owned()),
    ];
    let words = words.each_ref().map(|(own, other)| (*own, other.as_str()));
    let config = folder.write("haproxy.cfg", adapted("haproxy.cfg", &words).as_bytes());
    let program = path_of("haproxy").expect("haproxy");
    let log = std::fs::File::create(folder.path("haproxy.log")).expect("a file");
    let mut command = Command::new(program);
    command.args(["-db", "-f", &config]).stderr(log);
    let balancer = Running::start(&mut command);
    let host = format!("127.0.0.1:{port}");
    wait_for(&host);
    (balancer, host)
}

/// Clients that keep their connections send eighty requests; once a quarter is answered, something happens.
fn failures(host: &str, event: impl FnOnce() + Send) -> Vec<u16> {
    let body = json!({"input": vec!["a few words of a text that takes a while"; 64]}).to_string();
    let (answered, over) = (AtomicUsize::new(0), AtomicBool::new(false));
    std::thread::scope(|scope| {
        let one = || {
            let mut statuses = Vec::new();
            let mut client = Client::connect(host);
            for _ in 0..REQUESTS {
                let answer = client.post("/v1/embeddings", &body);
                if answer.header("connection") == Some("close") {
                    client = Client::connect(host);
                }
                answered.fetch_add(1, Ordering::Relaxed);
                statuses.push(answer.status);
            }
            statuses
        };
        let clients: Vec<_> = (0..CLIENTS).map(|_| scope.spawn(one)).collect();
        scope.spawn(|| {
            while answered.load(Ordering::Relaxed) < CLIENTS * REQUESTS / 4 {
                assert!(!over.load(Ordering::Relaxed));
                std::thread::sleep(Duration::from_millis(1));
            }
            event();
        });
        let statuses = clients.into_iter().flat_map(|client| client.join().expect("answers"));
        let statuses: Vec<u16> = statuses.collect();
        over.store(true, Ordering::Relaxed);
        assert_eq!(statuses.len(), CLIENTS * REQUESTS);
        statuses.into_iter().filter(|status| *status != 200).collect()
    })
}

fn one_of_two_goes(name: &str, balancer: Start) {
    for event in [Event::Term, Event::Kill] {
        let folder = Folder::new(&format!("{name}-{event:?}"));
        let (going, staying) = (Server::start(&[]), Server::start(&[]));
        let (_balancer, host) = balancer(&folder, [&going.host, &staying.host]);
        // Health checks must have found both.
        std::thread::sleep(Duration::from_millis(500));
        let signal = if matches!(event, Event::Term) { "TERM" } else { "KILL" };
        let failed = failures(&host, || going.signal(signal));
        assert_eq!(failed, [0_u16; 0], "{event:?}");
        let (code, log) = going.ended();
        assert_eq!(code, if signal == "TERM" { Some(0) } else { None }, "{log}");
        say(&format!("{event:?}: none of {} requests failed", CLIENTS * REQUESTS));
    }
}

/// The servers must be told the name by which clients know the balancer.
fn names_must_be_allowed(name: &str, balancer: Start) {
    let folder = Folder::new(&format!("{name}-names"));
    let servers = [(); 2].map(|()| Server::start(&["--allow-host", "embeddings.example"]));
    let (_balancer, host) = balancer(&folder, [&servers[0].host, &servers[1].host]);
    for (asked, status) in [("embeddings.example", 200), ("other.example", 403)] {
        // Often enough that both servers are asked.
        for _ in 0..4 {
            let header = format!("Host: {asked}");
            let answer = Client::connect(&host).ask("GET", "/v1/models", &[&header], &[]);
            assert_eq!(answer.status, status, "{asked}: {}", answer.text());
        }
    }
}

/// A server that refuses everything, with this answer.
fn refusing(answer: &'static str) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let host = listener.local_addr().expect("an address").to_string();
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let Ok(mut stream) = stream else { continue };
            std::thread::spawn(move || {
                let _ = stream.set_read_timeout(Some(Duration::from_millis(200)));
                // Its clients send small requests, in one piece or two.
                let mut bytes = vec![0; 64 << 10];
                while !bytes.ends_with(b"]}") && stream.read(&mut bytes).is_ok_and(|n| n > 0) {}
                let _ = stream.write_all(answer.as_bytes());
            });
        }
    });
    host
}

fn one_of_two_refuses(balancer: Start) {
    for answer in [
        "HTTP/1.1 429 Too Many Requests\r\nRetry-After: 1\r\nContent-Length: 0\r\nConnection: close\r\n\r\n",
        "HTTP/1.1 503 Service Unavailable\r\nContent-Length: 0\r\nConnection: close\r\n\r\n",
    ] {
        let folder = Folder::new("balancer-refusing");
        let (refusing, serving) = (refusing(answer), Server::start(&[]));
        let (_balancer, host) = balancer(&folder, [&refusing, &serving.host]);
        assert_eq!(failures(&host, || ()), [0_u16; 0], "{answer}");
        say(&format!("one refuses: none of {} requests failed", CLIENTS * REQUESTS));
    }
}
