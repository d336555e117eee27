//! A configuration as a list of dotted keys, each with the place where it was written.
//!
//! What is written twice is refused by TOML itself. What `--set` says takes the place of what the file says.

use std::collections::BTreeMap;
use std::ops::Range;

use toml::Value;
use toml::de::{DeTable, DeValue};

/// All that was written.
#[derive(Clone, Debug, Default)]
pub(crate) struct Tree {
    /// By path: `node.name`, `p2p.peer[0].name`.
    pub(crate) entries: BTreeMap<String, Entry>,
    /// Sections by path, also those without a key of their own.
    pub(crate) sections: BTreeMap<String, At>,
}

/// A key and its value.
#[derive(Clone, Debug)]
pub(crate) struct Entry {
    pub(crate) value: Value,
    pub(crate) key_at: At,
    pub(crate) value_at: At,
}

/// A place in one of the texts that make up a configuration.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct At {
    /// 0 is the file; the others are `--set`, in their order.
    pub(crate) text: usize,
    pub(crate) span: Range<usize>,
}

impl Tree {
    /// Takes in a table and all below it.
    pub(crate) fn add(&mut self, path: &str, table: &DeTable<'_>) {
        for (key, value) in table {
            let path = match path {
                "" => key.get_ref().to_string(),
                _ => format!("{path}.{}", key.get_ref()),
            };
            let key_at = At { text: 0, span: key.span() };
            match value.get_ref() {
                DeValue::Table(table) => {
                    self.sections.insert(path.clone(), key_at);
                    self.add(&path, table);
                }
                DeValue::Array(array)
                    if !array.is_empty()
                        && array.iter().all(|value| value.get_ref().is_table()) =>
                {
                    for (number, value) in array.iter().enumerate() {
                        let path = format!("{path}[{number}]");
                        self.sections.insert(path.clone(), key_at.clone());
                        if let Some(table) = value.get_ref().as_table() {
                            self.add(&path, table);
                        }
                    }
                }
                other => {
                    let value_at = At { text: 0, span: value.span() };
                    self.entries.insert(path, Entry { value: plain(other), key_at, value_at });
                }
            }
        }
    }

    /// Sets a key to what was written as `KEY=VALUE`, the `number`th of its kind. A value that is no TOML is
    /// taken for a text.
    pub(crate) fn set(&mut self, number: usize, written: &str) -> Result<(), ()> {
        let (key, value) = written.split_once('=').ok_or(())?;
        let (value, end) = (value.trim(), written.trim_end().len());
        let start = end - value.len();
        let at = |span| At { text: number, span };
        let value = match DeValue::parse(value) {
            Ok(value) => plain(value.get_ref()),
            Err(_) => Value::String(value.to_owned()),
        };
        let entry = Entry { value, key_at: at(0..key.trim_end().len()), value_at: at(start..end) };
        self.entries.insert(key.trim().to_owned(), entry);
        Ok(())
    }

    pub(crate) fn text(&self, path: &str) -> Option<&str> {
        self.entries.get(path)?.value.as_str()
    }

    pub(crate) fn number(&self, path: &str) -> Option<u64> {
        self.entries.get(path)?.value.as_integer()?.try_into().ok()
    }
}

/// A value without its places.
fn plain(value: &DeValue<'_>) -> Value {
    match value {
        DeValue::String(text) => Value::String(text.to_string()),
        DeValue::Integer(number) => i64::from_str_radix(number.as_str(), number.radix())
            .map_or_else(|_| Value::String(number.to_string()), Value::Integer),
        DeValue::Float(number) => {
            number.as_str().parse().map_or_else(|_| Value::String(number.to_string()), Value::Float)
        }
        DeValue::Boolean(bool) => Value::Boolean(*bool),
        DeValue::Datetime(time) => Value::Datetime(*time),
        DeValue::Array(array) => {
            Value::Array(array.iter().map(|value| plain(value.get_ref())).collect())
        }
        DeValue::Table(table) => Value::Table(
            table.iter().map(|(k, v)| (k.get_ref().to_string(), plain(v.get_ref()))).collect(),
        ),
    }
}
