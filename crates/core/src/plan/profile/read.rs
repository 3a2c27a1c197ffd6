//! From a name or a path to a profile.

use std::path::{Path, PathBuf};

use super::{Profile, Variant};
use crate::plan::json::without_place;

/// Why a profile cannot be used.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ProfileError {
    /// No built-in profile and no file has the name.
    #[error("unknown profile \"{name}\"{nearest}; legal: {legal}, or the path of a .toml file")]
    Unknown {
        /// The name.
        name: String,
        /// ` (did you mean "x"?)`, or nothing.
        nearest: String,
        /// The names there are.
        legal: String,
    },
    /// The file cannot be read.
    #[error("cannot read profile {path}: {source}")]
    Read {
        /// The file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// The file is no profile.
    #[error("profile {path} is not a profile: {message}")]
    Syntax {
        /// The file.
        path: PathBuf,
        /// What is wrong, and where, in one line.
        message: String,
    },
    /// A number in it cannot be.
    #[error("profile {path}: {field} is {value}; it must be {legal}")]
    Impossible {
        /// The file.
        path: PathBuf,
        /// Which number.
        field: String,
        /// Its value.
        value: String,
        /// What would be legal.
        legal: String,
    },
}

/// The largest weight of a variant.
const MOST_WEIGHT: u32 = 1_000_000;

/// The built-in profiles: name and text.
pub fn builtin_profiles() -> [(&'static str, &'static str); 21] {
    [
        (
            "portfolio",
            include_str!("../../../profiles/portfolio.toml"),
        ),
        ("storm", include_str!("../../../profiles/storm.toml")),
        ("smoke", include_str!("../../../profiles/smoke.toml")),
        ("calm", include_str!("../../../profiles/calm.toml")),
        ("requests", include_str!("../../../profiles/requests.toml")),
        ("disk", include_str!("../../../profiles/disk.toml")),
        ("network", include_str!("../../../profiles/network.toml")),
        (
            "membership",
            include_str!("../../../profiles/membership.toml"),
        ),
        ("reads", include_str!("../../../profiles/reads.toml")),
        (
            "snapshots",
            include_str!("../../../profiles/snapshots.toml"),
        ),
        ("transfer", include_str!("../../../profiles/transfer.toml")),
        (
            "async-disk",
            include_str!("../../../profiles/async-disk.toml"),
        ),
        ("amnesia", include_str!("../../../profiles/amnesia.toml")),
        (
            "partitions",
            include_str!("../../../profiles/partitions.toml"),
        ),
        (
            "elections",
            include_str!("../../../profiles/elections.toml"),
        ),
        ("joint", include_str!("../../../profiles/joint.toml")),
        ("long", include_str!("../../../profiles/long.toml")),
        ("servers", include_str!("../../../profiles/servers.toml")),
        ("fuzz", include_str!("../../../profiles/fuzz.toml")),
        ("findings", include_str!("../../../profiles/findings.toml")),
        (
            "lost-disk",
            include_str!("../../../profiles/lost-disk.toml"),
        ),
    ]
}

/// Puts what `over` says in place of what `under` says, table by table.
fn lay_over(under: &mut toml::Table, over: toml::Table) {
    for (key, value) in over {
        match (under.get_mut(&key), value) {
            (Some(toml::Value::Table(below)), toml::Value::Table(above)) => lay_over(below, above),
            (_, value) => {
                under.insert(key, value);
            }
        }
    }
}

/// The tables of `variants`, where there are any.
fn tables(variants: Option<toml::Value>, path: &Path) -> Result<Vec<toml::Table>, ProfileError> {
    let table = |value| match value {
        toml::Value::Table(table) => Ok(table),
        other => Err(ProfileError::Impossible {
            path: path.to_path_buf(),
            field: "variants".into(),
            value: other.to_string(),
            legal: "tables, each of them under [[variants]]".to_owned(),
        }),
    };
    match variants {
        None => Ok(Vec::new()),
        Some(toml::Value::Array(values)) => values.into_iter().map(table).collect(),
        Some(other) => table(other).map(|one| vec![one]),
    }
}

/// Which field the line of a JSON text is of, counted from 1, with the tables that it is in. Each
/// line of the text is indented by two blanks for each object around it.
fn field_in_line(text: &str, line: usize) -> String {
    let mut fields: Vec<&str> = Vec::new();
    for line in text.lines().take(line) {
        let inner = line.trim_start();
        let depth = (line.len() - inner.len()) / 2;
        fields.truncate(depth.saturating_sub(1));
        if let Some((name, _)) = inner
            .strip_prefix('"')
            .and_then(|name| name.split_once("\": "))
        {
            fields.push(name);
        }
    }
    fields.join(".")
}

/// Older profiles have knobs of known issues in the table `[findings]`.
fn rename_findings(profile: &mut toml::Table) {
    if let Some(knobs) = profile.remove("findings") {
        let knobs = toml::Table::from_iter([("known-issues".to_owned(), knobs)]);
        lay_over(profile, knobs);
    }
}

