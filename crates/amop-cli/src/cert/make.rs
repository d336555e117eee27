//! Makes keys, and what goes with them: a root, or a request for somebody else to sign.

use std::path::Path;
use std::time::SystemTime;

use amop_pki::{Certificate, IssueError, KeyError, PrivateKey, Request, Root};
use amop_wire::{Name, Role};
use serde::Serialize;
use zeroize::Zeroizing;

use crate::clock;
use crate::errors::kind;
use crate::exit::{Exit, Failure};
use crate::files::NewFiles;
use crate::out::Out;

use super::args::{
    Encryption, InitAgency, InitRoot, LIST_DAYS, Renew, Request as RequestArgs, Secrecy,
};
use super::authority::{certificates, not_issued};
use super::place;
use super::show::{self, CertificateObject, RequestObject};
use crate::password;

/// `amop cert init-root`.
pub(crate) fn root(args: &InitRoot, out: &mut Out) -> Result<(), Failure> {
    let now = clock::wall();
    let root = Root::new(&args.title, &args.domain, now).map_err(|error| bad_name(&error))?;
    let list =
        root.revocation_list(None, &[], LIST_DAYS, now).map_err(|error| not_issued(&error))?;
    let key = root.private_key();
    let key_file = place::within(&args.dir, "root.key");
    let mut files = NewFiles::default();
    files.public(place::within(&args.dir, "root.crt"), root.certificate_pem());
    files.secret(key_file.clone(), written(&key, &args.secrecy, &key_file)?);
    files.public(place::within(&args.dir, "root.crl"), &list.to_pem());
    files.write()?;
    let made = Certificate::all_from_pem(root.certificate_pem());
    let made = made.expect("it was just made").remove(0);
    if out.is_json() {
        return out.json(&CertificateObject::of(&made, now));
    }
    out.line(show::certificate(&made, now))?;
    tell(&files, out)?;
    warn_of_unencrypted(&args.secrecy, &key_file, out);
    out.note(
        "next: keep root.key off every network. Give root.crt to all members, and root.crl anew before it\n      \
         ends: `amop cert crl make --authority root`",
    );
    Ok(())
}

/// `amop cert init-agency`.
pub(crate) fn agency(args: &InitAgency, out: &mut Out) -> Result<(), Failure> {
    let key = PrivateKey::for_authority().map_err(|error| no_key(&error))?;
    let request =
        Request::for_agency(&args.agency, &args.domain, &key).map_err(|error| bad_name(&error))?;
    let file = |ending: &str| place::within(&args.dir, &format!("{}-ca.{ending}", args.agency));
    let mut files = NewFiles::default();
    files.secret(file("key"), written(&key, &args.secrecy, &file("key"))?);
    files.public(file("csr"), request.pem());
    files.write()?;
    tell_request(&request, &files, out)?;
    warn_of_unencrypted(&args.secrecy, &file("key"), out);
    out.note(format!(
        "next: send {} to the consortium's admin and compare the words on the phone; then\n      \
         `amop cert install SIGNED --key {} --ca root.crt`",
        file("csr").display(),
        file("key").display()
    ));
    Ok(())
}

/// `amop cert request`.
pub(crate) fn request(args: &RequestArgs, out: &mut Out) -> Result<(), Failure> {
    let name: Name = args.name.parse().map_err(|error| {
        Failure::new(
            Exit::USAGE,
            kind!("bad-name"),
            format!("{:?} is no name of a party", args.name),
        )
        .because(&error)
        .next("write it as n1.node.bank-a.amop for a node, payments.sdk.bank-a.amop for a client")
    })?;
    let stem = match name.role() {
        Role::Node => "node",
        Role::Sdk => "sdk",
    };
    let file = |ending: &str| place::within(&args.dir, &format!("{stem}.{ending}"));
    make_request(&name, (&file("key"), &args.encryption), &file("csr"), out)
}

/// `amop cert renew`.
pub(crate) fn renew(args: &Renew, out: &mut Out) -> Result<(), Failure> {
    let now = clock::wall();
    let used = certificates(&args.certificate)?.remove(0);
    let is_due = due(&used, args.at) <= now;
    if args.check {
        if out.is_json() {
            return out.json(&RenewalObject {
                kind_of_object: "renewal",
                due: is_due,
                days_left: show::days_left(used.not_after, now),
            });
        }
        let word = if is_due { "due" } else { "not due" };
        return out.line(format!("{word}: {}", show::left(used.not_after, now)));
    }
    let name = party(&used, &args.certificate)?;
    let used_key = args.certificate.with_extension("key");
    let key = place::with_suffix(&used_key, "new");
    let mut encryption = args.encryption.clone();
    // What was a secret behind a password stays one.
    encryption.encrypt |= place::read(&used_key).is_ok_and(|pem| PrivateKey::is_encrypted(&pem));
    make_request(&name, (&key, &encryption), &args.certificate.with_extension("csr"), out)
}

