//! `amop cert renew --daemon`: renews a certificate in good time, for as long as it runs.
//!
//! ```text
//!   waits ── it is time ──▶ requested ── the answer fits ──▶ installed
//!     ▲                      │      ▲                           │
//!     │                      └──────┘ it does not: refused      │
//!     └─────────────────────────────────────────────────────────┘
//! ```
//!
//! Signing needs the authority's hand, so all that it can do is ask in time, say so, and put the answer in place. What it
//! knows stands in the files: a key with `.new` waits for its answer. So it may be stopped and started at any
//! moment; an installation that a crash broke off is done again, since the waiting key goes last.

use std::path::PathBuf;
use std::time::{Duration, SystemTime};

use amop_pki::{Certificate, PrivateKey, Request};
use amop_wire::Name;
use serde::Serialize;
use tokio::time::sleep;

use crate::clock::{self, Timestamp};
use crate::errors::kind;
use crate::exit::{Exit, Failure};
use crate::files::NewFiles;
use crate::out::Out;
use crate::stop::Stop;

use super::args::{Install, Renew};
use super::authority::{certificates, not_issued, open_key};
use super::install::put_in_place;
use super::{make, place, show};

/// Runs until a signal asks it to end, or until it can do nothing more.
pub(crate) async fn run(args: &Renew, out: &mut Out, stop: &Stop) -> Result<(), Failure> {
    let mut renewal = Renewal::of(args)?;
    // It is interrupted only where it waits: never between two files.
    tokio::select! {
        ended = renewal.go_on(out) => ended,
        _ = stop.asked() => Ok(()),
    }
}

/// A certificate that is to be renewed for ever.
#[derive(Debug)]
struct Renewal {
    /// The one in use.
    certificate: PathBuf,
    /// The key of the next one.
    new_key: PathBuf,
    request: PathBuf,
    answer: PathBuf,
    ca: PathBuf,
    password_file: Option<PathBuf>,
    at_percent: Option<u32>,
    is_encrypted: bool,
    /// What stood in the answer when somebody last looked: it may be half written.
    seen: Option<String>,
    /// What was judged, so that nothing is refused twice.
    judged: Option<String>,
}

impl Renewal {
    fn of(args: &Renew) -> Result<Self, Failure> {
        make::party(&certificates(&args.certificate)?.remove(0), &args.certificate)?;
        let used_key = args.certificate.with_extension("key");
        let is_encrypted = PrivateKey::is_encrypted(&place::read_secret(&used_key)?);
        let password_file = args.encryption.password_file.clone();
        if (is_encrypted || args.encryption.encrypt) && password_file.is_none() {
            let sentence =
                format!("nobody can be asked for the password of {}", used_key.display());
            return Err(Failure::new(Exit::USAGE, kind!("no-terminal"), sentence)
                .next("give it with --password-file"));
        }
        let given = args.answer.clone();
        Ok(Self {
            new_key: place::with_suffix(&used_key, "new"),
            request: args.certificate.with_extension("csr"),
            answer: given.unwrap_or_else(|| place::with_suffix(&args.certificate, "new")),
            certificate: args.certificate.clone(),
            ca: args.ca.clone().unwrap_or_default(),
            is_encrypted: password_file.is_some(),
            password_file,
            at_percent: args.at,
            seen: None,
            judged: None,
        })
    }

    async fn go_on(&mut self, out: &mut Out) -> Result<(), Failure> {
        loop {
            self.wait_until_due(out).await?;
            let used = self.used()?;
            let name = make::party(&used, &self.certificate)?;
            let request = self.ask(&name)?;
            self.tell_requested(&name, &request, &used, out)?;
            self.wait_for_answer(&used, out).await?;
        }
    }

    fn used(&self) -> Result<Certificate, Failure> {
        Ok(certificates(&self.certificate)?.remove(0))
    }

    /// Waits until it is time. A key that waits for its answer says that it was.
    async fn wait_until_due(&self, out: &mut Out) -> Result<(), Failure> {
        let mut told = None;
        while !self.new_key.exists() {
            let used = self.used()?; // Somebody may have renewed it by hand.
            let due = make::due(&used, self.at_percent);
            if due <= clock::wall() {
                break;
            }
            if told != Some(due) {
                self.tell_waiting(&used, due, out)?;
                told = Some(due);
            }
            sleep(LOOK_EVERY).await;
        }
        Ok(())
    }

    /// Makes the new key, unless it waits already, and its request, which may be that of an earlier key.
    fn ask(&self, name: &Name) -> Result<Request, Failure> {
        if !self.new_key.exists() {
            let key = PrivateKey::for_leaf().map_err(|error| make::no_key(&error))?;
            let pem = match self.is_encrypted {
                true => make::encrypted(&key, self.password_file.as_deref(), &self.new_key)?,
                false => key.to_pem(),
            };
            let mut files = NewFiles::default();
            files.secret(self.new_key.clone(), pem);
            files.write()?;
        }
        let key = open_key(&self.new_key, self.password_file.as_deref())?;
        let request = Request::for_party(name, &key).map_err(|error| not_issued(&error))?;
        place::replace(&self.request, request.pem(), 0o644)?;
        Ok(request)
    }

