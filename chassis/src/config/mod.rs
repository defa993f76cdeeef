//! Configuration: defaults < file < environment, every mistake told at once.
//!
//! A key is `SECTION__KEY` in the environment and `key` in `[section]` of the
//! TOML file. Code asks for each value where it builds the thing that needs it;
//! what was asked for is at the same time the list of what exists, so unknown
//! keys are found and `config` can print a complete reference.
//!
//! Invariant: after [`Config::finish`] says yes, every value was valid. Until
//! then, readers get the default in place of an invalid value, so that reading
//! goes on and the remaining mistakes are found as well.

mod setting;

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt,
    path::Path,
};

pub use setting::{List, Ratio, Setting};

/// Exit code for a configuration that cannot be used (`EX_CONFIG`, sysexits.h).
pub const EXIT_CODE: u8 = 78;

/// Between section and key.
const SEPARATOR: &str = "__";

/// Where a value came from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Origin {
    /// Nobody set it.
    Default,
    /// The configuration file.
    File,
    /// An environment variable.
    Environment,
}

/// One mistake in the configuration.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mistake {
    /// The key, or the file.
    pub key: String,
    /// What is wrong and what would be right.
    pub problem: String,
}

/// Everything that is wrong with the configuration.
#[derive(Debug, thiserror::Error)]
pub struct ConfigError(pub Vec<Mistake>);

impl fmt::Display for ConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0.len() {
            1 => writeln!(f, "the configuration has a mistake:")?,
            n => writeln!(f, "the configuration has {n} mistakes:")?,
        }
        for Mistake { key, problem } in &self.0 {
            writeln!(f, "  {key}: {problem}")?;
        }
        Ok(())
    }
}

/// One value that was asked for.
#[derive(Debug, Clone)]
pub struct Described {
    /// `SECTION__KEY`.
    pub key: String,
    /// The value in force; masked when it is a secret.
    pub value: String,
    /// The default; empty when there is none.
    pub default: String,
    /// Where the value came from.
    pub origin: Origin,
    /// What it is for.
    pub help: &'static str,
}

/// The configuration, being read.
#[derive(Debug)]
pub struct Config {
    values: BTreeMap<String, (String, Origin)>,
    asked: BTreeSet<String>,
    open_sections: BTreeSet<String>,
    described: Vec<Described>,
    mistakes: Vec<Mistake>,
    environment: BTreeMap<String, String>,
}

impl Config {
    /// Reads the file, if one is named, and lays the environment over it.
    pub fn load(
        file: Option<&Path>,
        environment: impl IntoIterator<Item = (String, String)>,
    ) -> Self {
        let environment: BTreeMap<_, _> = environment.into_iter().collect();
        let mut config = Self {
            values: BTreeMap::new(),
            asked: BTreeSet::new(),
            open_sections: BTreeSet::new(),
            described: Vec::new(),
            mistakes: Vec::new(),
            environment,
        };
        if let Some(file) = file {
            config.read_file(file);
        }
        for (key, value) in &config.environment {
            if key.contains(SEPARATOR) {
                let value = (value.clone(), Origin::Environment);
                config.values.insert(key.to_ascii_uppercase(), value);
            }
        }
        config
    }

    /// The process's own environment. Variables that are not UTF-8 are none of
    /// ours.
    pub fn process_environment() -> impl Iterator<Item = (String, String)> {
        std::env::vars_os()
            .filter_map(|(key, value)| Some((key.into_string().ok()?, value.into_string().ok()?)))
    }

    fn read_file(&mut self, file: &Path) {
        let key = file.display().to_string();
        let text = match std::fs::read_to_string(file) {
            Ok(text) => text,
            Err(error) => return self.mistake(key, format!("cannot be read: {error}")),
        };
        let tables: BTreeMap<String, BTreeMap<String, toml::Value>> = match toml::from_str(&text) {
            Ok(tables) => tables,
            Err(error) => {
                return self.mistake(key, format!("is not [section] and key = value: {error}"));
            }
        };
        for (section, entries) in tables {
            for (name, value) in entries {
                let text = match value {
                    toml::Value::String(text) => text,
                    toml::Value::Integer(number) => number.to_string(),
                    toml::Value::Float(number) => number.to_string(),
                    toml::Value::Boolean(truth) => truth.to_string(),
                    other => {
                        let problem = format!("must be a plain value, not {}", other.type_str());
                        self.mistake(format!("{section}.{name}"), problem);
                        continue;
                    }
                };
                let key = format!("{section}{SEPARATOR}{name}").to_ascii_uppercase();
                self.values.insert(key, (text, Origin::File));
            }
        }
    }

    /// A standard variable that has no section, such as
    /// `OTEL_EXPORTER_OTLP_ENDPOINT`. Empty counts as unset (OpenTelemetry's
    /// rule for its variables).
    pub fn standard_variable(&self, name: &str) -> Option<String> {
        self.environment
            .get(name)
            .filter(|value| !value.is_empty())
            .cloned()
    }

    /// Sets a default of whoever runs the service, in place of the service's own: both
    /// the file and the environment stand above it.
    pub fn suggest(&mut self, key: impl Into<String>, value: impl Into<String>) {
        let value = (value.into(), Origin::Default);
        self.values.entry(key.into()).or_insert(value);
    }

    /// Whether a value was given for a key.
    pub fn is_given(&self, key: &str) -> bool {
        let value = self.values.get(key);
        value.is_some_and(|(_, origin)| *origin != Origin::Default)
    }

    /// The value in force of a key that was asked for; secrets are masked.
    pub fn shown(&self, key: &str) -> Option<&str> {
        let described = self.described.iter().find(|described| described.key == key);
        described.map(|described| described.value.as_str())
    }

