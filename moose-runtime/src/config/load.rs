//! Loads a [`Config`]: collects the sources, rejects unknown keys, parses the values, and checks rules over several
//! keys.

use std::{collections::HashMap, env, net::SocketAddr, path::PathBuf};

use bytesize::ByteSize;
use config::{Environment, File, FileFormat, Map, Source, Value, ValueKind};

use super::{
    Config,
    keys::{
        ENVIRONMENT_PREFIX, ENVIRONMENT_SEPARATOR, KEYS, NOT_CONFIGURATION, NOT_CONFIGURATION_PREFIX, PROPERTIES,
        RESERVED_PROPERTIES, environment_of,
    },
};

/// The file that is read if it exists and no other is given.
const FILE: &str = "moose.toml";

/// Suggests a known key that is at most this many typing mistakes away.
const TYPING_MISTAKES: usize = 3;

/// A value given on the command line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Flag {
    /// The key that it sets, such as `http.listen`.
    pub key: &'static str,
    /// The value as typed.
    pub value: String,
}

/// The sources of a configuration.
#[derive(Clone, Debug, Default)]
pub struct Sources {
    /// The directory of `moose.toml`; relative paths stay relative to the process.
    pub directory: PathBuf,
    /// The file to read instead; it must exist.
    pub file: Option<PathBuf>,
    /// Environment variables; those without the prefix `MOOSE_` are ignored.
    pub environment: HashMap<String, String>,
    /// Values from the command line.
    pub flags: Vec<Flag>,
}

impl Sources {
    /// The current directory and the environment of the process.
    pub fn of_process(file: Option<PathBuf>, flags: Vec<Flag>) -> Result<Self, ConfigError> {
        let mut environment = HashMap::new();
        for (name, value) in env::vars_os() {
            let Ok(name) = name.into_string() else { continue };
            if !is_configuration(&name) {
                continue;
            }
            let Ok(value) = value.into_string() else { return Err(ConfigError::NotUtf8 { variable: name }) };
            environment.insert(name, value);
        }
        Ok(Self { directory: PathBuf::new(), file, environment, flags })
    }
}

/// Why the configuration can't be loaded. Every case ends the process with exit code 3.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ConfigError {
    /// The file can't be read, or is not TOML.
    #[error("failed to read the configuration file {}: {detail}", path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// What is wrong, with line and column if it is the text.
        detail: String,
    },
    /// An environment variable that is not text.
    #[error("environment variable {variable} is not valid UTF-8")]
    NotUtf8 {
        /// Its name.
        variable: String,
    },
    /// A key that does not exist.
    #[error("unknown configuration key `{key}` (from {origin}): {hint}")]
    UnknownKey {
        /// The key.
        key: String,
        /// Where it came from: file, variable or flag.
        origin: String,
        /// The suggested key.
        hint: String,
    },
    /// A value that does not fit its key.
    #[error("configuration key `{key}` can't be `{value}` (from {origin}): expected {expected}")]
    WrongValue {
        /// The key.
        key: String,
        /// The value.
        value: String,
        /// Where it came from: file, variable or flag.
        origin: String,
        /// What would be valid.
        expected: String,
    },
    /// Two values that exclude each other.
    #[error("configuration keys `{first}` and `{second}` don't go together: {reason}")]
    Conflict {
        /// One key.
        first: &'static str,
        /// The other.
        second: &'static str,
        /// Why not, with the values.
        reason: String,
    },
}

impl Config {
    /// The configuration of a process: `moose.toml` in the current directory (or `file`), then the environment, then
    /// flags; a later one wins. `program_name` is the default of `app.name`.
    pub fn load(program_name: &str, file: Option<PathBuf>, flags: Vec<Flag>) -> Result<Self, ConfigError> {
        Self::from_sources(program_name, &Sources::of_process(file, flags)?)
    }

    /// Loads the configuration from these sources.
    pub fn from_sources(program_name: &str, sources: &Sources) -> Result<Self, ConfigError> {
        let mut config = Self::default();
        program_name.clone_into(&mut config.app.name);
        for (name, setting) in gather(sources)? {
            apply(&mut config, &name, &setting)?;
        }
        config.check()?;
        Ok(config)
    }

