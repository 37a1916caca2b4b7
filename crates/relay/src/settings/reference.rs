//! All settings for people: the text of `--help`, and the reference page of the documentation.

use super::table::{GROUPS, Setting};
use super::{Machine, Values};

const USAGE: &str = "\
Relay, a real-time gateway that speaks Socket.IO.

Usage: relay [COMMAND] [--SETTING VALUE]...

Commands:
  (none)                serve until SIGTERM or SIGINT
  check                 say `ok`, or everything that is wrong with the configuration
  print-config          print the configuration, and where each value comes from
  health [--url URL]    exit with 0 if the instance that this configuration describes is ready
  --version, --help

A setting is a flag, a variable of the environment, a line of `.env` in the working directory, or
a line of a TOML file; the first of these that names it counts.
";

const OPENING: &str = "\
# Configuration

Without any configuration `relay` serves on port 5000. This page lists every setting; `relay --help`
says the same. It is generated: `UPDATE_DOCS=1 cargo test -p relay --test configuration` writes it.

A setting can be given in four places. The first that names it counts:

1. a flag of the command line: the variable without `RELAY_`, in small letters with dashes, such as
   `--ping-interval 10s` or `--port=8080`;
2. a variable of the environment, such as `RELAY_PING_INTERVAL=10s`;
3. a line of the file `.env` in the working directory, written like a variable;
4. a TOML file: the one that `RELAY_CONFIG` or `--config` names, or `relay.toml` in the working
   directory.

```toml
# relay.toml
[server]
port = 8080

[limits]
ping_interval = \"10s\"
outbox_bytes_max = \"16M\"
```

```sh
relay check
relay print-config --ping-interval 20s | grep -E '^(port|ping_interval|outbox_bytes_max) '
```

```text relay check
ok
```

```text print-config
port = 8080  # relay.toml, line 3
ping_interval = \"20s\"  # --ping-interval (command line)
outbox_bytes_max = \"16M\"  # relay.toml, line 7
```

Sizes are bytes, or a number with `K`, `M`, `G` (thousands) or `Ki`, `Mi`, `Gi` (1024s). Times are
seconds, or a number with `us`, `ms`, `s`, `m` or `h`. A variable that is empty counts as not set.

Whatever is wrong ends the start, all errors at once, each with the setting, its source, what was
found and what is accepted: unknown flags and keys, values that are not accepted, values that do not
go together, settings of features that are not there yet, and unknown variables that begin with
`RELAY_`, `CORS_`, `DRAIN_`, `WEBRTC_`, `STUN_` or `TURN_`, or are a letter away from a long name of
ours. In `.env`, which is often shared with other programs, unknown names are errors only if they
begin with `RELAY_`. What Kubernetes injects for services that bear our names (`RELAY_SERVICE_HOST`,
`RELAY_PORT`, `REDIS_PORT_6379_TCP`…) is ignored, and never used.

| command | what it does | exit code |
|---|---|---|
| `relay` | serves until SIGTERM or SIGINT | 1 if it could not start |
| `relay check` | says `ok`, or everything that is wrong | 0 or 1 |
| `relay print-config` | prints the configuration as a TOML file, and where each value comes from; secrets are masked | 0 or 1 |
| `relay health` | asks `/ready` of the instance that this configuration describes, for 2 s at most; `--url http://host:port/path` asks another | 0 or 1 |
";

const CLOSING: &str = "
## What must hold between limits
";

/// The text of `--help`.
#[must_use]
pub fn help() -> String {
    let mut text = USAGE.to_owned();
    for group in GROUPS {
        text.push_str(&format!("\n{}\n", group.title));
        for setting in group.settings {
            if !setting.kind.is_there() {
                text.push_str(&format!("  {} ({})\n", setting.flag(), setting.variable));
                continue;
            }
            let names = [setting.variable, setting.key].map(str::to_owned);
            let names = names.into_iter().filter(|it| !it.is_empty()).collect::<Vec<_>>();
            text.push_str(&format!("  {} VALUE  ({})\n", setting.flag(), names.join(", ")));
            text.push_str(&format!("      {}\n", setting.doc.replace('`', "")));
            let (accepted, default) = (setting.kind.accepted(), default(setting));
            text.push_str(&format!("      Accepted: {accepted}. Default: {default}.\n"));
        }
    }
    text
}

/// The reference page, in Markdown.
#[must_use]
pub fn reference() -> String {
    let mut text = OPENING.to_owned();
    for group in GROUPS {
        text.push_str(&format!("\n## {}\n\n", group.title));
        let is_there = group.settings.iter().all(|it| it.kind.is_there());
        text.push_str(if is_there {
            "| variable | in the file | default | accepted | meaning |\n|---|---|---|---|---|\n"
        } else {
            "Naming one of these ends the start.\n\n\
             | variable | in the file | meaning |\n|---|---|---|\n"
        });
        for setting in group.settings {
            let (variable, doc) = (setting.variable, setting.doc);
            let key = match setting.key {
                "" => String::new(),
                key => format!("`{key}`"),
            };
            text.push_str(&if is_there {
                let (default, accepted) = (default(setting), setting.kind.accepted());
                format!("| `{variable}` | {key} | {default} | {accepted} | {doc} |\n")
            } else {
                format!("| `{variable}` | {key} | {doc} |\n")
            });
        }
    }
    text.push_str(CLOSING);
    for relation in relay_hub::Limits::default().relations() {
        let names: Vec<_> = relation.limits.iter().map(|it| format!("`{it}`")).collect();
        text.push_str(&format!("- {}: {}.\n", names.join(", "), relation.rule));
    }
    text
}

/// The default, on whatever machine.
fn default(setting: &Setting) -> String {
    let machine = Machine { cores: 1, budget: None, name: String::new() };
    let value = setting.kind.show(&Values::default_on(&machine));
    match (setting.default_words, value) {
        (Some(words), _) => words.to_owned(),
        (None, value) => value.unwrap_or_else(|| "not set".to_owned()),
    }
}
