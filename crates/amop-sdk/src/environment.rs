//! Finds out from the environment who the client is and where it connects.
//!
//! A *context* is a small file with endpoints and the paths of three PEM files, known by a name.
//! Without one, each of the three paths has a variable and a default. Either may also name a file with
//! lists of revoked certificates. An empty variable counts as
//! one that is not set.

use std::ffi::OsString;
use std::fmt;
use std::path::{Path, PathBuf};

use amop_p2p::{Identity, Password, Revocations, Trust};
use serde::Deserialize;
use zeroize::Zeroizing;

use crate::env_error::EnvError;

/// What the environment of a process says about a client: see [`ClientBuilder::from_env`](crate::ClientBuilder::from_env).
pub struct Environment {
    variable: Box<Lookup>,
}

type Lookup = dyn Fn(&str) -> Option<OsString>;

/// Where the files of a client are, and perhaps its endpoints: a context file.
#[derive(Debug, Deserialize)]
struct Context {
    #[serde(default)]
    endpoints: Vec<String>,
    ca: PathBuf,
    cert: PathBuf,
    key: PathBuf,
    key_password_file: Option<PathBuf>,
    crl: Option<PathBuf>,
}

impl fmt::Debug for Environment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Environment").finish_non_exhaustive()
    }
}

impl Environment {
    /// The variables of this process. Files are read when they are asked for.
    #[must_use]
    pub fn of_process() -> Self {
        Self { variable: Box::new(|name| std::env::var_os(name)) }
    }

    /// The endpoints, none if nothing names any.
    ///
    /// # Errors
    ///
    /// [`EnvError`] if the context that is named cannot be used.
    pub fn endpoints(&self) -> Result<Vec<String>, EnvError> {
        if let Some(list) = self.get("AMOP_ENDPOINT") {
            let list = list.to_string_lossy();
            let parts = list.split(',').map(str::trim).filter(|part| !part.is_empty());
            return Ok(parts.map(str::to_owned).collect());
        }
        Ok(self.context()?.map_or_else(Vec::new, |context| context.endpoints))
    }

    /// Who the client is.
    ///
    /// # Errors
    ///
    /// [`EnvError`] names the file that is missing or holds something else, and what names it.
    pub fn identity(&self) -> Result<Identity, EnvError> {
        let files = self.files()?;
        let (cert, key) = (files.cert.read()?, Zeroizing::new(files.key.read()?));
        let password = files.key_password.as_deref().map(Password::from_file);
        let password = password.transpose().map_err(EnvError::BadPassword)?;
        Identity::from_pem_with(&cert, &key, password.as_ref()).map_err(|source| {
            EnvError::BadIdentity { cert: files.cert.path, key: files.key.path, source }
        })
    }

    /// Whom the client trusts, and by which revocation lists.
    ///
    /// # Errors
    ///
    /// [`EnvError`] names the file that is missing or holds something else, and what names it.
    pub fn trust(&self) -> Result<Trust, EnvError> {
        let Files { ca, crl, .. } = self.files()?;
        let pem = ca.read()?;
        let trust =
            Trust::from_pem(&pem).map_err(|source| EnvError::BadTrust { path: ca.path, source })?;
        let Some(crl) = crl else { return Ok(trust) };
        let lists = Revocations::from_pem(&crl.read()?)
            .map_err(|source| EnvError::BadRevocations { path: crl.path, source })?;
        Ok(trust.with_revocations(lists))
    }

    fn files(&self) -> Result<Files, EnvError> {
        if let Some(Context { ca, cert, key, key_password_file, crl, .. }) = self.context()? {
            let hint = |key| format!("`{key}` in the context that AMOP_CONTEXT names says so");
            return Ok(Files {
                ca: File { path: ca, hint: hint("ca") },
                cert: File { path: cert, hint: hint("cert") },
                key: File { path: key, hint: hint("key") },
                key_password: key_password_file,
                crl: crl.map(|path| File { path, hint: hint("crl") }),
            });
        }
        Ok(Files {
            ca: self.file("AMOP_CA", "ca.crt"),
            cert: self.file("AMOP_CERT", "sdk.crt"),
            key: self.file("AMOP_KEY", "sdk.key"),
            // Without the variable the key is not encrypted.
            key_password: self.get("AMOP_KEY_PASSWORD_FILE").map(PathBuf::from),
            // Without the variable there is no list: nobody is revoked.
            crl: self.get("AMOP_CRL").map(|path| File {
                path: path.into(),
                hint: "set AMOP_CRL to its path, or unset it".to_owned(),
            }),
        })
    }