    /// Values of one section.
    pub fn section(&mut self, name: &'static str) -> Section<'_> {
        self.open_sections.insert(name.to_owned());
        Section { config: self, name }
    }

    /// Reports a mistake that only the code that uses a value can see.
    pub fn mistake(&mut self, key: impl Into<String>, problem: impl Into<String>) {
        self.mistakes.push(Mistake {
            key: key.into(),
            problem: problem.into(),
        });
    }

    /// What was asked for, in that order.
    pub fn described(&self) -> &[Described] {
        &self.described
    }

    /// Yes, or every mistake: wrong values and unknown keys alike. Sections that
    /// nobody asked for belong to other services.
    pub fn finish(mut self) -> Result<(), ConfigError> {
        let unknown: Vec<Mistake> = self
            .values
            .keys()
            .filter(|key| !self.asked.contains(*key))
            .filter(|key| {
                key.split_once(SEPARATOR)
                    .is_some_and(|(section, _)| self.open_sections.contains(section))
            })
            .map(|key| Mistake {
                key: key.clone(),
                problem: match nearest(key, &self.asked) {
                    Some(near) => format!("is not a setting; did you mean {near}?"),
                    None => "is not a setting; `config` lists all of them".to_owned(),
                },
            })
            .collect();
        self.mistakes.extend(unknown);
        if self.mistakes.is_empty() {
            Ok(())
        } else {
            Err(ConfigError(self.mistakes))
        }
    }
}

/// Values of one section of a [`Config`].
#[derive(Debug)]
pub struct Section<'c> {
    config: &'c mut Config,
    name: &'static str,
}

impl Section<'_> {
    /// A value with a default.
    pub fn get<T: Setting>(&mut self, name: &str, default: &str, help: &'static str) -> T {
        match self.read(name, Some(default), help) {
            Some(value) => value,
            None => T::parse(default).unwrap_or_else(|| {
                // A wrong default is a bug that every start shows.
                panic!(
                    "the default {default:?} of {}__{name} is not valid",
                    self.name
                )
            }),
        }
    }

    /// A value that may be missing.
    pub fn optional<T: Setting>(&mut self, name: &str, help: &'static str) -> Option<T> {
        self.read(name, None, help)
    }

    /// A number within bounds.
    pub fn within<T>(
        &mut self,
        name: &str,
        default: &str,
        bounds: std::ops::RangeInclusive<T>,
        help: &'static str,
    ) -> T
    where
        T: Setting + PartialOrd + fmt::Debug + Copy,
    {
        let value: T = self.get(name, default, help);
        if bounds.contains(&value) {
            return value;
        }
        let problem = format!(
            "is {value:?}, but must be between {:?} and {:?}",
            bounds.start(),
            bounds.end()
        );
        self.config.mistake(self.key(name), problem);
        *bounds.start()
    }

    /// Reports a mistake at a key of this section.
    pub fn mistake(&mut self, name: &str, problem: impl Into<String>) {
        self.config.mistake(self.key(name), problem);
    }

    /// Everything in this section that was not asked for by name, for settings
    /// that are handed on to a library. Keys without the section, upper case.
    pub fn rest(&mut self) -> BTreeMap<String, String> {
        let prefix = format!("{}{SEPARATOR}", self.name);
        let rest: Vec<(String, String)> = self
            .config
            .values
            .iter()
            .filter(|(key, _)| key.starts_with(&prefix) && !self.config.asked.contains(*key))
            .map(|(key, (value, _))| (key.clone(), value.clone()))
            .collect();
        rest.into_iter()
            .map(|(key, value)| {
                let name = key[prefix.len()..].to_owned();
                self.config.asked.insert(key);
                (name, value)
            })
            .collect()
    }

    fn key(&self, name: &str) -> String {
        format!("{}{SEPARATOR}{name}", self.name)
    }

    fn read<T: Setting>(
        &mut self,
        name: &str,
        default: Option<&str>,
        help: &'static str,
    ) -> Option<T> {
        let key = self.key(name);
        let found = self.config.values.get(&key).cloned();
        let (text, origin) = match (&found, default) {
            (Some((text, origin)), _) => (Some(text.as_str()), *origin),
            (None, default) => (default, Origin::Default),
        };
        if self.config.asked.insert(key.clone()) {
            let shown = text.unwrap_or_default();
            let masked = T::SECRET && origin != Origin::Default;
            self.config.described.push(Described {
                key: key.clone(),
                value: if masked {
                    "[set]".to_owned()
                } else {
                    shown.to_owned()
                },
                default: default.unwrap_or_default().to_owned(),
                origin,
                help,
            });
        }
        let text = text?;
        let value = T::parse(text);
        if value.is_none() {
            let problem = if T::SECRET {
                format!("must be {}", T::EXPECTS)
            } else {
                format!("is {text:?}, but must be {}", T::EXPECTS)
            };
            self.config.mistake(key, problem);
        }
        value
    }
}

/// The known key that differs in the fewest letters, if it is a likely slip.
fn nearest<'k>(key: &str, known: &'k BTreeSet<String>) -> Option<&'k String> {
    known
        .iter()
        .map(|candidate| (distance(key, candidate), candidate))
        .filter(|(distance, _)| *distance <= 3)
        .min()
        .map(|(_, candidate)| candidate)
}

/// Levenshtein's distance, one row at a time.
fn distance(a: &str, b: &str) -> usize {
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, x) in a.bytes().enumerate() {
        let mut diagonal = row[0];
        row[0] = i + 1;
        for (j, y) in b.bytes().enumerate() {
            let replaced = diagonal + usize::from(x != y);
            diagonal = row[j + 1];
            row[j + 1] = replaced.min(diagonal + 1).min(row[j] + 1);
        }
    }
    row[b.len()]
}

#[cfg(test)]
mod tests;
