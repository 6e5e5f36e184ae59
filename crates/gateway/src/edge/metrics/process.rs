//! The process itself, as the system shows it. Looked up when somebody asks, and at no other time.

use super::text::Text;

/// Adds what the system says of this process. Where it says nothing (there is no `/proc`), nothing is added.
pub fn write(text: &mut Text) {
    let counted = |folder: &str| std::fs::read_dir(folder).map(Iterator::count);
    if let Ok(open) = counted("/proc/self/fd") {
        text.family("process_open_fds", "gauge", "Open file descriptors.");
        // The folder itself is open while it is read.
        text.sample("process_open_fds", &[], open.saturating_sub(1));
    }
    let limits = std::fs::read_to_string("/proc/self/limits").unwrap_or_default();
    if let Some(most) = most_files(&limits) {
        text.family("process_max_fds", "gauge", "The most open file descriptors.");
        text.sample("process_max_fds", &[], most);
    }
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    for (field, name, help) in [
        ("VmRSS:", "process_resident_memory_bytes", "Memory in use."),
        ("VmHWM:", "process_resident_memory_max_bytes", "The most memory that was in use."),
    ] {
        if let Some(kibibytes) = number_after(&status, field) {
            text.family(name, "gauge", help);
            text.sample(name, &[], kibibytes.saturating_mul(1024));
        }
    }
    if let Some(threads) = number_after(&status, "Threads:") {
        text.family("process_threads", "gauge", "Threads.");
        text.sample("process_threads", &[], threads);
    }
    if let Some(children) = children() {
        text.family(
            "hallpass_child_processes",
            "gauge",
            "Processes that hallpass runs: servers that speak stdio.",
        );
        text.sample("hallpass_child_processes", &[], children);
    }
}

/// The soft limit, in a table of which the first column is a name with spaces.
fn most_files(limits: &str) -> Option<u64> {
    number_after(limits, "Max open files")
}

fn number_after(text: &str, name: &str) -> Option<u64> {
    let line = text.lines().find_map(|line| line.strip_prefix(name))?;
    line.split_whitespace().next()?.parse().ok()
}

/// Each thread has those that it began.
fn children() -> Option<usize> {
    let threads = std::fs::read_dir("/proc/self/task").ok()?;
    let of_each =
        threads.filter_map(|thread| std::fs::read_to_string(thread.ok()?.path().join("children")).ok());
    let counts: Vec<_> = of_each.map(|children| children.split_whitespace().count()).collect();
    // A kernel that does not say has no such file.
    (!counts.is_empty()).then(|| counts.iter().sum())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_found_by_name() {
        let limits = "Limit                     Soft Limit           Hard Limit\n\
                      Max open files            1024                 524288               files\n";
        assert_eq!(most_files(limits), Some(1024));
        let status = "Name:\thallpass\nVmHWM:\t   20412 kB\nVmRSS:\t   19000 kB\nThreads:\t3\n";
        assert_eq!(number_after(status, "VmRSS:"), Some(19_000));
        assert_eq!(number_after(status, "Nothing:"), None);
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn this_process_is_seen() {
        let mut text = Text::default();
        write(&mut text);
        let text = text.into_string();
        for name in
            ["process_open_fds ", "process_max_fds ", "process_resident_memory_bytes ", "process_threads "]
        {
            let value = text
                .lines()
                .find_map(|line| line.strip_prefix(name))
                .unwrap_or_else(|| panic!("{name}\n{text}"));
            assert!(value.parse::<u64>().unwrap() > 0, "{name}{value}");
        }
    }
}
