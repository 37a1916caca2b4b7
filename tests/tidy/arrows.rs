//! Dependencies: the arrows of the architecture, as the manifests have them.

use std::path::PathBuf;
use std::process::Command;

use serde_json::Value;

use crate::source::root;

/// A member of the workspace.
pub(crate) struct Package {
    name: String,
    pub(crate) manifest: PathBuf,
    dependencies: Vec<Dependency>,
}

struct Dependency {
    name: String,
    /// It is a member too.
    member: bool,
}

/// What a member may see of the others, and whether a runtime may stand in its manifest.
struct Place {
    name: &'static str,
    sees: &'static [&'static str],
    runtime: bool,
}

const fn place(name: &'static str, sees: &'static [&'static str], runtime: bool) -> Place {
    Place { name, sees, runtime }
}

/// Every member has its place. The tests of a crate may see no more than the crate itself.
const PLACES: &[Place] = &[
    // The protocol: bytes and the time in, outputs out.
    place("relay-websocket", &[], false),
    place("relay-engineio", &[], false),
    place("relay-socketio", &[], false),
    place("relay-hub", &["relay-websocket", "relay-engineio", "relay-socketio"], false),
    // The edges do not see each other.
    place("relay-server", &["relay-hub", "relay-engineio", "relay-websocket"], true),
    // Its tests speak with it in frames.
    place("relay-gateway", &["relay-hub", "relay-socketio", "relay-websocket"], false),
    place("relay-redis", &["relay-hub", "relay-socketio"], true),
    place("relay-heap", &[], false),
    // It wires. Its example shows the bare codec, its tests speak in frames.
    place(
        "relay",
        &[
            "relay-gateway",
            "relay-heap",
            "relay-hub",
            "relay-redis",
            "relay-server",
            "relay-websocket",
        ],
        true,
    ),
    // It measures servers from outside, ours like any other.
    place("relay-bench", &["relay-websocket"], true),
    place("relay-tidy", &[], false),
];

/// What brings threads, tasks, clocks, randomness or sockets of its own.
const RUNTIMES: &[&str] = &[
    "async-executor",
    "async-io",
    "async-std",
    "futures",
    "getrandom",
    "glommio",
    "hyper",
    "hyper-util",
    "io-uring",
    "mio",
    "monoio",
    "nix",
    "polling",
    "rayon",
    "reqwest",
    "rustix",
    "smol",
    "socket2",
    "tokio",
    "tokio-util",
];

/// The members, as cargo sees them.
pub(crate) fn packages() -> Vec<Package> {
    let output = Command::new(env!("CARGO"))
        .args(["metadata", "--no-deps", "--offline", "--format-version", "1", "--manifest-path"])
        .arg(root().join("Cargo.toml"))
        .output()
        .unwrap_or_else(|error| panic!("cargo metadata: {error}"));
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let metadata: Value = serde_json::from_slice(&output.stdout)
        .unwrap_or_else(|error| panic!("cargo metadata: {error}"));
    let packages = metadata["packages"].as_array().map_or(&[][..], Vec::as_slice);
    packages.iter().map(package).collect()
}

fn package(it: &Value) -> Package {
    let text = |it: &Value| it.as_str().unwrap_or_default().to_owned();
    let dependencies = it["dependencies"].as_array().map_or(&[][..], Vec::as_slice);
    let dependency =
        |it: &Value| Dependency { name: text(&it["name"]), member: it["path"].is_string() };
    Package {
        name: text(&it["name"]),
        manifest: text(&it["manifest_path"]).into(),
        dependencies: dependencies.iter().map(dependency).collect(),
    }
}

/// What is wrong with a member's dependencies.
fn astray(package: &Package) -> Vec<String> {
    let Some(place) = PLACES.iter().find(|it| it.name == package.name) else {
        return vec!["has no place in the architecture yet".to_owned()];
    };
    let mut found = Vec::new();
    for it in &package.dependencies {
        if it.member && !place.sees.contains(&it.name.as_str()) {
            found.push(format!("must not see `{}`", it.name));
        }
        if !place.runtime && RUNTIMES.contains(&it.name.as_str()) {
            found.push(format!("must not have the runtime `{}`", it.name));
        }
    }
    for name in place.sees {
        if !package.dependencies.iter().any(|it| it.name == *name) {
            found.push(format!("may see `{name}`, but does not need it any more"));
        }
    }
    found
}

/// The line of a manifest that names a dependency.
fn line_of(manifest: &str, name: &str) -> usize {
    let names =
        |line: &str| line.strip_prefix(name).is_some_and(|rest| rest.starts_with(['.', ' ', '=']));
    manifest.lines().position(names).map_or(1, |it| it + 1)
}

#[test]
fn an_arrow_that_points_elsewhere_is_found() {
    let example = |name: &str, dependencies: &[(&str, bool)]| {
        let dependency = |(name, member): &(&str, bool)| Dependency {
            name: (*name).to_owned(),
            member: *member,
        };
        astray(&Package {
            name: name.to_owned(),
            manifest: PathBuf::new(),
            dependencies: dependencies.iter().map(dependency).collect(),
        })
    };
    assert_eq!(example("relay-websocket", &[("base64", false)]), [""; 0]);
    assert_eq!(example("relay-websocket", &[("tokio", false)]).len(), 1);
    assert_eq!(example("relay-websocket", &[("relay-hub", true)]).len(), 1);
    assert_eq!(example("relay-unknown", &[]).len(), 1);
    assert_eq!(example("relay-bench", &[]).len(), 1);
    assert_eq!(line_of("a = 1\nmio-x = 1\nmio = 1\n", "mio"), 3);
}

#[test]
fn dependencies_point_down() {
    let packages = packages();
    assert!(packages.len() >= 8, "{} members", packages.len());
    let mut wrong = Vec::new();
    for package in &packages {
        let manifest = std::fs::read_to_string(&package.manifest).unwrap_or_default();
        for what in astray(package) {
            let named = what.split('`').nth(1).unwrap_or_default();
            let line = line_of(&manifest, named);
            let path = package.manifest.strip_prefix(root()).unwrap_or(&package.manifest);
            wrong.push(format!("{}:{line}: {} {what}", path.display(), package.name));
        }
    }
    assert!(wrong.is_empty(), "\n{}\n", wrong.join("\n"));
}
