//! How many threads a request uses by default.

use std::collections::HashSet;
use std::fs;

/// One thread for each core that this process may use, according to its affinity and its control group's quota. The two
/// hardware threads of a core count as one, since they share the units that the kernels keep busy.
pub fn default_threads() -> usize {
    let allowed = std::thread::available_parallelism().map_or(1, usize::from);
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    let list = status.lines().find_map(|line| line.strip_prefix("Cpus_allowed_list:"));
    match list.and_then(|list| physical_cores(list.trim(), siblings)) {
        Some(cores) => allowed.min(cores),
        None => allowed,
    }
}

/// The hardware threads of the core that a CPU belongs to, as the system lists them.
fn siblings(cpu: usize) -> Option<String> {
    fs::read_to_string(format!("/sys/devices/system/cpu/cpu{cpu}/topology/thread_siblings_list"))
        .ok()
}

/// Number of distinct cores among the CPUs of a list such as `0-3,8`; `None` if it names none that the system knows. A
/// list may also hold CPUs that the host could have but has not, about which there is nothing to read.
fn physical_cores(list: &str, siblings: impl Fn(usize) -> Option<String>) -> Option<usize> {
    let mut cores = HashSet::new();
    for range in list.split(',') {
        let (first, last) = range.split_once('-').unwrap_or((range, range));
        let cpus = first.parse().ok()?..=last.parse().ok()?;
        cores.extend(cpus.filter_map(&siblings));
    }
    Some(cores.len()).filter(|&cores| cores > 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hardware_threads_of_a_core_count_once() {
        // Eight CPUs, two per core: 0 and 4, 1 and 5, ...
        let siblings = |cpu: usize| (cpu < 8).then(|| format!("{},{}", cpu % 4, cpu % 4 + 4));
        for (list, cores) in [("0-7", 4), ("0-3", 4), ("0,4", 1), ("2", 1), ("0-1,5-6", 3)] {
            assert_eq!(physical_cores(list, siblings), Some(cores), "{list}");
        }
        assert_eq!(physical_cores("", siblings), None);
        assert_eq!(physical_cores("0-3,x", siblings), None);
        assert!(default_threads() >= 1);
    }

    #[test]
    fn cpus_that_the_host_lacks_do_not_count() {
        let siblings = |cpu: usize| (cpu < 8).then(|| format!("{},{}", cpu % 4, cpu % 4 + 4));
        assert_eq!(physical_cores("0-127", siblings), Some(4));
        assert_eq!(physical_cores("0,4,8", siblings), Some(1));
        assert_eq!(physical_cores("8-15", siblings), None);
    }
}
