//! `amop key`: the keys that private topics are read with.
//!
//! A secret key is written to a file that its owner alone can read, and read from such a file only. It
//! appears nowhere else: not on the screen, in arguments or the environment.

mod args;

use std::fs;
use std::io::{Read, stdin};
use std::path::{Path, PathBuf};

use amop_sdk::{
    KeyFileError, PublicKey, SecretKey, SecretKeyError, generate_key, read_key_file,
    read_public_key, write_key_file,
};
use serde::Serialize;
use zeroize::Zeroizing;

pub(crate) use args::{HeldArgs, Key, SealArgs};

use crate::errors::kind;
use crate::exit::{Exit, Failure, chain};
use crate::files::NewFiles;
use crate::out::Out;
use crate::password;
use crate::text::hex;
use args::{Import, New, Public};

/// Runs one of the commands.
pub(crate) fn run(command: &Key, out: &mut Out) -> Result<(), Failure> {
    match command {
        Key::New(new) => write(&generate_key(), new, out),
        Key::Import(import) => write(&source(import)?, &import.new, out),
        Key::Public(Public { which, hex: in_hex }) => {
            let key = public(&which.key, which.password_file.as_deref())?;
            if out.is_json() {
                return out.json(&KeyObject::new(None, &key));
            }
            let text = if *in_hex { format!("{}\n", hex(key.as_bytes())) } else { key.to_pem() };
            out.bytes(text.as_bytes())
        }
        Key::Fingerprint(which) => {
            let key = public(&which.key, which.password_file.as_deref())?;
            match out.is_json() {
                true => out.json(&KeyObject::new(None, &key)),
                false => out.line(key.fingerprint()),
            }
        }
    }
}

/// The public keys that a message is to be sealed for.
pub(crate) fn receivers(args: &SealArgs) -> Result<Vec<PublicKey>, Failure> {
    args.to.iter().map(|key| read_public_key(key).map_err(|error| bad_key(&error))).collect()
}

/// The key that private topics are read with, if there is to be one.
pub(crate) fn held(args: &HeldArgs) -> Result<Option<SecretKey>, Failure> {
    let held = args.topic_key.as_deref();
    held.map(|path| secret(path, args.password_file.as_deref())).transpose()
}

/// Reads a secret key, with its password if it has one.
fn secret(path: &Path, password_file: Option<&Path>) -> Result<SecretKey, Failure> {
    let encrypted = match read_key_file(path, None) {
        Ok(key) => return Ok(key),
        Err(KeyFileError::NoKey { source: SecretKeyError::Encrypted, .. }) => path,
        Err(error) => return Err(bad_key(&error)),
    };
    let password = password::existing(password_file, encrypted)?;
    read_key_file(path, Some(password.as_bytes())).map_err(|error| bad_key(&error))
}

/// Reads the public half of a key: of a secret one, or as it is.
fn public(key: &str, password_file: Option<&Path>) -> Result<PublicKey, Failure> {
    match read_public_key(key) {
        Ok(key) => Ok(key),
        Err(error @ KeyFileError::Unreadable { .. }) => Err(bad_key(&error)),
        Err(error) if Path::new(key).exists() => {
            let is_secret = fs::read_to_string(key).is_ok_and(|pem| pem.contains("PRIVATE KEY"));
            match is_secret {
                true => Ok(secret(Path::new(key), password_file)?.public()),
                false => Err(bad_key(&error)),
            }
        }
        Err(error) => Err(bad_key(&error)),
    }
}

/// The key of another tool.
fn source(Import { source, source_password_file, .. }: &Import) -> Result<SecretKey, Failure> {
    if source.as_os_str() != "-" {
        return secret(source, source_password_file.as_deref());
    }
    let mut pem = Zeroizing::new(String::new());
    stdin().take(SOURCE_BYTES_MAX).read_to_string(&mut pem).map_err(|error| {
        Failure::new(Exit::IO, kind!("input"), "cannot read the key").because(&error)
    })?;
    let key = match SecretKey::from_pem(&pem) {
        Err(SecretKeyError::Encrypted) => {
            let file = source_password_file.as_deref();
            let password = password::existing(file, Path::new("the key on standard input"))?;
            SecretKey::from_encrypted_pem(&pem, password.as_bytes())
        }
        key => key,
    };
    key.map_err(|error| {
        Failure::new(Exit::DATA, kind!("bad-key"), "no topic key on standard input").because(&error)
    })
}

fn write(key: &SecretKey, new: &New, out: &mut Out) -> Result<(), Failure> {
    let public_path = public_path(&new.file);
    let password = match (&new.password_file, new.encrypt) {
        (None, false) => None,
        (file, _) => Some(password::new(file.as_deref(), &new.file)?),
    };
    // First what is least to be lost: no public half is left behind without its key.
    write_key_file(&new.file, key, password.as_ref().map(|password| password.as_bytes()))
        .map_err(|error| bad_key(&error))?;
    let mut files = NewFiles::default();
    files.public(public_path.clone(), &key.public().to_pem());
    if let Err(failure) = files.write() {
        let _ = fs::remove_file(&new.file); // The failure that led here is the one to tell.
        return Err(failure);
    }
    if out.is_json() {
        return out.json(&KeyObject::new(Some(&new.file), &key.public()));
    }
    out.note(format!("{}  keep it: who has it reads your topics", new.file.display()));
    out.note(format!("{}  give it to those who publish", public_path.display()));
    out.line(key.public().fingerprint())
}

fn public_path(file: &Path) -> PathBuf {
    let mut path = file.as_os_str().to_owned();
    path.push(".pub");
    path.into()
}

fn bad_key(error: &KeyFileError) -> Failure {
    let failure = |exit, kind| Failure::new(exit, kind, chain(error));
    match error {
        KeyFileError::Unreadable { .. } => failure(Exit::NO_INPUT, kind!("no-file")),
        KeyFileError::Unwritable { .. } => failure(Exit::CANNOT_CREATE, kind!("cannot-create")),
        KeyFileError::OthersCanRead { path, .. } => failure(Exit::CONFIG, kind!("key-exposed"))
            .next(format!(
                "`chmod 600 {}`; if others may have read it, make another",
                path.display()
            )),
        _ => failure(Exit::DATA, kind!("bad-key")),
    }
}

/// A key for programs.
#[derive(Serialize)]
struct KeyObject {
    #[serde(rename = "type")]
    kind_of_object: &'static str,
    file: Option<String>,
    public: String,
    fingerprint: String,
}

impl KeyObject {
    fn new(file: Option<&Path>, key: &PublicKey) -> Self {
        Self {
            kind_of_object: "key",
            file: file.map(|file| file.display().to_string()),
            public: hex(key.as_bytes()),
            fingerprint: key.fingerprint().to_string(),
        }
    }
}

/// Whatever is longer is no key.
const SOURCE_BYTES_MAX: u64 = 64 << 10;
