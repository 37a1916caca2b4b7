//! Cross-origin rules from the environment: `CORS_ORIGIN`, `CORS_METHODS`, `CORS_CREDENTIALS`.
//!
//! Owns the reading of these three values and what is said about wrong ones. Does not own where
//! they come from.

use super::{Cors, CorsError, CorsOptions, Origin};

impl Cors {
    /// Reads the three settings; an empty one counts as not set.
    ///
    /// - `CORS_ORIGIN`: `*` (the default), one origin, several behind commas, or `false`.
    /// - `CORS_METHODS`: names behind commas, `GET,POST` by default.
    /// - `CORS_CREDENTIALS`: `true` or `false` (the default).
    ///
    /// With `false` as the origin there are no rules (`None`), as in a stock server without the
    /// option: no answer allows another origin, preflights are not answered, and upgrades are not
    /// checked. So without any setting everybody may ask, without credentials.
    ///
    /// # Errors
    /// One sentence for each value that is wrong, with the name of its setting.
    pub fn from_settings(
        origin: Option<&str>,
        methods: Option<&str>,
        credentials: Option<&str>,
    ) -> Result<Option<Self>, Vec<String>> {
        let [origin, methods, credentials] =
            [origin, methods, credentials].map(|it| it.map(str::trim).filter(|it| !it.is_empty()));
        let mut wrong = Vec::new();
        let mut options = CorsOptions::default();
        match credentials {
            None | Some("false") => {}
            Some("true") => options.credentials = true,
            Some(value) => {
                wrong.push(format!("CORS_CREDENTIALS={value}: true or false is accepted"));
            }
        }
        if let Some(methods) = methods {
            options.methods = parts(methods);
            // Alone, so that what is wrong with the origins does not hide it.
            let alone = CorsOptions { methods: options.methods.clone(), ..CorsOptions::default() };
            wrong.extend(Cors::new(&alone).err().map(|it| format!("CORS_METHODS={methods}: {it}")));
        }
        let off = origin == Some("false");
        if let Some(origin) = origin.filter(|_| !off) {
            options.origin = read_origin(origin);
            wrong.extend(wrong_origins(origin, &options.origin));
        }
        if options.credentials && options.origin == Origin::Any && !off {
            let shown = origin.unwrap_or("*");
            let error = CorsError::AnyWithCredentials;
            wrong.push(format!("CORS_CREDENTIALS=true with CORS_ORIGIN={shown}: {error}"));
        }
        if !wrong.is_empty() {
            return Err(wrong);
        }
        let built = (!off).then(|| Self::new(&options)).transpose();
        built.map_err(|error| vec![format!("CORS_ORIGIN: {error}")])
    }
}

fn read_origin(value: &str) -> Origin {
    let mut origins = parts(value);
    match origins.as_slice() {
        [one] if one == "*" => Origin::Any,
        [_] => Origin::Fixed(origins.remove(0)),
        _ => Origin::List(origins),
    }
}

/// What is wrong with each origin of the value.
fn wrong_origins(value: &str, origin: &Origin) -> Vec<String> {
    let all = match origin {
        Origin::Any | Origin::Reflect => &[][..],
        Origin::Fixed(one) => std::slice::from_ref(one),
        Origin::List(all) => all,
    };
    let errors = all.iter().filter_map(|one| super::origin::parse(one).err());
    errors.map(|error| format!("CORS_ORIGIN={value}: {error}")).collect()
}

fn parts(value: &str) -> Vec<String> {
    value.split(',').map(|part| part.trim().to_owned()).collect()
}
