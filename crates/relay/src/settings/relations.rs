//! What must hold between settings.
//!
//! Owns the relations of the program's own settings; those of the limits are the hub's.

use std::collections::HashMap;

use relay_server::{Cors, CorsError};

use super::table::{self, Setting};
use super::wrong::{Named, Source, Wrong};
use super::{Given, Values};

/// The settings that decide how it ends.
const DRAIN: [&str; 3] = ["DRAIN_DEADLINE", "DRAIN_DELAY", "DRAIN_WINDOW"];

/// The rules for pages of other origins. Their parts are right, so at most they do not go together.
pub(super) fn cors(values: &Values) -> Result<Option<Cors>, Vec<String>> {
    let credentials = values.cors_credentials.to_string();
    let (origin, methods) = (&values.cors_origin, &values.cors_methods);
    Cors::from_settings(Some(origin), Some(methods), Some(&credentials))
}

/// The relations that do not hold, unless one of their settings is wrong by itself.
pub(super) fn broken(
    values: &Values,
    failed: &[&str],
    named: impl Fn(&'static Setting) -> Named,
) -> Vec<Wrong> {
    let mut broken: Vec<(Vec<&'static Setting>, String)> = Vec::new();
    for relation in values.limits.relations().into_iter().filter(|it| !it.holds) {
        let settings = relation.limits.iter().filter_map(|it| table::by_limit(it)).collect();
        broken.push((settings, relation.rule.to_owned()));
    }
    let drain = values.drain;
    if drain.delay + drain.window > drain.deadline {
        let rule = "the deadline must leave time for the delay and the window";
        broken.push((by_variables(&DRAIN), rule.to_owned()));
    }
    if cors(values).is_err() {
        let settings = by_variables(&["CORS_CREDENTIALS", "CORS_ORIGIN"]);
        broken.push((settings, CorsError::AnyWithCredentials.to_string()));
    }
    broken.retain(|(settings, _)| settings.iter().all(|it| !failed.contains(&it.variable)));
    let wrong = |(settings, accepted): (Vec<&'static Setting>, String)| Wrong {
        named: settings.into_iter().map(&named).collect(),
        accepted,
    };
    broken.into_iter().map(wrong).collect()
}

fn by_variables(variables: &[&str]) -> Vec<&'static Setting> {
    variables.iter().filter_map(|it| table::by_variable(it)).collect()
}

/// A setting with the value that it has, whoever gave it.
pub(super) fn named(
    setting: &'static Setting,
    values: &Values,
    sources: &HashMap<&'static str, Given>,
) -> Named {
    match sources.get(setting.variable) {
        Some(given) => given.named(),
        None => Named {
            name: setting.variable.to_owned(),
            source: Source::Default,
            found: setting.kind.show(values),
        },
    }
}
