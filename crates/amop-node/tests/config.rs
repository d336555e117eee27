//! Every way a configuration can be wrong has an error that names file, key and what to do.

#![expect(clippy::unwrap_used, reason = "a test may panic")]

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::time::SystemTime;

use amop_node::{Config, ConfigError, ConfigErrors, LogFormat};
use amop_pki::{AgencyPlan, Consortium, PrivateKey};
use tempfile::TempDir;

const GOOD: &str = r#"
[node]
name = "n1"
agency = "bank-a"

[tls]
ca = "ca.crt"
cert = "node.crt"
key = "node.key"

[p2p]
listen = "127.0.0.1:30300"

[[p2p.peer]]
name = "n1.node.bank-b.amop"
addr = ["198.51.100.9:30300"]

[sdk]
listen = "127.0.0.1:20200"

[log]
level = "debug"
format = "json"
"#;

/// A directory with certificates and this text as `amop.toml`.
fn directory(text: &str) -> TempDir {
    let dir = TempDir::new().unwrap();
    let plan = [AgencyPlan { agency: "bank-a", nodes: &["n1", "n2"], clients: &["app"] }];
    let consortium = Consortium::new("Test", "amop", &plan, now()).unwrap();
    let node = consortium.node("bank-a", "n1").unwrap();
    fs::write(dir.path().join("ca.crt"), consortium.root().certificate_pem()).unwrap();
    fs::write(dir.path().join("node.crt"), node.chain_pem()).unwrap();
    write_key(&dir.path().join("node.key"), &node.key_pem());
    let other = consortium.node("bank-a", "n2").unwrap();
    write_key(&dir.path().join("other.key"), &other.key_pem());
    fs::write(dir.path().join("amop.toml"), text).unwrap();
    dir
}

fn write_key(path: &Path, pem: &str) {
    fs::write(path, pem).unwrap();
    fs::set_permissions(path, fs::Permissions::from_mode(0o600)).unwrap();
}

fn error(from: &str, to: &str) -> (ConfigError, String) {
    assert!(GOOD.contains(from), "{from}");
    let dir = directory(&GOOD.replace(from, to));
    let errors = Config::from_file(dir.path().join("amop.toml")).unwrap_err();
    let text = errors.to_string();
    (only(errors), text)
}

/// The one thing that is wrong.
fn only(mut errors: ConfigErrors) -> ConfigError {
    assert_eq!(errors.problems.len(), 1, "{errors}");
    errors.problems.remove(0).error
}

#[test]
fn a_good_file_is_taken_and_its_paths_are_relative_to_it() {
    let dir = directory(GOOD);
    let config = Config::from_file(dir.path().join("amop.toml")).unwrap();
    assert_eq!(config.node.identity.name().to_string(), "bank-a/n1");
    assert_eq!(config.node.peers.len(), 1);
    assert_eq!((config.log.level.as_str(), config.log.format), ("debug", LogFormat::Json));
}

#[test]
fn the_state_directory_is_beside_the_file_and_named_after_the_node_unless_it_is_given() {
    let with = |line: &str| {
        let dir = directory(&GOOD.replace("[tls]", &format!("{line}\n[tls]")));
        let config = Config::from_file(dir.path().join("amop.toml")).unwrap();
        assert!(!config.state_dir.exists(), "reading a configuration makes nothing");
        (dir, config.state_dir)
    };
    let (dir, path) = with("");
    assert_eq!(path, dir.path().join("n1.node.bank-a.amop.state"));
    let (dir, path) = with("state_dir = \"kept\"");
    assert_eq!(path, dir.path().join("kept"));
    let (_dir, path) = with("state_dir = \"/no/such/amop\"");
    assert_eq!(path, Path::new("/no/such/amop"));
}

#[test]
fn a_missing_file_is_named() {
    let error = Config::from_file("no/such/amop.toml").unwrap_err();
    assert!(error.to_string().contains("no/such/amop.toml"), "{error}");
    let (error, text) = error_of_cert();
    assert!(matches!(error, ConfigError::Unreadable { key: Some("tls.cert"), .. }), "{text}");
    assert!(text.contains("missing.crt") && text.contains("tls.cert"), "{text}");
}

fn error_of_cert() -> (ConfigError, String) {
    error("node.crt", "missing.crt")
}

#[test]
fn an_unknown_key_is_named_with_its_line() {
    let (error, text) = error("[sdk]", "[sdk]\nlisten_on = 1");
    assert!(matches!(error, ConfigError::UnknownKey { .. }), "{text}");
    assert!(
        text.contains("unknown key `sdk.listen_on`") && text.contains("amop.toml:19:1"),
        "{text}"
    );
}

