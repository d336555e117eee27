//! Shows requests, and signs them if whoever holds the authority agrees.

use std::io::{self, BufRead, IsTerminal};
use std::path::Path;

use amop_pki::{Certificate, Request};

use crate::clock;
use crate::errors::kind;
use crate::exit::{Exit, Failure};
use crate::files::NewFiles;
use crate::out::Out;

use super::args::{AGENCY_DAYS, LEAF_DAYS, OneFile, Sign};
use super::authority::{Authority, Opened, not_a, not_issued};
use super::place;
use super::show::{self, CertificateObject, RequestObject};

/// `amop cert show-request`.
pub(crate) fn show_request(args: &OneFile, out: &mut Out) -> Result<(), Failure> {
    let request = read(&args.file)?;
    if out.is_json() {
        return out.json(&RequestObject::of(&request));
    }
    out.line(show::request(&request))?;
    out.note("next: call whoever made the key, and let them read you the words");
    Ok(())
}

/// `amop cert sign`.
pub(crate) fn sign(args: &Sign, out: &mut Out) -> Result<(), Failure> {
    let request = read(&args.request)?;
    out.note(show::request(&request));
    agree(args.yes, "Were the words compared, and shall it be signed?")?;
    let opened = Opened::open(&args.authority)?;
    let now = clock::wall();
    let signed = match (&opened.authority, &args.agency) {
        (Authority::Agency(agency), None) => {
            agency.certify(&request, args.days.unwrap_or(LEAF_DAYS), now)
        }
        (Authority::Root(root), Some(agency)) => {
            root.certify(&request, agency, args.days.unwrap_or(AGENCY_DAYS), now)
        }
        (Authority::Root(_), None) => {
            let sentence = "a root signs for agencies only";
            return Err(Failure::new(Exit::USAGE, kind!("no-agency"), sentence)
                .next("say which with --agency, or sign with the agency's --authority"));
        }
        (Authority::Agency(agency), Some(_)) => {
            let sentence = format!("the authority of {} cannot make another one", agency.agency());
            return Err(Failure::new(Exit::USAGE, kind!("no-root"), sentence)
                .next("leave --agency out for a node or client, or use the root's --authority"));
        }
    };
    let chain = signed.map_err(|error| not_issued(&error))?;
    let file = args.out.clone().unwrap_or_else(|| args.request.with_extension("crt"));
    let mut files = NewFiles::default();
    files.public(file.clone(), &chain);
    files.write()?;
    let made = Certificate::all_from_pem(&chain).expect("it was just made").remove(0);
    if out.is_json() {
        return out.json(&CertificateObject::of(&made, now));
    }
    out.line(show::certificate(&made, now))?;
    out.line(format!("  {:<9} {}", "wrote", file.display()))?;
    out.note(format!("next: send {} back; it is no secret", file.display()));
    Ok(())
}

/// Asks, unless the answer is given already.
pub(crate) fn agree(yes: bool, question: &str) -> Result<(), Failure> {
    if yes {
        return Ok(());
    }
    if !io::stdin().is_terminal() {
        let sentence = "nobody is there to be asked";
        return Err(Failure::new(Exit::USAGE, kind!("no-terminal"), sentence)
            .next("give --yes if you are sure"));
    }
    eprint!("{question} [y/N] ");
    let mut answer = String::new();
    // Whoever closes the input has not agreed.
    let _ = io::stdin().lock().read_line(&mut answer);
    match answer.trim() {
        "y" | "Y" | "yes" => Ok(()),
        _ => Err(Failure::new(Exit::OTHER, kind!("not-agreed"), "nothing was done")),
    }
}

fn read(path: &Path) -> Result<Request, Failure> {
    let text = place::read(path)?;
    Request::from_pem(&text).map_err(|error| {
        not_a(path, "request", &error).next("have it made anew with `amop cert request`")
    })
}