    /// Waits until an answer is in place, whoever puts it there.
    async fn wait_for_answer(&mut self, used: &Certificate, out: &mut Out) -> Result<(), Failure> {
        while self.new_key.exists() {
            let before =
                std::mem::replace(&mut self.seen, std::fs::read_to_string(&self.answer).ok());
            // Twice the same is whole.
            if self.seen.is_some() && self.seen == before && self.seen != self.judged {
                self.judged.clone_from(&self.seen);
                self.install(used, out)?;
            } else {
                sleep(LOOK_EVERY).await;
            }
        }
        Ok(())
    }

    /// Puts the answer in place if it fits; else it says why not, and nothing has changed.
    fn install(&self, used: &Certificate, out: &mut Out) -> Result<(), Failure> {
        let args = Install {
            certificate: self.answer.clone(),
            key: self.new_key.clone(),
            ca: self.ca.clone(),
            into: Some(self.certificate.clone()),
            password_file: self.password_file.clone(),
        };
        let fits =
            certificates(&self.answer).and_then(|chain| match chain[0].names == used.names {
                true => put_in_place(&args, clock::wall()),
                false => {
                    let sentence = format!("it is for {}", chain[0].names.join(", "));
                    Err(Failure::new(Exit::DATA, kind!("other-name"), sentence))
                }
            });
        match fits {
            Ok((installed, _)) => {
                // It is in place under its own name, and no answer to the next request.
                let _ = std::fs::remove_file(&self.answer);
                self.tell_installed(&installed, out)
            }
            Err(failure) => self.tell_refused(&failure, used, out),
        }
    }

    fn tell_waiting(
        &self,
        used: &Certificate,
        due: SystemTime,
        out: &mut Out,
    ) -> Result<(), Failure> {
        let (from, ends) = (show::date(due), show::date(used.not_after));
        let line =
            format!("waits: {} ends {ends}, renewal from {from} on", self.certificate.display());
        self.tell(
            "waits",
            line,
            used.not_after,
            Details { from: Some(due), ..Details::default() },
            out,
        )
    }

    fn tell_requested(
        &self,
        name: &Name,
        request: &Request,
        used: &Certificate,
        out: &mut Out,
    ) -> Result<(), Failure> {
        let words = request.fingerprint().words().to_string();
        let line = format!(
            "requested: {} ends {}. Send {} to {}'s authority, which compares the words and types \
             `amop cert sign {}`; put what comes back at {}\n  {:<9} {words}",
            self.certificate.display(),
            show::date(used.not_after),
            self.request.display(),
            name.agency(),
            self.request.file_name().unwrap_or_default().display(),
            self.answer.display(),
            "words",
        );
        let details = Details {
            request: Some(self.request.display().to_string()),
            words: Some(words),
            answer: Some(self.answer.display().to_string()),
            ..Details::default()
        };
        self.tell("requested", line, used.not_after, details, out)
    }

    fn tell_refused(
        &self,
        failure: &Failure,
        used: &Certificate,
        out: &mut Out,
    ) -> Result<(), Failure> {
        let why = failure.in_one_line();
        let line = format!("refused: {}: {why}; nothing has changed", self.answer.display());
        self.tell(
            "refused",
            line,
            used.not_after,
            Details { why: Some(why), ..Details::default() },
            out,
        )
    }

    fn tell_installed(&self, installed: &Certificate, out: &mut Out) -> Result<(), Failure> {
        let ends = show::date(installed.not_after);
        let line = format!("installed: {} counts until {ends}", self.certificate.display());
        self.tell("installed", line, installed.not_after, Details::default(), out)
    }

    fn tell(
        &self,
        event: &'static str,
        line: String,
        ends: SystemTime,
        details: Details,
        out: &mut Out,
    ) -> Result<(), Failure> {
        if !out.is_json() {
            return out.line(line);
        }
        out.json(&EventObject {
            kind_of_object: "event",
            event,
            certificate: self.certificate.display().to_string(),
            ends: Timestamp::of(ends).to_string(),
            from: details.from.map(|from| Timestamp::of(from).to_string()),
            request: details.request,
            words: details.words,
            answer: details.answer,
            why: details.why,
        })
    }
}

/// What not every event has.
#[derive(Default)]
struct Details {
    from: Option<SystemTime>,
    request: Option<String>,
    words: Option<String>,
    answer: Option<String>,
    why: Option<String>,
}

/// What has happened, for programs; what does not apply is `null`.
#[derive(Serialize)]
struct EventObject {
    #[serde(rename = "type")]
    kind_of_object: &'static str,
    event: &'static str,
    certificate: String,
    ends: String,
    from: Option<String>,
    request: Option<String>,
    words: Option<String>,
    answer: Option<String>,
    why: Option<String>,
}

/// How often it looks at the files.
const LOOK_EVERY: Duration = Duration::from_secs(1);