    /// Checks the rules over several keys.
    fn check(&self) -> Result<(), ConfigError> {
        if self.http.max_decompressed < self.http.max_body {
            return Err(ConfigError::Conflict {
                first: "http.max_body",
                second: "http.max_decompressed",
                reason: format!(
                    "a body of {} may be sent, but of only {} once decompressed",
                    self.http.max_body, self.http.max_decompressed
                ),
            });
        }
        let largest = self
            .http
            .max_body
            .as_u64()
            .saturating_add(self.http.max_decompressed.as_u64().saturating_mul(1 + crate::memory::BESIDE_A_BODY));
        if self.memory.budget.as_u64() / 2 < largest {
            return Err(ConfigError::Conflict {
                first: "http.max_decompressed",
                second: "memory.budget",
                reason: format!(
                    "a request of {} may hold {}, and all requests together only half of {}",
                    self.http.max_decompressed,
                    ByteSize::b(largest),
                    self.memory.budget
                ),
            });
        }
        let mut listeners = vec![("http.listen", self.http.listen), ("management.listen", self.management.listen)];
        if self.clickhouse.url.is_none() {
            listeners.push(("engine.listen", self.engine.listen));
        }
        for (index, (second, address)) in listeners.iter().enumerate() {
            let taken = |(_, other): &&(&str, SocketAddr)| address.port() != 0 && other == address;
            if let Some((first, _)) = listeners.iter().take(index).find(taken) {
                return Err(ConfigError::Conflict { first, second, reason: format!("both listen on {address}") });
            }
        }
        Ok(())
    }
}

/// A value as given by a source.
struct Setting {
    /// Its text; `None` where it is not a single value.
    text: Option<String>,
    /// File, variable or flag.
    origin: String,
}

/// The values of all sources by key, later sources over earlier ones, in the order of the keys' names.
fn gather(sources: &Sources) -> Result<Vec<(String, Setting)>, ConfigError> {
    let file = sources.file.clone().unwrap_or_else(|| sources.directory.join(FILE));
    let fail = |error: &dyn std::fmt::Display| ConfigError::File { path: file.clone(), detail: error.to_string() };
    let environment = sources
        .environment
        .iter()
        .filter(|(name, _)| is_configuration(name))
        .map(|(name, value)| (name.clone(), value.clone()))
        .collect();
    let builder = config::Config::builder()
        .add_source(ReadFile { path: file.clone(), required: sources.file.is_some() })
        .add_source(
            Environment::with_prefix(ENVIRONMENT_PREFIX)
                .prefix_separator("_")
                .separator(ENVIRONMENT_SEPARATOR)
                .source(Some(environment)),
        )
        .add_source(Flags(sources.flags.clone()));
    let gathered = builder.build().map_err(|error| fail(&error))?;
    let mut settings = Vec::new();
    flatten(String::new(), &gathered.cache, &mut settings);
    settings.sort_by(|(left, _), (right, _)| left.cmp(right));
    Ok(settings)
}

/// Whether an environment variable is one of the configuration's.
fn is_configuration(variable: &str) -> bool {
    let Some(name) = variable.strip_prefix(ENVIRONMENT_PREFIX).and_then(|rest| rest.strip_prefix('_')) else {
        return false;
    };
    let name = name.to_ascii_lowercase();
    !NOT_CONFIGURATION.contains(&name.as_str()) && !name.starts_with(NOT_CONFIGURATION_PREFIX)
}

/// The leaves of a tree of values, by their dotted names.
fn flatten(name: String, value: &Value, settings: &mut Vec<(String, Setting)>) {
    if let ValueKind::Table(table) = &value.kind
        && (name.is_empty() || name == PROPERTIES || !KEYS.iter().any(|key| key.name == name))
    {
        for (part, inner) in table {
            let name = if name.is_empty() { part.clone() } else { format!("{name}.{part}") };
            flatten(name, inner, settings);
        }
        return;
    }
    let text = match &value.kind {
        ValueKind::Nil | ValueKind::Table(_) | ValueKind::Array(_) => None,
        single => Some(single.to_string()),
    };
    let origin = match value.origin() {
        Some(ENVIRONMENT_ORIGIN) => environment_of(&name),
        Some(other) => other.to_owned(),
        None => "an unnamed source".to_owned(),
    };
    settings.push((name, Setting { text, origin }));
}

/// The name that the crate `config` gives to the environment; we show the variable instead.
const ENVIRONMENT_ORIGIN: &str = "the environment";

