//! Looks at certificates: what stands in them, whether others would take them, when they end.

use std::path::Path;
use std::time::SystemTime;

use amop_p2p::{Notary, Revocations, Trust};
use amop_pki::{Certificate, RevocationList};
use amop_wire::Role;
use serde::Serialize;

use crate::clock::{self, Timestamp};
use crate::errors::kind;
use crate::exit::{Exit, Failure};
use crate::out::Out;

use super::args::{Expiry, Files, Verify};
use super::authority::{certificates, not_a};
use super::install::refused;
use super::place;
use super::show::{self, CertificateObject};

/// `amop cert inspect`.
pub(crate) fn inspect(args: &Files, out: &mut Out) -> Result<(), Failure> {
    let now = clock::wall();
    for file in &args.files {
        for certificate in certificates(file)? {
            match out.is_json() {
                true => out.json(&CertificateObject::of(&certificate, now))?,
                false => out.line(show::certificate(&certificate, now))?,
            }
        }
    }
    Ok(())
}

/// `amop cert verify`.
pub(crate) fn verify(args: &Verify, out: &mut Out) -> Result<(), Failure> {
    let (chain, root) = (place::read(&args.certificate)?, place::read(&args.ca)?);
    let trust =
        Trust::from_pem(root.as_bytes()).map_err(|error| not_a(&args.ca, "root", &error))?;
    let mut lists = Revocations::default();
    for file in &args.crls {
        let read = Revocations::from_pem(place::read(file)?.as_bytes());
        lists.add(read.map_err(|error| not_a(file, "revocation list", &error))?);
    }
    if args.accept_stale {
        lists = lists.accepting_stale();
    }
    let notary = Notary::new(&trust.with_revocations(lists));
    let judged = notary.certify_party(chain.as_bytes(), clock::wall());
    let name = judged.map_err(|error| refused(&error))?;
    if out.is_json() {
        return out.json(&VerifiedObject {
            kind_of_object: "verified",
            name: name.as_dns(),
            lists: args.crls.len(),
        });
    }
    let role = match name.role() {
        Role::Node => "node",
        Role::Sdk => "client",
    };
    out.line(format!("good: {} may link as a {role}", name.as_dns()))?;
    if args.crls.is_empty() {
        out.note("note: without --crl nobody knows whether it was revoked");
    }
    Ok(())
}

/// `amop cert expiry`.
pub(crate) fn expiry(args: &Expiry, out: &mut Out) -> Result<(), Failure> {
    let now = clock::wall();
    let mut ends = Vec::new();
    for file in &args.files {
        ends.extend(ends_in(file)?);
    }
    ends.sort_by_key(|end| end.at);
    for end in &ends {
        if out.is_json() {
            out.json(&ExpiryObject {
                kind_of_object: "expiry",
                what: &end.what,
                file: end.file,
                at: Timestamp::of(end.at).to_string(),
                days_left: show::days_left(end.at, now),
            })?;
        } else {
            let (date, left) = (show::date(end.at), show::left(end.at, now));
            out.line(format!("{date}  {left:<18}  {}  ({})", end.what, end.file.display()))?;
        }
    }
    let limit = args.within.map(i64::from);
    let due = |end: &&End<'_>| limit.is_some_and(|limit| show::days_left(end.at, now) < limit);
    match ends.iter().filter(due).count() {
        0 => Ok(()),
        count => {
            let sentence = format!("{count} of {} have ended or will soon", ends.len());
            Err(Failure::new(Exit::OTHER, kind!("ends-soon"), sentence)
                .next("`amop cert renew` for certificates, `amop cert crl make` for lists"))
        }
    }
}

/// Something that ends.
struct End<'a> {
    what: String,
    at: SystemTime,
    file: &'a Path,
}

fn ends_in(file: &Path) -> Result<Vec<End<'_>>, Failure> {
    let text = place::read(file)?;
    if let Ok(list) = RevocationList::from_pem(&text) {
        let what = format!("revocation list of {}", list.issuer);
        return Ok(vec![End { what, at: list.next_update, file }]);
    }
    let certificates = Certificate::all_from_pem(&text);
    let certificates =
        certificates.map_err(|error| not_a(file, "certificate or revocation list", &error))?;
    let end = |certificate: Certificate| {
        let name = certificate.names.first().unwrap_or(&certificate.subject);
        End { what: name.clone(), at: certificate.not_after, file }
    };
    Ok(certificates.into_iter().map(end).collect())
}

/// A good certificate, for programs.
#[derive(Serialize)]
struct VerifiedObject<'a> {
    #[serde(rename = "type")]
    kind_of_object: &'static str,
    name: &'a str,
    lists: usize,
}

/// When something ends, for programs.
#[derive(Serialize)]
struct ExpiryObject<'a> {
    #[serde(rename = "type")]
    kind_of_object: &'static str,
    what: &'a str,
    file: &'a Path,
    at: String,
    days_left: i64,
}