    fn file(&self, variable: &str, default: &str) -> File {
        let path = self.get(variable).map_or_else(|| Path::new(".").join(default), PathBuf::from);
        let hint = format!("set {variable} to its path, or AMOP_CONTEXT to a context");
        File { path, hint }
    }

    /// The selected context, with paths that do not depend on its file any more.
    fn context(&self) -> Result<Option<Context>, EnvError> {
        let Some(name) = self.get("AMOP_CONTEXT") else { return Ok(None) };
        let name = name.to_string_lossy().into_owned();
        if name.starts_with('.') || name.contains(['/', '\\', '\0']) {
            return Err(EnvError::BadContextName { name });
        }
        let config = match (self.get("XDG_CONFIG_HOME"), self.get("HOME")) {
            (Some(config), _) => PathBuf::from(config),
            (None, Some(home)) => Path::new(&home).join(".config"),
            (None, None) => return Err(EnvError::NoHome { name }),
        };
        let folder = config.join("amop").join("contexts");
        let path = folder.join(format!("{name}.toml"));
        let text = std::fs::read_to_string(&path)
            .map_err(|source| EnvError::NoContext { path: path.clone(), source })?;
        let context: Context = toml::from_str(&text)
            .map_err(|source| EnvError::BadContext { path, source: source.into() })?;
        Ok(Some(Context {
            endpoints: context.endpoints,
            ca: folder.join(context.ca),
            cert: folder.join(context.cert),
            key: folder.join(context.key),
            key_password_file: context.key_password_file.map(|file| folder.join(file)),
            crl: context.crl.map(|crl| folder.join(crl)),
        }))
    }

    fn get(&self, name: &str) -> Option<OsString> {
        (self.variable)(name).filter(|value| !value.is_empty())
    }
}

struct Files {
    ca: File,
    cert: File,
    key: File,
    /// Where the password of the key is, if it has one.
    key_password: Option<PathBuf>,
    crl: Option<File>,
}

struct File {
    path: PathBuf,
    hint: String,
}

