//! What the environment says. Everything that is wrong ends the start, all at once.
//!
//! An empty value is as if the variable were not set, as in Node's `process.env.PORT || 5000`: a
//! `compose.yaml` that passes on what its own environment lacks sets nothing here. Names are
//! checked all the same.

use std::net::IpAddr;
use std::time::Duration;

use relay_server::{Cors, Drain};

/// Settings whose feature is not there yet: naming one is an error, never a silent no.
const NOT_YET: [(&str, &str); 4] = [
    ("REDIS_", "several instances through Redis"),
    ("KAFKA_", "export to Kafka"),
    ("MONGO", "history in MongoDB"),
    ("METRICS_TYPES", "metric types that always keep their label"),
];
const NOT_YET_EXACT: [(&str, &str); 5] = [
    ("STUN_SERVERS", WEBRTC),
    ("TURN_URL", WEBRTC),
    ("TURN_USERNAME", WEBRTC),
    ("TURN_CREDENTIAL", WEBRTC),
    ("ADMIN_ADDRESS", "an address for administration"),
];
const WEBRTC: &str = "WebRTC signalling";

/// Within the 30 s that Kubernetes and systemd's users give a process; a load balancer that asks
/// `/ready` needs a `DRAIN_DELAY` of its own choosing.
const DRAIN: Drain = Drain {
    delay: Duration::ZERO,
    window: Duration::from_secs(2),
    deadline: Duration::from_secs(25),
};

fn seconds(text: &str) -> Option<Duration> {
    let seconds: f64 = text.parse().ok()?;
    (0.0..=86_400.0).contains(&seconds).then(|| Duration::from_secs_f64(seconds))
}

/// The settings of one instance.
#[derive(Clone, Debug)]
pub struct Settings {
    /// `PORT`, 5000 by default.
    pub port: u16,
    /// `HOST`: an address; all of them by default.
    pub host: Option<IpAddr>,
    /// `RELAY_SHARDS`, one per core by default.
    pub shards: usize,
    /// `INSTANCE_ID`: a display name; host name and process id by default.
    pub instance: String,
    /// `CORS_ORIGIN`, `CORS_METHODS`, `CORS_CREDENTIALS`: pages of any origin by default.
    pub cors: Option<Cors>,
    /// `DRAIN_DELAY`, `DRAIN_WINDOW`, `DRAIN_DEADLINE`: how it ends when it is told to.
    pub drain: Drain,
}

impl Settings {
    /// Reads the variables.
    ///
    /// # Errors
    /// One sentence for each that is wrong.
    pub fn read(vars: impl Iterator<Item = (String, String)>) -> Result<Self, Vec<String>> {
        let cores = std::thread::available_parallelism().map_or(1, usize::from);
        let mut settings = Self {
            port: 5000,
            host: None,
            shards: cores.min(256),
            instance: display_name(),
            cors: None,
            drain: DRAIN,
        };
        let mut cors = [None, None, None];
        let mut wrong = Vec::new();
        for (name, value) in vars {
            if value.is_empty() {
                wrong.extend(unknown(&name));
                continue;
            }
            let found = |accepted: &str| format!("{name}={value}: {accepted}");
            match name.as_str() {
                "PORT" => match value.parse() {
                    Ok(port) => settings.port = port,
                    Err(_) => wrong.push(found("a port from 0 to 65535 is accepted")),
                },
                "HOST" => match value.parse() {
                    Ok(host) => settings.host = Some(host),
                    Err(_) => wrong.push(found("an IPv4 or IPv6 address is accepted")),
                },
                "RELAY_SHARDS" => match value.parse() {
                    Ok(shards @ 1..=256) => settings.shards = shards,
                    _ => wrong.push(found("a number from 1 to 256 is accepted")),
                },
                "DRAIN_DELAY" | "DRAIN_WINDOW" | "DRAIN_DEADLINE" => match seconds(&value) {
                    Some(time) if name == "DRAIN_DELAY" => settings.drain.delay = time,
                    Some(time) if name == "DRAIN_WINDOW" => settings.drain.window = time,
                    Some(time) => settings.drain.deadline = time,
                    None => wrong.push(found("seconds from 0 to 86400 are accepted, such as 2.5")),
                },
                "CORS_ORIGIN" => cors[0] = Some(value),
                "CORS_METHODS" => cors[1] = Some(value),
                "CORS_CREDENTIALS" => cors[2] = Some(value),
                "INSTANCE_ID" => settings.instance = value,
                // It asks for what there is.
                "WEBRTC_ENABLED" if value == "false" => {}
                "WEBRTC_ENABLED" => wrong.push(found(
                    "WebRTC signalling is not there yet; remove the setting, or set it to false",
                )),
                _ => wrong.extend(refused(&name)),
            }
        }
        let [origin, methods, credentials] = &cors;
        match Cors::from_settings(origin.as_deref(), methods.as_deref(), credentials.as_deref()) {
            Ok(cors) => settings.cors = cors,
            Err(errors) => wrong.extend(errors),
        }
        if settings.drain.delay + settings.drain.window > settings.drain.deadline {
            wrong.push(
                "DRAIN_DEADLINE: it must leave time for DRAIN_DELAY and DRAIN_WINDOW".to_owned(),
            );
        }
        wrong.sort();
        if wrong.is_empty() { Ok(settings) } else { Err(wrong) }
    }
}

