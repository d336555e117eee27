//! Puts a signed certificate in place, if certificate, key, chain and root fit together.
//!
//! Both are written before the first is put in place; then the key goes first, the certificate last. If the machine
//! stops between the two, a node that starts then refuses the pair, and both old files are beside them.

use std::path::{Path, PathBuf};
use std::time::SystemTime;

use amop_p2p::{Notary, Trust};
use amop_pki::Certificate;

use crate::clock;
use crate::errors::kind;
use crate::exit::{Exit, Failure};
use crate::out::Out;

use super::args::Install;
use super::authority::{certificates, not_a, open_key};
use super::place;
use super::show::{self, CertificateObject};

/// `amop cert install`.
pub(crate) fn install(args: &Install, out: &mut Out) -> Result<(), Failure> {
    let now = clock::wall();
    let (certificate, target) = put_in_place(args, now)?;
    if out.is_json() {
        return out.json(&CertificateObject::of(&certificate, now));
    }
    out.line(show::certificate(&certificate, now))?;
    out.line(format!("  {:<9} {}", "in place", target.display()))?;
    out.note(match certificate.is_authority {
        true => "next: make the first revocation list with `amop cert crl make --first`",
        false => {
            "next: a node that runs takes it within 2 s; a client when it connects the next time"
        }
    });
    Ok(())
}

/// Does so; answers the certificate, and where it is now.
pub(crate) fn put_in_place(
    args: &Install,
    now: SystemTime,
) -> Result<(Certificate, PathBuf), Failure> {
    let chain_pem = place::read(&args.certificate)?;
    let certificate = certificates(&args.certificate)?.remove(0);
    let key_pem = place::read_secret(&args.key)?;
    let key = open_key(&args.key, args.password_file.as_deref())?;
    if key.public_key_der() != certificate.public_key_der() {
        let (certificate, key) = (args.certificate.display(), args.key.display());
        let sentence = format!("{certificate} was not made for {key}");
        return Err(Failure::new(Exit::DATA, kind!("other-key"), sentence)
            .next("look for the key that was made with the request that was sent"));
    }
    match certificate.is_authority {
        true => check_agency(&certificate, &args.ca, now)?,
        false => check_party(&chain_pem, &args.ca, now)?,
    }
    let target = Target::of(args);
    let key: (&Path, &str, u32) = (&target.key, &key_pem, 0o600);
    let chain: (&Path, &str, u32) = (&target.certificate, &chain_pem, 0o644);
    if target.key == args.key {
        place::replace_all(&[chain])?;
    } else {
        place::replace_all(&[key, chain])?;
        // It is in place under its own name; a second copy of a key is one too many.
        let _ = std::fs::remove_file(&args.key);
    }
    Ok((certificate, target.certificate))
}

/// Where certificate and key will be.
struct Target {
    certificate: PathBuf,
    key: PathBuf,
}

impl Target {
    fn of(args: &Install) -> Self {
        let key = match args.key.extension() {
            Some(ending) if ending == "new" => args.key.with_extension(""),
            Some(_) | None => args.key.clone(),
        };
        let beside = || key.with_extension("crt");
        let certificate = args.into.clone().unwrap_or_else(beside);
        Self { certificate, key }
    }
}

/// A node or client: as whoever links with it will judge it.
fn check_party(chain_pem: &str, ca: &Path, now: SystemTime) -> Result<(), Failure> {
    let root = place::read(ca)?;
    let trust = Trust::from_pem(root.as_bytes()).map_err(|error| not_a(ca, "root", &error))?;
    let judged = Notary::new(&trust).certify_party(chain_pem.as_bytes(), now);
    judged.map(drop).map_err(|error| refused(&error))
}

/// An agency's authority: signed by the root, in force, and limited to one subtree.
fn check_agency(certificate: &Certificate, ca: &Path, now: SystemTime) -> Result<(), Failure> {
    let roots = certificates(ca)?;
    let problem = if !roots.iter().any(|root| certificate.is_signed_by(root)) {
        Some(format!("it is not signed by {}", ca.display()))
    } else if certificate.permitted.len() != 1 {
        Some("it is not limited to the names of one agency".to_owned())
    } else if now < certificate.not_before || certificate.not_after < now {
        Some(format!("it does not count now: {}", show::left(certificate.not_after, now)))
    } else {
        None
    };
    match problem {
        None => Ok(()),
        Some(problem) => {
            let sentence = format!("certificate of {} refused: {problem}", certificate.subject);
            Err(Failure::new(Exit::NOT_PERMITTED, kind!("refused"), sentence)
                .next("send the request again, and have it signed by the consortium's root"))
        }
    }
}

/// A certificate that others would refuse.
pub(crate) fn refused(error: &dyn std::error::Error) -> Failure {
    Failure::new(Exit::NOT_PERMITTED, kind!("refused"), error.to_string())
        .next("nodes will refuse it too; docs/OPERATIONS.md says what each sentence means")
}
