//! How payloads, lengths and times are written.

use std::time::Duration;

use serde::Serialize;

/// A payload as text that no terminal takes for a command: control characters other than line
/// breaks and tabs are escaped, and bytes that are no UTF-8 are shown in hex.
pub(crate) fn printable(payload: &[u8]) -> String {
    let Ok(text) = std::str::from_utf8(payload) else { return hex(payload) };
    let mut printable = String::with_capacity(text.len());
    for char in text.chars() {
        match char {
            '\n' | '\t' => printable.push(char),
            _ if char.is_control() => printable.extend(char.escape_unicode()),
            _ => printable.push(char),
        }
    }
    printable
}

/// A payload as JSON can carry it.
#[derive(Debug, PartialEq, Eq, Serialize)]
pub(crate) struct Payload {
    /// Its length.
    pub(crate) bytes: usize,
    /// The text, or two hex digits for each byte.
    pub(crate) payload: String,
    /// `utf8` or `hex`.
    pub(crate) encoding: &'static str,
}

impl Payload {
    pub(crate) fn of(payload: &[u8]) -> Self {
        let (text, encoding) = match std::str::from_utf8(payload) {
            Ok(text) => (text.to_owned(), "utf8"),
            Err(_) => (hex(payload), "hex"),
        };
        Self { bytes: payload.len(), payload: text, encoding }
    }
}

/// A length for people: `18 B`, `2.1 KiB`, `1.0 MiB`.
pub(crate) fn size(bytes: usize) -> String {
    match bytes {
        0..1024 => format!("{bytes} B"),
        1024..1_048_576 => format!("{}.{} KiB", bytes / 1024, bytes % 1024 * 10 / 1024),
        _ => format!("{}.{} MiB", bytes / 1_048_576, bytes % 1_048_576 * 10 / 1_048_576),
    }
}

/// A time span for people: `210 µs`, `1.9 ms`, `4.2 s`.
pub(crate) fn span(span: Duration) -> String {
    let micros = span.as_micros();
    match micros {
        0..1_000 => format!("{micros} µs"),
        1_000..100_000 => format!("{}.{} ms", micros / 1_000, micros % 1_000 / 100),
        100_000..1_000_000 => format!("{} ms", micros / 1_000),
        _ => format!("{}.{} s", micros / 1_000_000, micros % 1_000_000 / 100_000),
    }
}

/// A time span for programs, in milliseconds, to the microsecond.
pub(crate) fn millis(span: Duration) -> f64 {
    (span.as_secs_f64() * 1e6).round() / 1e3
}

pub(crate) fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_payload_cannot_command_the_terminal() {
        assert_eq!(printable("a\tb\nü".as_bytes()), "a\tb\nü");
        assert_eq!(printable(b"\x1b[2Jx"), r"\u{1b}[2Jx");
        assert_eq!(printable("\u{9b}2J".as_bytes()), r"\u{9b}2J");
        assert_eq!(printable(b"\xff\x00"), "ff00");
    }

    #[test]
    fn json_says_how_a_payload_is_encoded() {
        let text = Payload { bytes: 2, payload: "ü".into(), encoding: "utf8" };
        assert_eq!(Payload::of("ü".as_bytes()), text);
        let binary = Payload { bytes: 2, payload: "fe01".into(), encoding: "hex" };
        assert_eq!(Payload::of(b"\xfe\x01"), binary);
    }

    #[test]
    fn sizes_are_rounded_down_to_a_tenth() {
        let sizes: Vec<_> = [0, 1023, 1024, 2200, 1_048_575, 1_048_576].map(size).into();
        assert_eq!(sizes, ["0 B", "1023 B", "1.0 KiB", "2.1 KiB", "1023.9 KiB", "1.0 MiB"]);
    }

    #[test]
    fn spans_have_the_unit_that_suits_them() {
        let spans = [0, 999, 1_940, 99_999, 100_000, 999_999, 4_290_000].map(Duration::from_micros);
        let shown = spans.map(span);
        assert_eq!(shown, ["0 µs", "999 µs", "1.9 ms", "99.9 ms", "100 ms", "999 ms", "4.2 s"]);
        assert_eq!(millis(Duration::from_nanos(1_234_567)), 1.235);
    }
}