/// When it is time to renew: after two thirds of its life, or after so many percent.
pub(crate) fn due(used: &Certificate, percent: Option<u32>) -> SystemTime {
    let life = used.not_after.duration_since(used.not_before).unwrap_or_default();
    used.not_before + percent.map_or(life / 3 * 2, |percent| life / 100 * percent)
}

/// The name of the node or client that a certificate is for.
pub(crate) fn party(used: &Certificate, file: &Path) -> Result<Name, Failure> {
    let name = match &used.names[..] {
        [name] => name.parse::<Name>().ok(),
        _ => None,
    };
    name.ok_or_else(|| {
        let sentence = format!("{} is not of a node or client", file.display());
        Failure::new(Exit::DATA, kind!("no-party"), sentence).next(
            "an agency's authority is renewed with `amop cert init-agency` in a new directory",
        )
    })
}

fn make_request(
    name: &Name,
    (key_file, encryption): (&Path, &Encryption),
    csr: &Path,
    out: &mut Out,
) -> Result<(), Failure> {
    let key = PrivateKey::for_leaf().map_err(|error| no_key(&error))?;
    let request = Request::for_party(name, &key).map_err(|error| not_issued(&error))?;
    let mut files = NewFiles::default();
    let password_file = encryption.password_file.as_deref();
    files.secret(
        key_file.to_owned(),
        match encryption.encrypt || password_file.is_some() {
            true => encrypted(&key, password_file, key_file)?,
            false => key.to_pem(),
        },
    );
    let is_renewal = key_file.extension().is_some_and(|ending| ending == "new");
    if !is_renewal {
        files.public(csr.to_owned(), request.pem());
    }
    files.write()?;
    if is_renewal {
        // The request of an earlier certificate has done its work.
        place::replace(csr, request.pem(), 0o644)?;
    }
    tell_request(&request, &files, out)?;
    if is_renewal && !out.is_json() {
        out.line(format!("  {:<9} {}", "wrote", csr.display()))?;
    }
    out.note(format!(
        "next: send {} to {}'s authority and compare the words on the phone; then\n      \
         `amop cert install SIGNED --key {} --ca root.crt`",
        csr.display(),
        name.agency(),
        key_file.display()
    ));
    Ok(())
}

/// The key as it is to be written.
fn written(key: &PrivateKey, secrecy: &Secrecy, file: &Path) -> Result<Zeroizing<String>, Failure> {
    if secrecy.unencrypted {
        return Ok(key.to_pem());
    }
    encrypted(key, secrecy.password_file.as_deref(), file)
}

pub(crate) fn encrypted(
    key: &PrivateKey,
    password_file: Option<&Path>,
    file: &Path,
) -> Result<Zeroizing<String>, Failure> {
    let password = password::new(password_file, file)?;
    key.to_encrypted_pem(password.as_bytes()).map_err(|error| no_key(&error))
}

fn tell_request(request: &Request, files: &NewFiles, out: &mut Out) -> Result<(), Failure> {
    if out.is_json() {
        return out.json(&RequestObject::of(request));
    }
    out.line(show::request(request))?;
    tell(files, out)
}

fn tell(files: &NewFiles, out: &mut Out) -> Result<(), Failure> {
    for path in files.paths() {
        out.line(format!("  {:<9} {}", "wrote", path.display()))?;
    }
    Ok(())
}

fn warn_of_unencrypted(secrecy: &Secrecy, key: &Path, out: &Out) {
    if secrecy.unencrypted {
        out.note(format!(
            "warning: {} is not encrypted. Whoever reads it can admit anyone it may certify.",
            key.display()
        ));
    }
}

fn bad_name(error: &IssueError) -> Failure {
    Failure::new(Exit::USAGE, kind!("bad-name"), "that makes no name for a certificate")
        .because(error)
        .next("use lower-case letters, digits and `-`, as in bank-a")
}

pub(crate) fn no_key(error: &KeyError) -> Failure {
    Failure::new(Exit::IO, kind!("no-key"), "no key was made").because(error)
}

/// Whether it is time to renew, for programs.
#[derive(Serialize)]
struct RenewalObject {
    #[serde(rename = "type")]
    kind_of_object: &'static str,
    due: bool,
    days_left: i64,
}