#[test]
fn an_address_without_a_usable_port_is_shown_where_it_stands() {
    let (error, text) = error("127.0.0.1:20200", "127.0.0.1:70000");
    assert!(matches!(error, ConfigError::BadValue { .. }), "{text}");
    let lines: Vec<&str> = text.lines().collect();
    assert!(lines[1].contains("amop.toml:19:10"), "{text}");
    assert_eq!(
        lines[3..5],
        [" 19 | listen = \"127.0.0.1:70000\"", "    |          ^^^^^^^^^^^^^^^^^",]
    );
}

#[test]
fn a_name_that_is_not_that_of_the_certificate_is_refused() {
    let (error, text) = error("name = \"n1\"", "name = \"n9\"");
    assert!(matches!(error, ConfigError::OtherName { .. }), "{text}");
    assert!(text.contains("n9.node.bank-a.amop") && text.contains("n1.node.bank-a.amop"), "{text}");
}

#[test]
fn names_that_no_certificate_can_carry_are_refused() {
    let (error, text) = error("name = \"n1\"", "name = \"N 1\"");
    assert!(matches!(&error, ConfigError::BadValue { key, .. } if key == "node.name"), "{text}");
    for wrong in ["bank-b", "app.sdk.bank-b.amop"] {
        let (error, text) = self::error("n1.node.bank-b.amop", wrong);
        let key = "p2p.peer[0].name";
        assert!(matches!(&error, ConfigError::BadValue { key: k, .. } if k == key), "{text}");
    }
}

#[test]
fn a_node_has_one_worker_unless_told_otherwise_and_not_more_than_64() {
    let with = |line: &str| {
        let dir = directory(&GOOD.replace("[tls]", &format!("{line}\n[tls]")));
        Config::from_file(dir.path().join("amop.toml"))
    };
    assert_eq!(with("").unwrap().node.workers, 1);
    assert_eq!(with("workers = 64").unwrap().node.workers, 64);
    for wrong in ["workers = 0", "workers = 65", "workers = -1", "workers = \"1\""] {
        let error = only(with(wrong).unwrap_err());
        assert!(matches!(error, ConfigError::BadValue { .. }), "{error}");
        assert!(error.to_string().contains("`node.workers`"), "{error}");
    }
}

#[test]
fn a_peer_without_an_address_is_refused() {
    let (error, text) = error("[\"198.51.100.9:30300\"]", "[]");
    assert!(matches!(error, ConfigError::BadValue { .. }), "{text}");
    assert!(text.contains("`p2p.peer[0].addr` is []"), "{text}");
}

#[test]
fn a_key_that_others_can_read_is_refused_with_the_command_that_mends_it() {
    let dir = directory(GOOD);
    let key = dir.path().join("node.key");
    fs::set_permissions(&key, fs::Permissions::from_mode(0o640)).unwrap();
    let error = only(Config::from_file(dir.path().join("amop.toml")).unwrap_err());
    assert!(matches!(error, ConfigError::KeyIsOpen { .. }), "{error}");
    assert!(error.to_string().contains("chmod 600"), "{error}");
}

#[test]
fn an_encrypted_key_is_opened_by_the_password_in_a_file_and_what_is_wrong_with_that_is_told() {
    let dir = directory(&GOOD.replace("[p2p]", "key_password_file = \"password\"\n\n[p2p]"));
    let (key, password) = (dir.path().join("node.key"), dir.path().join("password"));
    let read = || Config::from_file(dir.path().join("amop.toml"));
    let plain = fs::read_to_string(&key).unwrap();
    let encrypted = PrivateKey::from_pem(&plain, None).unwrap().to_encrypted_pem(b"secret");
    write_key(&key, &encrypted.unwrap());
    write_key(&password, "secret\n");
    let config = read().unwrap();
    assert_eq!(config.node.identity.name().as_dns(), "n1.node.bank-a.amop");
    assert!(config.tls_files.contains(&password), "a change of it is noticed");

    write_key(&password, "another\n");
    let text = read().unwrap_err().to_string();
    assert!(text.contains("wrong password"), "{text}");
    fs::remove_file(&password).unwrap();
    let text = read().unwrap_err().to_string();
    assert!(text.contains("cannot read the password") && text.contains("password_file"), "{text}");
    fs::write(dir.path().join("amop.toml"), GOOD).unwrap();
    let text = read().unwrap_err().to_string();
    assert!(text.contains("encrypted, and there is no password"), "{text}");
}

