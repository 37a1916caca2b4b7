//! Names: which are injected by others, which resemble ours, and which of ours is nearest.

use super::variable_names;

/// Names that begin like these are ours or a slip of the pen.
const OURS: [&str; 7] = ["RELAY_", "CORS_", "DRAIN_", "TRUSTED_PROX", "WEBRTC_", "STUN_", "TURN_"];

/// Shorter names are one letter away from too much that others use.
const NEAR_CHARS_MIN: usize = 12;

/// What Kubernetes sets for services that happen to bear our names.
pub(super) fn is_injected(name: &str) -> bool {
    name.ends_with("_SERVICE_HOST")
        || name.contains("_SERVICE_PORT")
        || name.ends_with("_PORT")
        || name
            .split_once("_PORT_")
            .is_some_and(|(_, rest)| rest.starts_with(|first: char| first.is_ascii_digit()))
}

/// Whether a variable of the environment that is none of ours looks as if it were meant to be.
pub(super) fn resembles(name: &str) -> bool {
    begins_with_relay(name)
        || OURS.iter().any(|it| name.starts_with(it))
        || name.len() >= NEAR_CHARS_MIN && variable_names().any(|it| distance(name, &it) == 1)
}

/// Whether it begins with `RELAY_`, in letters of either size.
pub(super) fn begins_with_relay(name: &str) -> bool {
    name.get(..6).is_some_and(|it| it.eq_ignore_ascii_case("RELAY_"))
}

/// The known name that was probably meant.
pub(super) fn nearest(name: &str, known: impl Iterator<Item = String>) -> Option<String> {
    let most = (name.len() / 4).max(1);
    let bare = name.strip_prefix("RELAY_");
    let far = |it: &String| {
        let whole = distance(name, it);
        bare.map_or(whole, |bare| whole.min(distance(bare, it)))
    };
    known.map(|it| (far(&it), it)).filter(|(far, _)| *far <= most).min().map(|(_, it)| it)
}

/// Letters to insert, remove, change or swap with their neighbour.
fn distance(a: &str, b: &str) -> usize {
    let (a, b) = (a.as_bytes(), b.as_bytes());
    // The rows for all of `a` up to two letters ago, one letter ago, and now.
    let mut before = vec![0; b.len() + 1];
    let mut last: Vec<usize> = (0..=b.len()).collect();
    for (i, letter) in a.iter().enumerate() {
        let mut row = vec![i + 1];
        for (j, other) in b.iter().enumerate() {
            let changed = last[j] + usize::from(!letter.eq_ignore_ascii_case(other));
            let mut least = changed.min(last[j + 1] + 1).min(row[j] + 1);
            if i > 0 && j > 0 && *letter == b[j - 1] && a[i - 1] == *other {
                least = least.min(before[j - 1] + 1);
            }
            row.push(least);
        }
        before = std::mem::replace(&mut last, row);
    }
    last[b.len()]
}

#[cfg(test)]
mod tests {
    use super::{distance, is_injected, nearest, resembles, variable_names};

    #[test]
    fn what_kubernetes_injects_is_none_of_ours() {
        for name in [
            "RELAY_SERVICE_HOST",
            "RELAY_SERVICE_PORT",
            "RELAY_SERVICE_PORT_HTTP",
            "RELAY_PORT",
            "RELAY_1_PORT",
            "RELAY_PORT_5000_TCP",
            "RELAY_PORT_5000_TCP_ADDR",
            "RELAY_PORT_9_UDP_PROTO",
            "REDIS_SERVICE_HOST",
            "KAFKA_PORT",
            "CORS_PROXY_SERVICE_HOST",
        ] {
            assert!(is_injected(name), "{name}");
        }
        for name in ["PORT", "RELAY_PORT_", "RELAY_PORT_X", "RELAY_PORTS", "SERVICE_HOST", "HOST"] {
            assert!(!is_injected(name), "{name}");
        }
        assert_eq!(variable_names().filter(|it| is_injected(it)).collect::<Vec<_>>(), [""; 0]);
    }

    #[test]
    fn what_resembles_ours() {
        for name in [
            "RELAY_X",
            "relay_shards",
            "CORS_ORIGINS",
            "DRAIN_TIME",
            "TURN_USER",
            "METRICS_TYPE",
            "ADMIN_ADRESS",
        ] {
            assert!(resembles(name), "{name}");
        }
        for name in ["RELAYED", "HOSTS", "POST", "INSTANCE_IP", "METRICS_PATH", "RELAY", "ñandú_x"]
        {
            assert!(!resembles(name), "{name}");
        }
    }

    #[test]
    fn distances() {
        for (a, b, expect) in [
            ("", "", 0),
            ("a", "", 1),
            ("abc", "abc", 0),
            ("abc", "ABC", 0),
            ("abc", "acb", 1),
            ("abc", "abd", 1),
            ("abc", "abcd", 1),
            ("kitten", "sitting", 3),
        ] {
            assert_eq!((distance(a, b), distance(b, a)), (expect, expect), "{a} {b}");
        }
    }

    #[test]
    fn the_nearest_name() {
        for (name, expect) in [
            ("RELAY_SHARD", Some("RELAY_SHARDS")),
            ("RELAY_PING_INTERVALL", Some("RELAY_PING_INTERVAL")),
            ("RELAY_CORS_ORIGIN", Some("CORS_ORIGIN")),
            ("RELAY_HOST", Some("HOST")),
            ("CORS_CREDENTIAL", Some("CORS_CREDENTIALS")),
            ("RELAY_SOMETHING_ELSE", None),
        ] {
            assert_eq!(nearest(name, variable_names()).as_deref(), expect, "{name}");
        }
    }
}
