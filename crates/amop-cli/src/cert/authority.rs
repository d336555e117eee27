//! An authority as three files beside each other: certificate, key and revocation list.

use std::path::{Path, PathBuf};
use std::time::SystemTime;

use amop_pki::{
    Agency, Certificate, IssueError, KeyError, LoadError, PrivateKey, Revocation, RevocationList,
    Root,
};

use crate::errors::kind;
use crate::exit::{Exit, Failure};

use super::args::AuthorityArgs;
use super::place;
use crate::password;

/// The files of an authority whose key is open.
#[derive(Debug)]
pub(crate) struct Opened {
    pub(crate) authority: Authority,
    pub(crate) files: Files,
}

/// One of the two kinds of authority.
#[derive(Debug)]
pub(crate) enum Authority {
    Root(Root),
    Agency(Agency),
}

/// Where an authority's files are.
#[derive(Clone, Debug)]
pub(crate) struct Files {
    pub(crate) certificate: PathBuf,
    pub(crate) key: PathBuf,
    pub(crate) list: PathBuf,
}

impl Files {
    /// The files that begin with this; one of their endings is taken off.
    pub(crate) fn of(prefix: &Path) -> Self {
        let is_ending =
            |ending: &std::ffi::OsStr| ["crt", "key", "crl"].iter().any(|&e| ending == e);
        let prefix = match prefix.extension() {
            Some(ending) if is_ending(ending) => prefix.with_extension(""),
            Some(_) | None => prefix.to_owned(),
        };
        let file = |ending| place::with_suffix(&prefix, ending);
        Self { certificate: file("crt"), key: file("key"), list: file("crl") }
    }

    /// Reads the revocation list, checked to be of this authority.
    pub(crate) fn read_list(&self) -> Result<RevocationList, Failure> {
        let text = place::read(&self.list).map_err(|failure| {
            failure
                .next("take it from any node that goes by it, or see `amop cert crl make --first`")
        })?;
        RevocationList::from_pem(&text).map_err(|error| not_a(&self.list, "list", &error))
    }
}

impl Opened {
    /// Reads certificate and key, and asks for the password if the key has one.
    pub(crate) fn open(args: &AuthorityArgs) -> Result<Self, Failure> {
        let files = Files::of(&args.authority);
        let certificate = place::read(&files.certificate)?;
        let key = open_key(&files.key, args.password_file.as_deref())?;
        let unusable = |error: LoadError| {
            let (certificate, key) = (files.certificate.display(), files.key.display());
            let sentence = format!("{certificate} and {key} cannot sign");
            Failure::new(Exit::DATA, kind!("bad-authority"), sentence).because(&error)
        };
        let authority = match Root::with_key(&certificate, &key) {
            Ok(root) => Authority::Root(root),
            Err(LoadError::NotARoot) => {
                Authority::Agency(Agency::with_key(&certificate, &key).map_err(unusable)?)
            }
            Err(error) => return Err(unusable(error)),
        };
        Ok(Self { authority, files })
    }

    /// Makes the next list and puts it in the place of the one before.
    pub(crate) fn write_list(
        &self,
        previous: Option<&RevocationList>,
        revoke: &[Revocation],
        days: u64,
        now: SystemTime,
    ) -> Result<RevocationList, Failure> {
        let made = match &self.authority {
            Authority::Root(root) => root.revocation_list(previous, revoke, days, now),
            Authority::Agency(agency) => agency.revocation_list(previous, revoke, days, now),
        };
        let list = made.map_err(|error| not_issued(&error))?;
        place::replace(&self.files.list, &list.to_pem(), 0o644)?;
        Ok(list)
    }

    /// The certificate of the authority.
    pub(crate) fn certificate(&self) -> Result<Certificate, Failure> {
        let pem = match &self.authority {
            Authority::Root(root) => root.certificate_pem(),
            Authority::Agency(agency) => agency.certificate_pem(),
        };
        let mut all = Certificate::all_from_pem(pem)
            .map_err(|error| not_a(&self.files.certificate, "certificate", &error))?;
        Ok(all.remove(0))
    }
}

/// Reads a private key, and asks for its password if it has one.
pub(crate) fn open_key(path: &Path, file: Option<&Path>) -> Result<PrivateKey, Failure> {
    let pem = place::read_secret(path)?;
    let password = match PrivateKey::is_encrypted(&pem) {
        true => Some(password::existing(file, path)?),
        false => None,
    };
    let bytes = password.as_ref().map(|password| password.as_bytes());
    PrivateKey::from_pem(&pem, bytes).map_err(|error| {
        let sentence = format!("{} cannot be opened", path.display());
        let (exit, kind) = match error {
            KeyError::WrongPassword => (Exit::NOT_PERMITTED, kind!("wrong-password")),
            _ => (Exit::DATA, kind!("bad-key")),
        };
        Failure::new(exit, kind, sentence).because(&error)
    })
}

/// Reads all certificates of a file.
pub(crate) fn certificates(path: &Path) -> Result<Vec<Certificate>, Failure> {
    Certificate::all_from_pem(&place::read(path)?)
        .map_err(|error| not_a(path, "certificate", &error))
}

/// A file that holds something else.
pub(crate) fn not_a(path: &Path, what: &str, error: &dyn std::error::Error) -> Failure {
    let sentence = format!("{} holds no usable {what}", path.display());
    Failure::new(Exit::DATA, kind!("other-content"), sentence).because(error)
}

/// What an authority refused to sign.
pub(crate) fn not_issued(error: &IssueError) -> Failure {
    let failure =
        Failure::new(Exit::NOT_PERMITTED, kind!("not-signed"), "nothing was signed").because(error);
    match error {
        IssueError::ForeignName { .. } => {
            failure.next("send the request back, or to the agency whose name it is")
        }
        IssueError::OtherRequest { .. } => {
            failure.next("ask who has sent the request before you sign another name")
        }
        IssueError::IssuerNotValid { .. } => failure.next("renew the authority's own certificate"),
        IssueError::ForeignList => failure.next("put the list of this authority in its place"),
        _ => failure,
    }
}