impl Profile {
    /// The built-in profile of that name, or the one in the file of that name.
    ///
    /// # Errors
    /// [`ProfileError`] when there is neither, or what it says cannot be.
    pub fn load(name: &str) -> Result<Self, ProfileError> {
        let builtin = builtin_profiles();
        if let Some((name, text)) = builtin.iter().find(|(known, _)| *known == name) {
            return Self::parse(
                name,
                Path::new(&format!("crates/core/profiles/{name}.toml")),
                text,
            );
        }
        let path = Path::new(name);
        if path.extension().is_none() && !path.exists() {
            let names: Vec<&str> = builtin.iter().map(|(known, _)| *known).collect();
            return Err(ProfileError::Unknown {
                name: name.to_owned(),
                nearest: crate::suggest::suggestion(name, names.iter().copied()),
                legal: names.join(", "),
            });
        }
        let text = crate::fsutil::read_text(path).map_err(|source| ProfileError::Read {
            path: path.to_path_buf(),
            source,
        })?;
        Self::parse(name, path, &text)
    }

    fn parse(name: &str, path: &Path, text: &str) -> Result<Self, ProfileError> {
        let mut whole: toml::Table = toml::from_str(text).map_err(|error| {
            let line = |span: std::ops::Range<usize>| text[..span.start].lines().count().max(1);
            let line = error.span().map(|span| format!("line {}: ", line(span)));
            ProfileError::Syntax {
                path: path.to_path_buf(),
                message: line.unwrap_or_default() + &error.message().replace('\n', " "),
            }
        })?;
        let mut variants = tables(whole.remove("variants"), path)?;
        rename_findings(&mut whole);
        variants.iter_mut().for_each(rename_findings);
        if let Some(base) = whole.remove("extends") {
            let own = std::mem::replace(&mut whole, Self::base(&base, path)?);
            lay_over(&mut whole, own);
        }
        let mut profile = Self::of_table(name, path, &whole)?;
        for variant in variants {
            let variant = Self::variant(name, path, &whole, variant)?;
            profile.variants.push(variant);
        }
        Ok(profile)
    }

    /// The variant that `table` says, of the profile of that name that is `whole`.
    fn variant(
        name: &str,
        path: &Path,
        whole: &toml::Table,
        mut table: toml::Table,
    ) -> Result<Variant, ProfileError> {
        let impossible = |field: &str, value: &toml::Value, legal: &str| ProfileError::Impossible {
            path: path.to_path_buf(),
            field: format!("variants.{field}"),
            value: value.to_string(),
            legal: legal.to_owned(),
        };
        let mut word = |field: &str| match table.remove(field) {
            None => Ok(None),
            Some(toml::Value::String(word)) if !word.is_empty() => Ok(Some(word)),
            Some(other) => Err(impossible(field, &other, "a name")),
        };
        let (own_label, strategy) = (word("name")?, word("strategy")?);
        let weight = match table.remove("weight") {
            None => 1,
            Some(value) => (value.as_integer())
                .and_then(|weight| u32::try_from(weight).ok())
                .filter(|weight| (1..=MOST_WEIGHT).contains(weight))
                .ok_or_else(|| impossible("weight", &value, "1 to 1000000"))?,
        };
        let extends = table.remove("extends");
        let mut base = match &extends {
            Some(other) => Self::base(other, path)?,
            None => whole.clone(),
        };
        let other = extends.as_ref().and_then(toml::Value::as_str);
        let usual_label = match (other, &strategy) {
            (Some(other), Some(strategy)) => format!("{other}, {strategy}"),
            (other, _) => other.unwrap_or(name).to_owned(),
        };
        let profile = match other {
            // It is that profile as a whole.
            Some(other) if table.is_empty() => Self::load(other)?,
            _ => {
                lay_over(&mut base, table);
                Self::of_table(name, path, &base)?
            }
        };
        Ok(Variant {
            label: own_label.unwrap_or(usual_label),
            weight,
            strategy,
            profile,
        })
    }

    /// The profile of that name that is `table`. It is read as JSON: the reader of toml would
    /// compile all that is in a profile three times.
    fn of_table(name: &str, path: &Path, table: &toml::Table) -> Result<Self, ProfileError> {
        let text = serde_json::to_string_pretty(table).expect("a table is plain data");
        let mut profile: Self =
            serde_json::from_str(&text).map_err(|error| ProfileError::Syntax {
                path: path.to_path_buf(),
                message: match field_in_line(&text, error.line()) {
                    field if field.is_empty() => without_place(&error),
                    field => format!("{field}: {}", without_place(&error)),
                },
            })?;
        profile.name = name.to_owned();
        profile.validate(path)?;
        Ok(profile)
    }

    /// What a profile that extends another starts from.
    fn base(name: &toml::Value, path: &Path) -> Result<toml::Table, ProfileError> {
        let builtin = builtin_profiles();
        let text = builtin
            .iter()
            .find(|(known, _)| Some(*known) == name.as_str());
        let Some((_, text)) = text else {
            return Err(ProfileError::Impossible {
                path: path.to_path_buf(),
                field: "extends".into(),
                value: name.to_string(),
                legal: "the name of a built-in profile, such as \"storm\"".to_owned(),
            });
        };
        let mut table: toml::Table = toml::from_str(text).expect("a built-in profile is a profile");
        table.remove("variants");
        match table.remove("extends") {
            None => Ok(table),
            Some(name) => {
                let mut whole = Self::base(&name, path)?;
                lay_over(&mut whole, table);
                Ok(whole)
            }
        }
    }
}