fn apply(config: &mut Config, name: &str, setting: &Setting) -> Result<(), ConfigError> {
    if let Some(property) = name.strip_prefix(PROPERTIES).and_then(|rest| rest.strip_prefix('.')) {
        return apply_property(config, property, setting);
    }
    let Some(key) = KEYS.iter().find(|key| key.name == name) else {
        return Err(ConfigError::UnknownKey { key: name.to_owned(), origin: setting.origin.clone(), hint: hint(name) });
    };
    let text = setting.text.as_deref();
    if text.is_some_and(|text| (key.slot)(config).read(text)) {
        return Ok(());
    }
    Err(ConfigError::WrongValue {
        key: name.to_owned(),
        value: match text {
            Some(_) if (key.slot)(config).is_secret() => "(what was given)",
            Some(text) => text,
            None => "a table or a list",
        }
        .to_owned(),
        origin: setting.origin.clone(),
        expected: (key.slot)(config).expected(),
    })
}

fn apply_property(config: &mut Config, property: &str, setting: &Setting) -> Result<(), ConfigError> {
    let (key, origin) = (format!("{PROPERTIES}.{property}"), setting.origin.clone());
    if RESERVED_PROPERTIES.contains(&property) {
        let hint = "it is not to be chosen: what is promised for records hangs on it".to_owned();
        return Err(ConfigError::UnknownKey { key, origin, hint });
    }
    let Some(text) = setting.text.clone() else {
        let (value, expected) = ("a list".to_owned(), "a text, a number or true or false".to_owned());
        return Err(ConfigError::WrongValue { key, value, origin, expected });
    };
    config.kafka.properties.insert(property.to_owned(), text);
    Ok(())
}

/// A suggestion for a key that does not exist.
fn hint(name: &str) -> String {
    let section: Vec<&str> = KEYS
        .iter()
        .filter_map(|key| key.name.strip_prefix(name).and_then(|rest| rest.strip_prefix('.')).map(|_| key.name))
        .collect();
    if !section.is_empty() {
        return format!("it is a section with the keys {}", list(&section));
    }
    let nearest = KEYS
        .iter()
        .map(|key| (strsim::osa_distance(name, key.name), key.name))
        .filter(|(distance, _)| *distance <= TYPING_MISTAKES)
        .min();
    let section: Vec<&str> = name.split_once('.').map_or_else(Vec::new, |(section, _)| {
        KEYS.iter()
            .filter(|key| key.name.split_once('.').is_some_and(|(own, _)| own == section))
            .map(|key| key.name)
            .collect()
    });
    match nearest {
        Some((_, nearest)) => format!("did you mean `{nearest}`?"),
        None if section.is_empty() => {
            let all: Vec<&str> = KEYS.iter().map(|key| key.name).collect();
            format!("the known keys are {}", list(&all))
        }
        None => format!("the known keys of this section are {}", list(&section)),
    }
}

fn list(names: &[&str]) -> String {
    names.iter().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ")
}

/// The file as a source. Reads only the file of exactly this name: the file source of `config` would also try
/// extensions.
#[derive(Clone, Debug)]
struct ReadFile {
    path: PathBuf,
    required: bool,
}

impl Source for ReadFile {
    fn clone_into_box(&self) -> Box<dyn Source + Send + Sync> {
        Box::new(self.clone())
    }

    fn collect(&self) -> Result<Map<String, Value>, config::ConfigError> {
        let text = match std::fs::read_to_string(&self.path) {
            Ok(text) => text,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound && !self.required => return Ok(Map::new()),
            Err(error) => return Err(config::ConfigError::Message(error.to_string())),
        };
        let values = File::from_str(&text, FileFormat::Toml).collect()?;
        let origin = self.path.display().to_string();
        Ok(values.into_iter().map(|(name, value)| (name, with_origin(value, &origin))).collect())
    }
}

/// The same values, each with its origin.
fn with_origin(value: Value, origin: &String) -> Value {
    let kind = match value.kind {
        ValueKind::Table(table) => {
            ValueKind::Table(table.into_iter().map(|(name, inner)| (name, with_origin(inner, origin))).collect())
        }
        other => other,
    };
    Value::new(Some(origin), kind)
}

/// The command line as a source.
#[derive(Clone, Debug)]
struct Flags(Vec<Flag>);

impl Source for Flags {
    fn clone_into_box(&self) -> Box<dyn Source + Send + Sync> {
        Box::new(self.clone())
    }

    fn collect(&self) -> Result<Map<String, Value>, config::ConfigError> {
        let name = |key| KEYS.iter().find(|known| known.name == key).and_then(|known| known.flag).unwrap_or(key);
        let value = |flag: &Flag| Value::new(Some(&format!("--{}", name(flag.key))), flag.value.clone());
        Ok(self.0.iter().map(|flag| (flag.key.to_owned(), value(flag))).collect())
    }
}
