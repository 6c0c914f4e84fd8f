//! What the system knows of this process, for metrics as Prometheus' own clients name it. Linux only; elsewhere nothing.

use std::fmt::Write;
use std::fs;

/// Ticks of a second in `/proc/self/stat`, on every Linux that Rust runs on.
const TICKS: f64 = 100.0;

/// Appends the metrics in Prometheus' text format.
pub fn write(out: &mut String) {
    let stat = fs::read_to_string("/proc/self/stat").unwrap_or_default();
    // The second field, the name, may have spaces and parentheses.
    let fields: Vec<&str> =
        stat.rsplit_once(')').map_or("", |(_, rest)| rest).split_whitespace().collect();
    // Numbered from 1 in proc(5), and the first two are cut off.
    let field = |number: usize| fields.get(number - 3)?.parse::<f64>().ok();
    let line = |out: &mut String, name: &str, kind: &str, value: Option<f64>| {
        if let Some(value) = value {
            let _ = write!(out, "# TYPE process_{name} {kind}\nprocess_{name} {value}\n");
        }
    };
    let cpu = field(14).zip(field(15)).map(|(user, system)| (user + system) / TICKS);
    line(out, "cpu_seconds_total", "counter", cpu);
    line(out, "threads", "gauge", field(20));
    line(out, "start_time_seconds", "gauge", field(22).and_then(started));
    line(out, "virtual_memory_bytes", "gauge", field(23));
    line(out, "resident_memory_bytes", "gauge", resident());
    let open = fs::read_dir("/proc/self/fd").ok().map(|entries| entries.count() as f64);
    line(out, "open_fds", "gauge", open);
}

/// How many descriptors this process may have open at once.
pub fn most_descriptors() -> Option<usize> {
    let limits = fs::read_to_string("/proc/self/limits").ok()?;
    let line = limits.lines().find_map(|line| line.strip_prefix("Max open files"))?;
    line.split_whitespace().next()?.parse().ok()
}

/// From ticks since the system started to seconds since 1970.
fn started(ticks: f64) -> Option<f64> {
    let stat = fs::read_to_string("/proc/stat").ok()?;
    let booted = stat.lines().find_map(|line| line.strip_prefix("btime "))?;
    Some(booted.trim().parse::<f64>().ok()? + ticks / TICKS)
}

/// The field of `/proc/self/stat` counts pages, whose size it does not say.
fn resident() -> Option<f64> {
    let status = fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
    Some(line.trim().strip_suffix("kB")?.trim().parse::<f64>().ok()? * 1024.0)
}
