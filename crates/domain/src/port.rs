//! Ports at which an origin may be asked without permission of the installation's owner.
//!
//! What listens below 1024 or at the ports below is rarely a web server, and an HTTP request that
//! a tenant chooses may do harm there. 80, 443 and the rest are free. Pure.

/// Ports of 1024 and above at which no origin is asked without permission: those of the Fetch standard's
/// list of bad ports, databases, caches, brokers and the control planes of clusters.
const GUARDED: [u16; 56] = [
    1099, 1433, 1434, 1521, 1719, 1720, 1723, 2049, 2181, 2375, 2376, 2377, 2379, 2380, 3306, 3389,
    3659, 4045, 4190, 4369, 5060, 5061, 5432, 5433, 5671, 5672, 5900, 5984, 5985, 5986, 6000, 6379,
    6380, 6443, 6566, 6665, 6666, 6667, 6668, 6669, 6679, 6697, 7000, 7001, 9042, 9092, 9160, 9200,
    9300, 10080, 10250, 11211, 15672, 27017, 27018, 27019,
];

/// Whether an origin may be asked at `port` without permission.
pub fn is_open(port: u16) -> bool {
    match port {
        80 | 443 => true,
        0..1024 => false,
        port => GUARDED.binary_search(&port).is_err(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_ports_of_web_servers_are_open_and_those_of_others_are_not() {
        assert!(GUARDED.is_sorted() && GUARDED.iter().all(|port| *port >= 1024));
        for port in [80, 443, 1024, 3000, 5000, 8000, 8080, 8081, 8443, 9000, 9443, 49152, 65535] {
            assert!(is_open(port), "{port}");
        }
        for port in [0, 1, 21, 22, 23, 25, 53, 79, 81, 110, 143, 445, 465, 587, 636, 993, 1023] {
            assert!(!is_open(port), "{port}");
        }
        // of the Fetch standard's list, those above 1023
        let bad = [
            1719, 1720, 1723, 2049, 3659, 4045, 4190, 5060, 5061, 6000, 6566, 6665, 6666, 6667,
            6668, 6669, 6679, 6697, 10080,
        ];
        for port in bad.into_iter().chain([2375, 3306, 5432, 6379, 9200, 11211, 27017]) {
            assert!(!is_open(port), "{port}");
        }
    }
}
