//! How certificates, requests and lists look, for people and for programs.

use std::time::{Duration, SystemTime};

use amop_pki::{Certificate, Fingerprint, KeyKind, Request, RevocationList, Usage};
use serde::Serialize;

use crate::clock::Timestamp;

/// A certificate, for programs.
#[derive(Debug, Serialize)]
pub(crate) struct CertificateObject {
    #[serde(rename = "type")]
    kind_of_object: &'static str,
    subject: String,
    issuer: String,
    names: Vec<String>,
    authority: bool,
    permitted: Vec<String>,
    usages: Vec<&'static str>,
    key: String,
    fingerprint: String,
    words: String,
    serial: String,
    not_before: String,
    not_after: String,
    days_left: i64,
}

impl CertificateObject {
    pub(crate) fn of(certificate: &Certificate, now: SystemTime) -> Self {
        Self {
            kind_of_object: "certificate",
            subject: certificate.subject.clone(),
            issuer: certificate.issuer.clone(),
            names: certificate.names.clone(),
            authority: certificate.is_authority,
            permitted: certificate.permitted.clone(),
            usages: certificate.usages.iter().map(usage).collect(),
            key: certificate.key_kind.clone(),
            fingerprint: certificate.fingerprint.to_string(),
            words: certificate.fingerprint.words(),
            serial: certificate.serial.to_string(),
            not_before: Timestamp::of(certificate.not_before).to_string(),
            not_after: Timestamp::of(certificate.not_after).to_string(),
            days_left: days_left(certificate.not_after, now),
        }
    }
}

/// A request, for programs.
#[derive(Debug, Serialize)]
pub(crate) struct RequestObject {
    #[serde(rename = "type")]
    kind_of_object: &'static str,
    name: String,
    key: &'static str,
    fingerprint: String,
    words: String,
    ignored: Vec<String>,
}

impl RequestObject {
    pub(crate) fn of(request: &Request) -> Self {
        Self {
            kind_of_object: "request",
            name: request.name().to_owned(),
            key: key_kind(request.key_kind()),
            fingerprint: request.fingerprint().to_string(),
            words: request.fingerprint().words(),
            ignored: request.ignored().to_vec(),
        }
    }
}

/// A revocation list, for programs.
#[derive(Debug, Serialize)]
pub(crate) struct ListObject {
    #[serde(rename = "type")]
    kind_of_object: &'static str,
    issuer: String,
    number: u64,
    this_update: String,
    next_update: String,
    days_left: i64,
    revoked: Vec<RevokedObject>,
}

/// One entry of a [`ListObject`].
#[derive(Debug, Serialize)]
struct RevokedObject {
    serial: String,
    at: String,
    reason: &'static str,
}

impl ListObject {
    pub(crate) fn of(list: &RevocationList, now: SystemTime) -> Self {
        let revoked = list.revoked.iter().map(|revocation| RevokedObject {
            serial: revocation.serial.to_string(),
            at: Timestamp::of(revocation.at).to_string(),
            reason: revocation.reason.as_str(),
        });
        Self {
            kind_of_object: "revocation_list",
            issuer: list.issuer.clone(),
            number: list.number,
            this_update: Timestamp::of(list.this_update).to_string(),
            next_update: Timestamp::of(list.next_update).to_string(),
            days_left: days_left(list.next_update, now),
            revoked: revoked.collect(),
        }
    }
}

/// A certificate in lines, for people.
pub(crate) fn certificate(certificate: &Certificate, now: SystemTime) -> String {
    let who = match &certificate.names[..] {
        [] => certificate.subject.clone(),
        names => names.join(", "),
    };
    let mut lines = vec![who];
    lines.push(format!("  {:<9} {}", "may", allowed(certificate)));
    lines.push(format!("  {:<9} {}", "signed by", certificate.issuer));
    lines.push(format!(
        "  {:<9} {} … {} ({})",
        "counts",
        date(certificate.not_before),
        date(certificate.not_after),
        left(certificate.not_after, now)
    ));
    lines.push(format!("  {:<9} {}", "serial", certificate.serial));
    lines.push(key(&certificate.key_kind, certificate.fingerprint));
    lines.join("\n")
}

