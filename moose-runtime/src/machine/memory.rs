//! The memory limit of this process, as far as the system reports one.

use std::{fs, path::Path};

/// Bytes of memory of the machine or, if less, the limit of the process's container or cgroup. `None` if the system
/// does not report it; Linux does.
pub fn total() -> Option<u64> {
    let read = |path| fs::read_to_string(path).ok();
    let machine = read("/proc/meminfo").and_then(|text| of_machine(&text));
    let groups = read("/proc/self/cgroup").and_then(|own| of_groups(Path::new("/sys/fs/cgroup"), &own));
    machine.into_iter().chain(groups).min()
}

/// Parses `/proc/meminfo`.
fn of_machine(text: &str) -> Option<u64> {
    let kibibytes = text.lines().find_map(|line| line.strip_prefix("MemTotal:")?.trim().strip_suffix(" kB"))?;
    kibibytes.parse::<u64>().ok()?.checked_mul(1024)
}

/// The lowest limit of the cgroups named in `own`, the content of `/proc/self/cgroup`, and of their parents.
fn of_groups(root: &Path, own: &str) -> Option<u64> {
    let group = own.lines().find_map(|line| line.strip_prefix("0::/"))?;
    let limits = Path::new(group).ancestors().filter_map(|group| {
        let limit = fs::read_to_string(root.join(group).join("memory.max")).ok()?;
        // Without a limit the file says `max`.
        limit.trim().parse::<u64>().ok()
    });
    limits.min()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_group_has_the_least_of_what_it_and_those_around_it_may_have() {
        let root = tempfile::tempdir().unwrap();
        let limit = |group: &str, bytes: &str| {
            fs::create_dir_all(root.path().join(group)).unwrap();
            fs::write(root.path().join(group).join("memory.max"), bytes).unwrap();
        };
        limit("a/b", "max\n");
        assert_eq!(of_groups(root.path(), "0::/a/b\n"), None);
        limit("a", "3000\n");
        assert_eq!(of_groups(root.path(), "0::/a/b\n"), Some(3000));
        limit("a/b", "5000\n");
        limit("", "2000\n");
        assert_eq!(of_groups(root.path(), "7:cpu:/\n0::/a/b\n"), Some(2000), "a container's own root");
        assert_eq!(of_groups(root.path(), "3:memory:/a\n"), None, "of the former kind");
    }

    #[test]
    fn a_machine_says_it_in_kibibytes() {
        assert_eq!(of_machine("MemTotal:       24608812 kB\nMemFree:        12913244 kB\n"), Some(24_608_812 << 10));
        assert_eq!(of_machine("MemFree: 1 kB\nMemTotal: much\n"), None);
    }
}