#[test]
fn a_key_of_another_certificate_is_refused() {
    let (error, text) = error("node.key", "other.key");
    assert!(matches!(error, ConfigError::BadIdentity { .. }), "{text}");
    let (error, text) = self::error("ca.crt", "node.key");
    assert!(matches!(error, ConfigError::BadTrust { .. }), "{text}");
}

#[test]
fn lists_of_revoked_certificates_are_read_from_a_file_or_a_directory() {
    let dir = directory(&GOOD.replace("[p2p]", "crl = \"crl\"\n[p2p]"));
    let read = || Config::from_file(dir.path().join("amop.toml"));
    let path = dir.path().join("crl");
    let error = only(read().unwrap_err());
    assert!(matches!(error, ConfigError::Unreadable { key: Some("tls.crl"), .. }), "{error}");

    let root = amop_pki::Root::new("Test", "amop", now()).unwrap();
    let list = root.revocation_list(None, &[], 30, now()).unwrap();
    fs::write(&path, list.to_pem()).unwrap();
    let count = |config: Config| config.node.trust.revocations().dates().count();
    assert_eq!(count(read().unwrap()), 1);

    fs::remove_file(&path).unwrap();
    fs::create_dir(&path).unwrap();
    assert_eq!(count(read().unwrap()), 0, "nobody has sent one yet");
    fs::write(path.join("root.crl"), list.to_pem()).unwrap();
    fs::write(path.join("both.crl"), list.to_pem() + &list.to_pem()).unwrap();
    fs::write(path.join("root.crl.old"), "no list").unwrap();
    assert_eq!(count(read().unwrap()), 3);
}

#[test]
fn what_is_no_list_of_revoked_certificates_is_named_and_refused() {
    let dir = directory(&GOOD.replace("[p2p]", "crl = \"bad.crl\"\n[p2p]"));
    let error = |text: &str| {
        fs::write(dir.path().join("bad.crl"), text).unwrap();
        only(Config::from_file(dir.path().join("amop.toml")).unwrap_err())
    };
    let garbage = error("-----BEGIN X509 CRL-----\nAAAA\n-----END X509 CRL-----\n");
    assert!(matches!(garbage, ConfigError::BadRevocations { .. }), "{garbage}");
    assert!(garbage.to_string().contains("bad.crl"), "{garbage}");
    let empty = error("");
    assert!(matches!(empty, ConfigError::NoRevocations { .. }), "{empty}");
}

#[test]
fn what_becomes_of_a_stale_list_is_one_of_two_words() {
    for (word, is_good) in [("refuse", true), ("accept", true), ("ignore", false)] {
        let line = format!("stale_crl = \"{word}\"\n[p2p]");
        let dir = directory(&GOOD.replace("[p2p]", &line));
        assert_eq!(Config::from_file(dir.path().join("amop.toml")).is_ok(), is_good, "{word}");
    }
}

#[expect(clippy::disallowed_methods, reason = "certificates are issued as of today")]
fn now() -> SystemTime {
    SystemTime::now()
}

#[test]
fn everything_that_is_wrong_is_told_in_one_run_in_the_order_of_the_file() {
    let text = GOOD
        .replace("name = \"n1\"", "nmae = \"n1\"")
        .replace("ca = \"ca.crt\"", "ca = \"missing.crt\"")
        .replace("[log]", "[login]\nuser = 1\n\n[limits.node]\nbytes = \"10\"\n\n[log]")
        .replace("format = \"json\"", "format = \"jsn\"");
    let errors = Config::from_file(directory(&text).path().join("amop.toml")).unwrap_err();
    let told: Vec<String> =
        errors.problems.iter().map(amop_node::ConfigProblem::sentence).collect();
    let expected = [
        "`node.name` is missing; it should be a name of",
        "unknown key `node.nmae`; did you mean `node.name`?",
        "cannot read ",
        "unknown key `login`",
        "`limits.node.bytes` is \"10\", and should be a rate such as \"10 MB/s\"",
        "`log.format` is \"jsn\", and should be one of \"text\", \"json\"",
    ];
    assert_eq!(told.len(), expected.len(), "{told:#?}");
    for (told, expected) in told.iter().zip(expected) {
        assert!(told.starts_with(expected), "{told} is not {expected}");
    }
    assert!(errors.problems.iter().all(|problem| problem.place.is_some()));
    assert!(errors.to_string().ends_with("6 errors"));
}

#[test]
fn what_is_no_toml_is_shown_where_it_breaks_off() {
    let (error, text) = error("[tls]", "[tls");
    assert!(matches!(error, ConfigError::Syntax { .. }), "{text}");
    assert!(text.contains("amop.toml:6:5"), "{text}");
}

