//! The limit on open files, and how many of them clients' connections may use.
//!
//! A connection is an open file just as the log's files are, and clients must not be able to use up what the log needs:
//! it could not be written any more. So the limit is raised as far as it can be, and all ports together get what the
//! process itself leaves.

/// Files that the process itself needs: threads and signals, the log with the tables that it keeps open, the engine's
/// pipes. Measured: 29 at rest and 33 under load with three small streams; the log may keep 64 tables open.
const OWN: u64 = 128;

/// Connections to ClickHouse for each partition that fills a table.
const EACH_WAY: u64 = 4;

/// Minimum for the ports.
const LEAST_FOR_PORTS: u64 = 16;

/// Minimum limit for the embedded engine's process: ClickHouse opens three files for each of its threads. Measured: 143
/// at rest, and 17 more for each concurrent statement on two cores.
const LEAST_FOR_ENGINE: u64 = 1024;

/// Files of the engine per connection: each may run a statement.
const FILES_OF_ENGINE_CONNECTION: u64 = 32;
const ENGINE_CONNECTIONS: u64 = 1024;

/// Maximum connections of the management port.
const MANAGEMENT: u64 = 64;
const MANAGEMENT_SHARE: u64 = 4;

/// How many connections the ports may have open.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ports {
    /// The front door.
    pub door: usize,
    /// The management port.
    pub management: usize,
}

/// The limit leaves nothing for the ports.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TooFew {
    /// Open files that the process may have.
    pub limit: u64,
    /// The minimum.
    pub least: u64,
}

/// Raises the process's limit on open files as far as possible, and returns the resulting one.
#[cfg(unix)]
pub fn raise() -> u64 {
    use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

    let found = getrlimit(Resource::Nofile);
    let most = found.maximum;
    let raised = found.current != most && setrlimit(Resource::Nofile, Rlimit { current: most, maximum: most }).is_ok();
    // `None` means no limit.
    (if raised { most } else { found.current }).unwrap_or(u64::MAX)
}

/// There is no such limit.
#[cfg(not(unix))]
pub fn raise() -> u64 {
    u64::MAX
}

/// How many connections the embedded engine accepts if it may have `limit` files open.
pub fn engine_connections(limit: u64) -> usize {
    usize::try_from((limit / FILES_OF_ENGINE_CONNECTION).clamp(1, ENGINE_CONNECTIONS)).unwrap_or(usize::MAX)
}

/// Divides `limit`: `ways` partitions fill tables, and the front door is configured with `wanted`. An embedded engine
/// has a process of its own with the same limit.
pub fn ports(limit: u64, ways: usize, wanted: usize, with_engine: bool) -> Result<Ports, TooFew> {
    let least = if with_engine { LEAST_FOR_ENGINE } else { OWN + LEAST_FOR_PORTS };
    if limit < least {
        return Err(TooFew { limit, least });
    }
    // A quarter is reserved for anything unforeseen; and many tables don't use everything.
    let own = (OWN + EACH_WAY * ways as u64).clamp(limit / 4, limit / 4 * 3).max(OWN);
    let for_ports = limit.saturating_sub(own);
    let management = (for_ports / MANAGEMENT_SHARE).min(MANAGEMENT);
    let door = usize::try_from(for_ports - management).unwrap_or(usize::MAX).min(wanted);
    Ok(Ports { door, management: usize::try_from(management).unwrap_or(usize::MAX) })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_ports_get_what_the_process_leaves() {
        let of = |limit, ways, wanted| ports(limit, ways, wanted, false).map(|ports| (ports.door, ports.management));
        assert_eq!(of(20_000, 3, 1024), Ok((1024, 64)), "what is configured");
        assert_eq!(of(1024, 3, 1024), Ok((704, 64)), "a quarter is left");
        assert_eq!(of(256, 3, 1024), Ok((87, 29)), "the process first");
        assert_eq!(of(1024, 1000, 1024), Ok((192, 64)), "but not everything");
        assert_eq!(of(144, 3, 1024), Ok((12, 4)), "the least");
        assert_eq!(of(143, 3, 1024), Err(TooFew { limit: 143, least: 144 }));
        assert_eq!(ports(1023, 3, 1024, true), Err(TooFew { limit: 1023, least: 1024 }), "the engine needs more");
        assert_eq!(ports(1024, 3, 1024, true), ports(1024, 3, 1024, false), "in a process of its own");
        assert_eq!(of(u64::MAX, usize::MAX >> 8, 65_536), Ok((65_536, 64)));
    }

    #[test]
    fn the_engine_has_files_for_the_statements_of_all_its_connections() {
        assert_eq!([1024, 4096, 65_536, u64::MAX].map(engine_connections), [32, 128, 1024, 1024]);
    }

    #[test]
    fn all_ports_together_stay_well_below_any_limit() {
        for limit in 144..5000 {
            for ways in [0, 1, 10, 1000, 100_000] {
                let ports = ports(limit, ways, 65_536, false).unwrap();
                let taken = (ports.door + ports.management) as u64;
                assert!(ports.door > 0 && ports.management > 0, "{limit}, {ways}: {ports:?}");
                assert!(taken + OWN <= limit && taken <= limit - limit / 4, "{limit}, {ways}: {ports:?}");
            }
        }
    }
}
