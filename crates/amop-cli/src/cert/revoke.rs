//! Revokes certificates, and makes and shows the lists that say so.

use amop_pki::{Certificate, Revocation, RevocationList, Serial};

use crate::clock;
use crate::errors::kind;
use crate::exit::{Exit, Failure};
use crate::out::Out;

use super::args::{CrlCheck, CrlMake, OneFile, Revoke};
use super::authority::{Files, Opened, certificates, not_a};
use super::show::{self, ListObject};
use super::{place, sign};

/// `amop cert revoke`.
pub(crate) fn revoke(args: &Revoke, out: &mut Out) -> Result<(), Failure> {
    let now = clock::wall();
    let previous = Files::of(&args.authority.authority).read_list()?;
    let mut serials = args.serials.clone();
    let mut certified = Vec::new();
    for file in &args.files {
        let certificate = certificates(file)?.remove(0);
        out.note(show::certificate(&certificate, now));
        serials.push(certificate.serial.clone());
        certified.push(certificate);
    }
    if let Some(known) = serials.iter().find(|serial| previous.find(serial).is_some()) {
        out.note(format!("note: {known} is revoked already, and stays so since then"));
    }
    sign::agree(args.yes, "Shall it be revoked for ever?")?;
    let opened = Opened::open(&args.authority)?;
    let issuer = opened.certificate()?;
    if let Some(foreign) = certified.iter().find(|certificate| !certificate.is_signed_by(&issuer)) {
        let sentence = format!(
            "{} was not signed by {}, which cannot revoke it",
            foreign.names.first().unwrap_or(&foreign.subject),
            issuer.subject
        );
        return Err(Failure::new(Exit::DATA, kind!("foreign-certificate"), sentence)
            .next(format!("it is for {} to revoke it", foreign.issuer)));
    }
    let revocation = |serial: Serial| Revocation { serial, at: now, reason: args.reason };
    let revocations: Vec<_> = serials.into_iter().map(revocation).collect();
    let list = opened.write_list(Some(&previous), &revocations, args.days, now)?;
    tell(&list, &opened.files, out)
}

/// `amop cert crl make`.
pub(crate) fn make(args: &CrlMake, out: &mut Out) -> Result<(), Failure> {
    let files = Files::of(&args.authority.authority);
    let previous = match (args.first, files.list.exists()) {
        (true, true) => {
            let sentence = format!("{} is there already", files.list.display());
            return Err(Failure::new(Exit::CANNOT_CREATE, kind!("exists"), sentence)
                .next("leave --first out; an empty list would let in whoever it names"));
        }
        (true, false) => None,
        (false, _) => Some(files.read_list()?),
    };
    let opened = Opened::open(&args.authority)?;
    let list = opened.write_list(previous.as_ref(), &[], args.days, clock::wall())?;
    tell(&list, &opened.files, out)
}

/// `amop cert crl show`.
pub(crate) fn show(args: &OneFile, out: &mut Out) -> Result<(), Failure> {
    let list = read(args)?;
    let now = clock::wall();
    match out.is_json() {
        true => out.json(&ListObject::of(&list, now)),
        false => out.line(show::list(&list, now)),
    }
}

/// `amop cert crl check`.
pub(crate) fn check(args: &CrlCheck, out: &mut Out) -> Result<(), Failure> {
    let now = clock::wall();
    let list = read(&OneFile { file: args.file.clone() })?;
    let issuers: Vec<Certificate> = certificates(&args.issuer)?;
    if !issuers.iter().any(|issuer| list.is_signed_by(issuer)) {
        let (file, issuer) = (args.file.display(), args.issuer.display());
        let sentence = format!("{file} is not signed by the authority of {issuer}");
        return Err(Failure::new(Exit::NOT_PERMITTED, kind!("forged"), sentence)
            .next("do not hand it to a node: ask where it comes from"));
    }
    if list.next_update < now {
        let sentence =
            format!("{} has ended: {}", args.file.display(), show::left(list.next_update, now));
        return Err(Failure::new(Exit::NOT_PERMITTED, kind!("stale"), sentence)
            .next("nodes refuse whom its authority has certified until there is a newer one"));
    }
    match out.is_json() {
        true => out.json(&ListObject::of(&list, now)),
        false => out.line(format!(
            "good: list {} of {}, {}, {} revoked",
            list.number,
            list.issuer,
            show::left(list.next_update, now),
            list.revoked.len()
        )),
    }
}

fn read(args: &OneFile) -> Result<RevocationList, Failure> {
    let text = place::read(&args.file)?;
    RevocationList::from_pem(&text).map_err(|error| not_a(&args.file, "revocation list", &error))
}

fn tell(list: &RevocationList, files: &Files, out: &mut Out) -> Result<(), Failure> {
    let now = clock::wall();
    if out.is_json() {
        return out.json(&ListObject::of(list, now));
    }
    out.line(show::list(list, now))?;
    out.line(format!("  {:<9} {}", "wrote", files.list.display()))?;
    out.note(format!(
        "next: give {} to every node of the consortium (`tls.crl`)",
        files.list.display()
    ));
    Ok(())
}