/// A request in lines, for people.
pub(crate) fn request(request: &Request) -> String {
    let mut lines = vec![format!("request for {}", request.name())];
    lines.push(match request.party() {
        Ok(name) => format!("  {:<9} {} of {}", "as", name.role(), name.agency()),
        Err(_) => format!("  {:<9} authority for all names under it", "as"),
    });
    lines.push(key(key_kind(request.key_kind()), request.fingerprint()));
    if !request.ignored().is_empty() {
        lines.push(format!("  {:<9} {}", "ignored", request.ignored().join("; ")));
    }
    lines.join("\n")
}

/// A list in lines, for people.
pub(crate) fn list(list: &RevocationList, now: SystemTime) -> String {
    let mut lines = vec![format!("revocation list {} of {}", list.number, list.issuer)];
    lines.push(format!(
        "  {:<9} {} … {} ({})",
        "counts",
        date(list.this_update),
        date(list.next_update),
        left(list.next_update, now)
    ));
    for revocation in &list.revoked {
        let (on, why) = (date(revocation.at), revocation.reason.as_str());
        lines.push(format!("  {:<9} {} on {on}, {why}", "revoked", revocation.serial));
    }
    if list.revoked.is_empty() {
        lines.push(format!("  {:<9} nobody", "revoked"));
    }
    lines.join("\n")
}

/// The day of a moment, in UTC.
pub(crate) fn date(at: SystemTime) -> String {
    Timestamp::of(at).to_string().chars().take(10).collect()
}

/// How long something counts, in words.
pub(crate) fn left(until: SystemTime, now: SystemTime) -> String {
    match days_left(until, now) {
        days @ ..0 => format!("ended {} days ago", -days - 1),
        0 => "ends within a day".to_owned(),
        1 => "1 day left".to_owned(),
        days => format!("{days} days left"),
    }
}

/// Whole days until then; -1 during the first day after it.
pub(crate) fn days_left(until: SystemTime, now: SystemTime) -> i64 {
    let days = |span: Duration| i64::try_from(span.as_secs() / SECONDS_PER_DAY).unwrap_or(i64::MAX);
    match until.duration_since(now) {
        Ok(ahead) => days(ahead),
        Err(over) => -1 - days(over.duration()),
    }
}

fn key(kind: &str, fingerprint: Fingerprint) -> String {
    format!("  {:<9} {kind}, sha256:{fingerprint}\n  {:<9} {}", "key", "words", fingerprint.words())
}

fn allowed(certificate: &Certificate) -> String {
    if certificate.is_authority {
        return match &certificate.permitted[..] {
            [] => "certify any name".to_owned(),
            subtrees => format!("certify names under {}", subtrees.join(", ")),
        };
    }
    match &certificate.usages[..] {
        [] => "be used for anything".to_owned(),
        usages => usages.iter().map(usage).collect::<Vec<_>>().join(" and "),
    }
}

fn usage(usage: &Usage) -> &'static str {
    match usage {
        Usage::ServerAuth => "accept links",
        Usage::ClientAuth => "open links",
    }
}

fn key_kind(kind: KeyKind) -> &'static str {
    match kind {
        KeyKind::P256 => "P-256",
        KeyKind::P384 => "P-384",
    }
}

const SECONDS_PER_DAY: u64 = 24 * 60 * 60;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn how_long_something_counts_is_told_in_whole_days() {
        let now = SystemTime::UNIX_EPOCH + Duration::from_secs(1_800_000_000);
        let day = Duration::from_secs(SECONDS_PER_DAY);
        let second = Duration::from_secs(1);
        assert_eq!(left(now + 2 * day, now), "2 days left");
        assert_eq!(left(now + 2 * day - second, now), "1 day left");
        assert_eq!(left(now + second, now), "ends within a day");
        assert_eq!(left(now - second, now), "ended 0 days ago");
        assert_eq!(left(now - day, now), "ended 1 days ago");
        assert_eq!((days_left(now, now), days_left(now - second, now)), (0, -1));
    }
}