#[test]
fn sections_have_single_brackets_and_peers_double_ones() {
    let (_, text) = error("[[p2p.peer]]", "[p2p.peer]");
    assert!(text.contains("`p2p.peer` should be written as [[p2p.peer]]"), "{text}");
    let (_, text) = error("[log]", "[[log]]");
    assert!(text.contains("`log[0]` should be one section"), "{text}");
    let (_, text) = error("[log]", "sdk = 1\n[log]");
    assert!(text.contains("unknown key `sdk.sdk`"), "{text}");
}

#[test]
fn what_is_set_counts_instead_of_the_file_and_is_told_apart_from_it() {
    let dir = directory(GOOD);
    let with = |sets: &[&str]| {
        let sets: Vec<String> = sets.iter().map(|&set| set.to_owned()).collect();
        Config::from_file_with(dir.path().join("amop.toml"), &sets)
    };
    let config =
        with(&["log.level=warn", "node.workers=3", "p2p.listen = \"127.0.0.1:1\""]).unwrap();
    assert_eq!((config.log.level.as_str(), config.node.workers), ("warn", 3));
    assert_eq!(config.node.p2p_listen, "127.0.0.1:1".parse().unwrap());
    let setting = |key| config.settings.iter().find(|setting| setting.key == key).unwrap();
    assert_eq!(setting("log.level").place.as_ref().unwrap().source, "--set");
    assert_eq!(setting("log.format").place.as_ref().unwrap().line, 23);
    assert_eq!(
        (&*setting("node.domain").value, &setting("node.domain").place),
        ("\"amop\"", &None)
    );

    let text = with(&["log.leve=warn", "node.workers=many", "x"]).unwrap_err().to_string();
    for part in [
        "did you mean `log.level`?",
        " 1 | log.leve=warn\n   | ^^^^^^^^",
        "`node.workers` is \"many\"",
        "\"x\" should be KEY=VALUE",
    ] {
        assert!(text.contains(part), "{part}: {text}");
    }
}

#[test]
fn changed_keys_that_count_only_after_a_restart_are_named() {
    let (dir, changed) = (directory(GOOD), |text: &str| {
        Config::from_file(directory(text).path().join("amop.toml")).unwrap()
    });
    let running = Config::from_file(dir.path().join("amop.toml")).unwrap();
    let text = GOOD.replace("20200", "20201").replace("30300\"]", "30301\"]");
    let text = format!("{text}\n[limits.node]\nmessages = \"1/s\"\n");
    assert_eq!(changed(&text).needs_restart(&running), ["p2p.peer[0].addr", "sdk.listen"]);
    assert_eq!(running.needs_restart(&running), [""; 0]);
    let shorter = text.replace("level = \"debug\"", "");
    assert!(changed(&shorter).needs_restart(&running).contains(&"log.level".to_owned()));
}

#[test]
fn ciphers_and_key_exchanges_are_taken_in_their_order_and_unknown_ones_refused() {
    use amop_p2p::{CipherSuite, KeyExchange};
    let with = |line: &str| {
        let dir = directory(&GOOD.replace("[p2p]", &format!("{line}\n[p2p]")));
        Config::from_file(dir.path().join("amop.toml"))
    };
    let chosen = |line| with(line).unwrap().node.settings.cryptography;
    assert_eq!(chosen(""), amop_p2p::Cryptography::default());
    let cryptography = chosen("key_exchange = [\"X25519\", \"X25519MLKEM768\"]");
    assert_eq!(cryptography.key_exchange, [KeyExchange::X25519, KeyExchange::X25519MlKem768]);
    let cryptography = chosen("cipher_suites = [\"TLS13_AES_256_GCM_SHA384\"]");
    assert_eq!(cryptography.cipher_suites, [CipherSuite::Aes256Gcm]);
    for wrong in ["[]", "[\"ffdhe2048\"]", "\"X25519\"", "[\"X25519\", \"X25519\"]"] {
        let error = only(with(&format!("key_exchange = {wrong}")).unwrap_err());
        assert!(error.to_string().contains("the most wanted first, none twice"), "{error}");
    }
}

#[test]
fn so_much_is_written_down_as_the_file_says() {
    let dir = directory(&GOOD.replace("[log]", "[trace]\nrecords = 0\nfailures = 7\n\n[log]"));
    let limits = Config::from_file(dir.path().join("amop.toml")).unwrap().node.limits;
    assert_eq!((limits.records, limits.failures), (0, 7));
    let (error, _) = error("[log]", "[trace]\nrecords = 16777217\n\n[log]");
    assert!(matches!(error, ConfigError::BadValue { .. }), "{error:?}");
}