impl File {
    fn read(&self) -> Result<Vec<u8>, EnvError> {
        std::fs::read(&self.path).map_err(|source| EnvError::Unreadable {
            path: self.path.clone(),
            hint: self.hint.clone(),
            source,
        })
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;
    use std::error::Error;
    use std::fs;
    use std::time::{Duration, SystemTime};

    use amop_p2p::IdentityError;
    use amop_pki::{AgencyPlan, Consortium};
    use tempfile::TempDir;

    use super::*;

    /// A directory with the files of a client in `tls`, and a context `prod` that names them.
    fn home() -> TempDir {
        let now = SystemTime::UNIX_EPOCH + Duration::from_secs(1_800_000_000);
        let plan = [AgencyPlan { agency: "bank-a", nodes: &[], clients: &["app"] }];
        let consortium = Consortium::new("Test", "amop", &plan, now).unwrap();
        let app = consortium.client("bank-a", "app").unwrap();
        let home = TempDir::new().unwrap();
        let contexts = home.path().join(".config/amop/contexts");
        let tls = contexts.join("tls");
        fs::create_dir_all(&tls).unwrap();
        fs::write(tls.join("ca.pem"), consortium.root().certificate_pem()).unwrap();
        fs::write(tls.join("app.pem"), app.chain_pem()).unwrap();
        fs::write(tls.join("app.key"), app.key_pem()).unwrap();
        let prod = "endpoints = ['n1:1', 'n2:2']\nca = 'tls/ca.pem'\ncert = 'tls/app.pem'\nkey = 'tls/app.key'\n";
        fs::write(contexts.join("prod.toml"), prod).unwrap();
        home
    }

    fn environment(variables: &[(&str, &Path)]) -> Environment {
        let variables: HashMap<String, OsString> =
            variables.iter().map(|(name, value)| ((*name).to_owned(), (*value).into())).collect();
        Environment { variable: Box::new(move |name| variables.get(name).cloned()) }
    }

    #[test]
    fn a_context_names_endpoints_and_files_relative_to_itself() {
        let home = home();
        let config = home.path().join(".config");
        let by_home = [("AMOP_CONTEXT", Path::new("prod")), ("HOME", home.path())];
        let by_xdg = [
            ("AMOP_CONTEXT", Path::new("prod")),
            ("HOME", Path::new("/nowhere")),
            ("XDG_CONFIG_HOME", &config),
        ];
        for environment in [environment(&by_home), environment(&by_xdg)] {
            assert_eq!(environment.endpoints().unwrap(), ["n1:1", "n2:2"]);
            assert_eq!(environment.identity().unwrap().name().as_dns(), "app.sdk.bank-a.amop");
            environment.trust().unwrap();
        }
    }

    #[test]
    fn the_endpoint_variable_comes_before_the_context() {
        let home = home();
        let variables = [
            ("AMOP_CONTEXT", Path::new("prod")),
            ("HOME", home.path()),
            ("AMOP_ENDPOINT", Path::new("a:1, b:2,")),
        ];
        assert_eq!(environment(&variables).endpoints().unwrap(), ["a:1", "b:2"]);
        assert!(environment(&[]).endpoints().unwrap().is_empty());
    }

    #[test]
    fn without_a_context_each_file_has_a_variable_and_a_default() {
        let home = home();
        let tls = home.path().join(".config/amop/contexts/tls");
        let (ca, cert, key) = (tls.join("ca.pem"), tls.join("app.pem"), tls.join("app.key"));
        let variables = [("AMOP_CA", &*ca), ("AMOP_CERT", &*cert), ("AMOP_KEY", &*key)];
        let environment = environment(&variables);
        environment.identity().unwrap();
        environment.trust().unwrap();

        let nothing = self::environment(&[("AMOP_CA", Path::new(""))]);
        let error = nothing.trust().unwrap_err().to_string();
        assert_eq!(
            error,
            "cannot read ./ca.crt; set AMOP_CA to its path, or AMOP_CONTEXT to a context"
        );
        let error = nothing.identity().unwrap_err().to_string();
        assert!(error.contains("./sdk.crt") && error.contains("AMOP_CERT"), "{error}");
        let half = [("AMOP_CERT", &*cert)];
        let error = self::environment(&half).identity().unwrap_err().to_string();
        assert!(error.contains("./sdk.key") && error.contains("AMOP_KEY"), "{error}");
    }

    #[cfg(unix)]
    #[test]
    fn an_encrypted_key_needs_a_file_with_its_password() {
        use std::os::unix::fs::PermissionsExt;
        let home = home();
        let contexts = home.path().join(".config/amop/contexts");
        let tls = contexts.join("tls");
        let (cert, key, password) = (tls.join("app.pem"), tls.join("app.key"), tls.join("pw"));
        let plain = fs::read_to_string(&key).unwrap();
        let encrypted = amop_pki::PrivateKey::from_pem(&plain, None).unwrap();
        fs::write(&key, encrypted.to_encrypted_pem(b"secret").unwrap()).unwrap();
        fs::write(&password, "secret\n").unwrap();
        fs::set_permissions(&password, fs::Permissions::from_mode(0o600)).unwrap();
        let with = |more: &[(&str, &Path)]| {
            let all = [&[("AMOP_CERT", &*cert), ("AMOP_KEY", &*key)], more].concat();
            environment(&all).identity()
        };
        let file = "AMOP_KEY_PASSWORD_FILE";
        assert_eq!(with(&[(file, &password)]).unwrap().name().as_dns(), "app.sdk.bank-a.amop");
        let error = with(&[]).unwrap_err();
        let EnvError::BadIdentity { source, .. } = &error else { panic!("{error}") };
        assert!(matches!(source, IdentityError::KeyIsEncrypted), "{source}");
        let error = with(&[(file, Path::new("/no/such"))]).unwrap_err();
        assert!(matches!(error, EnvError::BadPassword(_)), "{error}");

        let prod = fs::read_to_string(contexts.join("prod.toml")).unwrap();
        fs::write(contexts.join("locked.toml"), prod + "key_password_file = 'tls/pw'").unwrap();
        let locked = environment(&[("AMOP_CONTEXT", Path::new("locked")), ("HOME", home.path())]);
        assert_eq!(locked.identity().unwrap().name().as_dns(), "app.sdk.bank-a.amop");
    }

    #[test]
    fn lists_of_revoked_certificates_are_gone_by_if_they_are_named() {
        let home = home();
        let contexts = home.path().join(".config/amop/contexts");
        let ca = contexts.join("tls/ca.pem");
        let count = |environment: &Environment| {
            environment.trust().map(|trust| trust.revocations().dates().count())
        };
        assert_eq!(count(&environment(&[("AMOP_CA", &ca)])).unwrap(), 0);

        let now = SystemTime::UNIX_EPOCH + Duration::from_secs(1_800_000_000);
        let root = amop_pki::Root::new("Test", "amop", now).unwrap();
        let list = root.revocation_list(None, &[], 30, now).unwrap();
        let crl = contexts.join("tls/all.crl");
        fs::write(&crl, list.to_pem()).unwrap();
        assert_eq!(count(&environment(&[("AMOP_CA", &ca), ("AMOP_CRL", &crl)])).unwrap(), 1);
        let prod = fs::read_to_string(contexts.join("prod.toml")).unwrap();
        fs::write(contexts.join("strict.toml"), prod + "crl = 'tls/all.crl'").unwrap();
        let strict = environment(&[("AMOP_CONTEXT", Path::new("strict")), ("HOME", home.path())]);
        assert_eq!(count(&strict).unwrap(), 1);

        let none = environment(&[("AMOP_CA", &ca), ("AMOP_CRL", Path::new("/no/such"))]);
        assert!(count(&none).unwrap_err().to_string().contains("AMOP_CRL"));
        let disguised = fs::read_to_string(&ca).unwrap().replace("CERTIFICATE", "X509 CRL");
        fs::write(&crl, disguised).unwrap();
        let error = count(&strict).unwrap_err().to_string();
        assert!(error.contains("all.crl has no usable revocation lists"), "{error}");
    }

    #[test]
    fn a_context_that_cannot_be_used_is_named_with_what_is_wrong() {
        let home = home();
        let with =
            |name: &str| environment(&[("AMOP_CONTEXT", Path::new(name)), ("HOME", home.path())]);
        for name in ["../prod", "a/b", ".", "..", ".hidden"] {
            let error = with(name).trust().unwrap_err();
            assert!(matches!(error, EnvError::BadContextName { .. }), "{name}: {error}");
        }
        let error = with("test").trust().unwrap_err().to_string();
        assert!(error.contains("contexts/test.toml") && error.contains("AMOP_CONTEXT"), "{error}");
        let error = environment(&[("AMOP_CONTEXT", Path::new("prod"))]).trust().unwrap_err();
        assert!(error.to_string().contains("HOME"), "{error}");

        let contexts = home.path().join(".config/amop/contexts");
        fs::write(contexts.join("half.toml"), "ca = 'tls/ca.pem'").unwrap();
        let error = with("half").trust().unwrap_err();
        assert!(error.to_string().contains("half.toml is no context"), "{error}");
        assert!(error.source().unwrap().to_string().contains("cert"), "the missing key is named");

        let swapped = "ca = 'tls/app.key'\ncert = 'tls/ca.pem'\nkey = 'tls/none'";
        fs::write(contexts.join("swapped.toml"), swapped).unwrap();
        let error = with("swapped").trust().unwrap_err().to_string();
        assert!(error.contains("tls/app.key has no roots"), "{error}");
        let error = with("swapped").identity().unwrap_err().to_string();
        assert!(error.contains("tls/none") && error.contains("`key` in the context"), "{error}");
        fs::write(contexts.join("tls/none"), "").unwrap();
        let error = with("swapped").identity().unwrap_err().to_string();
        assert!(error.contains("are no identity"), "{error}");
    }
}