/// The environment and, behind it, a `.env` file in the working directory; none is no error.
///
/// # Errors
/// The file cannot be read or a line of it is no setting.
pub fn variables() -> Result<Vec<(String, String)>, Vec<String>> {
    let mut vars: Vec<(String, String)> = std::env::vars_os()
        .filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)))
        .collect();
    let file = match dotenvy::from_path_iter(".env") {
        Ok(file) => file,
        Err(error) if error.not_found() => return Ok(vars),
        Err(error) => return Err(vec![format!(".env: {error}")]),
    };
    for line in file {
        let (name, value) = line.map_err(|error| vec![format!(".env: {error}")])?;
        if !vars.iter().any(|(set, _)| *set == name) {
            vars.push((name, value));
        }
    }
    Ok(vars)
}

/// Why a variable that this version does not read is refused, if it is.
fn refused(name: &str) -> Option<String> {
    if is_injected(name) {
        return None;
    }
    let prefix = NOT_YET.iter().find(|(prefix, _)| name.starts_with(prefix));
    let exact = NOT_YET_EXACT.iter().find(|(whole, _)| name == *whole);
    match prefix.or(exact) {
        Some((_, feature)) => {
            Some(format!("{name}: {feature} is not there yet; remove the setting"))
        }
        None => unknown(name),
    }
}

/// A name that looks like ours and is none is a slip of the pen, whatever its value.
fn unknown(name: &str) -> Option<String> {
    let ours = name.starts_with("RELAY_") && name != "RELAY_SHARDS" && !is_injected(name);
    ours.then(|| format!("{name}: no such setting"))
}

/// What Kubernetes sets for services that happen to bear our names.
fn is_injected(name: &str) -> bool {
    name.ends_with("_SERVICE_HOST")
        || name.contains("_SERVICE_PORT")
        || name.ends_with("_PORT")
        || name
            .split_once("_PORT_")
            .is_some_and(|(_, rest)| rest.starts_with(|first: char| first.is_ascii_digit()))
}

fn display_name() -> String {
    let host = std::fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default();
    format!("{}-{}", host.trim(), std::process::id())
}

#[cfg(test)]
mod tests {
    use super::Settings;

    fn check(vars: &[(&str, &str)], wrong: &[&str]) {
        let errors = read(vars).err().unwrap_or_default();
        assert_eq!(errors.len(), wrong.len(), "{errors:?}");
        for part in wrong {
            assert!(errors.iter().any(|error| error.contains(part)), "{errors:?}");
        }
    }

    fn read(vars: &[(&str, &str)]) -> Result<Settings, Vec<String>> {
        let vars = vars.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
        Settings::read(vars)
    }

    #[test]
    fn what_is_wrong_is_named_all_at_once() {
        check(&[], &[]);
        check(&[("PORT", "0"), ("HOST", "::1"), ("RELAY_SHARDS", "2"), ("PATH", "x")], &[]);
        check(&[("PORT", "x"), ("RELAY_SHARDS", "0")], &["PORT=x", "RELAY_SHARDS=0"]);
        check(&[("REDIS_URL", "redis://x")], &["not there yet"]);
        check(&[("TURN_URL", "turn:x")], &["TURN_URL: WebRTC signalling is not there yet"]);
        check(&[("RELAY_SHARD", "2")], &["no such setting"]);
        check(&[("RELAY_1_PORT", "x"), ("REDIS_SERVICE_HOST", "x"), ("KAFKA_PORT", "x")], &[]);
        check(&[("RELAY_1_PORT_5000_TCP", "x")], &[]);
    }

    #[test]
    fn webrtc_may_be_off_but_not_on() {
        check(&[("WEBRTC_ENABLED", "false")], &[]);
        for value in ["true", "1", "False"] {
            let text = format!("WEBRTC_ENABLED={value}: WebRTC signalling is not there yet");
            check(&[("WEBRTC_ENABLED", value)], &[&text]);
        }
    }

    #[test]
    fn an_empty_value_is_as_if_not_set() {
        let names =
            ["PORT", "HOST", "RELAY_SHARDS", "INSTANCE_ID", "REDIS_URL", "WEBRTC_ENABLED", "X"];
        let (empty, unset) = (read(&names.map(|name| (name, ""))), read(&[]));
        assert_eq!(format!("{empty:?}"), format!("{unset:?}"));
        assert!(read(&[]).is_ok_and(|it| !it.instance.is_empty()));
        check(&[("RELAY_SHARD", ""), ("RELAY_PORT", "")], &["RELAY_SHARD: no such setting"]);
    }
}
