//! Judges what the file gives, and says where it stands if it is wrong.

use std::path::Path;

use amop_core::node::{Pace, Rate};
use amop_wire::limits::PAYLOAD_BYTES_MAX;
use toml::{Spanned, Value};

use super::Given;
use super::values::{bytes_a_second, number_a_second, size};
use crate::config::ConfigError;
use crate::machine;

/// A configuration file and what it says.
#[derive(Clone, Copy)]
pub(crate) struct Text<'a> {
    pub(crate) file: &'a Path,
    pub(crate) text: &'a str,
}

/// What every value is held against.
pub(super) struct Bounds<'a> {
    text: Text<'a>,
    /// No size may be more than this machine has.
    memory_bytes: u64,
}

/// The values of one section.
pub(super) struct Section<'a> {
    bounds: &'a Bounds<'a>,
    name: &'static str,
}

impl<'a> Bounds<'a> {
    pub(super) fn new(text: Text<'a>) -> Self {
        Self { text, memory_bytes: machine::memory_bytes().unwrap_or(u64::MAX) }
    }

    pub(super) fn section(&'a self, name: &'static str) -> Section<'a> {
        Section { bounds: self, name }
    }
}

impl Section<'_> {
    /// A whole number from 1 to what is usual, which is the most that may be set.
    pub(super) fn count(
        &self,
        key: &str,
        given: &Given,
        usual: usize,
    ) -> Result<usize, ConfigError> {
        let Some(given) = given else { return Ok(usual) };
        let number = given.get_ref().as_integer().and_then(|number| usize::try_from(number).ok());
        number
            .filter(|number| (1..=usual).contains(number))
            .ok_or_else(|| self.bad(key, given, format!("a whole number from 1 to {usual}")))
    }

    /// A size of at least so many bytes, and no more than there is memory.
    pub(super) fn size(
        &self,
        key: &str,
        given: &Given,
        least: u64,
    ) -> Result<Option<usize>, ConfigError> {
        let Some(given) = given else { return Ok(None) };
        let most = self.bounds.memory_bytes;
        let wanted = || {
            format!(
                "a size such as \"64 MiB\", of at least {least} bytes and no more than the {} MiB \
                 that this machine has",
                most >> 20
            )
        };
        let bytes = given.get_ref().as_str().and_then(size);
        let bytes = bytes.filter(|bytes| (least..=most).contains(bytes));
        let bytes = bytes.and_then(|bytes| usize::try_from(bytes).ok());
        bytes.map(Some).ok_or_else(|| self.bad(key, given, wanted()))
    }

    /// What a node may hold if nothing is said: no more than half of what this machine has.
    pub(super) fn usual_memory(&self, usual: usize) -> usize {
        usize::try_from(self.bounds.memory_bytes / 2).unwrap_or(usize::MAX).min(usual)
    }

    /// How many there may be a second, and at once.
    pub(super) fn rate(
        &self,
        (key, given): (&str, &Given),
        (burst_key, burst): (&str, &Given),
    ) -> Result<Option<Rate>, ConfigError> {
        let Some(given) = given else { return self.alone(burst_key, burst, key) };
        let per_second = given.get_ref().as_str().and_then(number_a_second);
        let wanted = || "a rate such as \"1000/s\"".into();
        let per_second = per_second.ok_or_else(|| self.bad(key, given, wanted()))?;
        let burst = match burst {
            None => per_second,
            Some(burst) => {
                let number = burst.get_ref().as_integer().filter(|&number| number > 0);
                let number = number.and_then(|number| u64::try_from(number).ok());
                let wanted = || "a whole number, at least 1; leave it out for one second's worth";
                number.ok_or_else(|| self.bad(burst_key, burst, wanted().into()))?
            }
        };
        Ok(Some(Rate { per_second, burst }))
    }

    /// How fast something may be published.
    pub(super) fn pace(
        &self,
        (bytes, bytes_burst): (&Given, &Given),
        (messages, messages_burst): (&Given, &Given),
    ) -> Result<Pace, ConfigError> {
        Ok(Pace {
            bytes: self.byte_rate(("bytes", bytes), ("bytes_burst", bytes_burst))?,
            messages: self.rate(("messages", messages), ("messages_burst", messages_burst))?,
        })
    }

    /// How many bytes there may be a second, and at once.
    pub(super) fn byte_rate(
        &self,
        (key, given): (&str, &Given),
        (burst_key, burst): (&str, &Given),
    ) -> Result<Option<Rate>, ConfigError> {
        let Some(given) = given else { return self.alone(burst_key, burst, key) };
        let per_second = given.get_ref().as_str().and_then(bytes_a_second);
        let wanted = || "a rate such as \"10 MB/s\"".into();
        let per_second = per_second.ok_or_else(|| self.bad(key, given, wanted()))?;
        let burst = self.size(burst_key, burst, 1)?.map(|burst| burst as u64);
        let burst = burst.unwrap_or(per_second.max(PAYLOAD_BYTES_MAX as u64));
        Ok(Some(Rate { per_second, burst }))
    }

    /// A burst without its rate means nothing.
    fn alone(&self, key: &str, burst: &Given, rate: &str) -> Result<Option<Rate>, ConfigError> {
        let Some(burst) = burst else { return Ok(None) };
        Err(self.bad(key, burst, format!("`{rate}` beside it")))
    }

    fn bad(&self, key: &str, given: &Spanned<Value>, wanted: String) -> ConfigError {
        let Text { file, text } = self.bounds.text;
        let before = text.get(..given.span().start).unwrap_or(text);
        ConfigError::BadLimit {
            file: file.into(),
            line: before.matches('\n').count() + 1,
            key: format!("limits.{}.{key}", self.name).into(),
            found: text.get(given.span()).unwrap_or_default().into(),
            wanted: wanted.into(),
        }
    }
}
