//! `amop cert` in the hands of a consortium's admin, an agency and an operator.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::Output;

use amop_p2p::Revocations;
use amop_pki::{Certificate, PrivateKey, Root};
use tempfile::TempDir;

use crate::support::{Site, amop, now, object, objects, run, shell, text};

const PAGE: &str = include_str!("../../../../docs/CERTIFICATES.md");

/// Runs the tool and expects an exit code.
async fn ends(dir: &Path, line: &str, code: i32) -> Output {
    let words: Vec<&str> = line.split(' ').collect();
    let ended = run(&mut amop(dir, &words)).await;
    assert_eq!(ended.status.code(), Some(code), "{line}: {ended:?}");
    ended
}

/// A directory with a root and the authority of bank-a, whose keys have the password in `pw`.
async fn authorities() -> TempDir {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path();
    secret(&path.join("pw"), "correct horse\n");
    ends(path, "cert init-root Payments --password-file pw", 0).await;
    ends(path, "cert init-agency bank-a --password-file pw", 0).await;
    let sign = "cert sign bank-a-ca.csr --authority root --agency bank-a --password-file pw --yes";
    ends(path, sign, 0).await;
    ends(path, "cert crl make --authority bank-a-ca --first --password-file pw", 0).await;
    dir
}

fn secret(path: &Path, text: &str) {
    fs::write(path, text).unwrap();
    fs::set_permissions(path, fs::Permissions::from_mode(0o600)).unwrap();
}

fn mode(path: &Path) -> u32 {
    fs::metadata(path).unwrap().permissions().mode() & 0o777
}

/// The commands of the page, with what people would type in between.
fn commands() -> Vec<String> {
    let blocks = PAGE.split("```console\n").skip(1).map(|rest| rest.split("```").next().unwrap());
    let commands = blocks.flat_map(str::lines).map(|line| line.strip_prefix("$ ").unwrap());
    let asks_for_a_password = |line: &str| {
        [
            "init-root",
            "init-agency",
            "sign ",
            "revoke ",
            "crl make",
            "install signed.crt --key bank-a",
        ]
        .iter()
        .any(|part| line.contains(&format!("cert {part}")))
    };
    let answered = |line: &str| {
        let password = if asks_for_a_password(line) { " --password-file ../pw" } else { "" };
        let agreed = ["cert sign ", "cert revoke "].iter().any(|part| line.contains(part));
        format!("{line}{password}{}", if agreed { " --yes" } else { "" })
    };
    commands.map(answered).collect()
}

#[tokio::test]
async fn the_commands_of_the_page_for_admins_work_in_their_order() {
    let dir = tempfile::tempdir().unwrap();
    secret(&dir.path().join("pw"), "correct horse\n");
    let tool = Path::new(env!("CARGO_BIN_EXE_amop")).parent().unwrap();
    let path = format!("{}:{}", tool.display(), std::env::var("PATH").unwrap());
    let commands = commands();
    assert!(commands.len() > 20, "{commands:?}");
    for command in &commands {
        let ended = run(shell(dir.path(), command).env("PATH", &path)).await;
        assert_eq!(ended.status.code(), Some(0), "{command}: {ended:?}");
    }
    // The renewed certificate is good, the first one is revoked, and every key is where it was made.
    let node = dir.path().join("node");
    let verify = "cert verify node.crt --ca root.crt --crl crl/root.crl --crl crl/bank-a-ca.crl";
    ends(&node, verify, 0).await;
    let revoked = verify.replace("node.crt", "node.crt.old");
    let ended = ends(&node, &revoked, 77).await;
    let sentence = "certificate n1.node.bank-a.amop refused: revoked on ";
    assert!(text(&ended.stderr).contains(sentence), "{ended:?}");
    for (place, key) in [("admin", "root"), ("agency", "bank-a-ca"), ("node", "node")] {
        for other in ["admin", "agency", "node"] {
            let file = dir.path().join(other).join(format!("{key}.key"));
            assert_eq!(file.exists(), place == other, "{}", file.display());
            assert!(!file.exists() || mode(&file) == 0o600);
        }
    }
    assert!(!node.join("node.key.new").exists(), "it has got its own name");
}

#[tokio::test]
async fn the_key_of_an_authority_opens_with_its_password_only() {
    let dir = authorities().await;
    let path = dir.path();
    for key in ["root.key", "bank-a-ca.key"] {
        let pem = fs::read_to_string(path.join(key)).unwrap();
        assert!(PrivateKey::is_encrypted(&pem) && mode(&path.join(key)) == 0o600, "{key}");
    }
    secret(&path.join("wrong"), "correct horses\n");
    let ended = ends(path, "cert crl make --authority root --password-file wrong", 77).await;
    assert!(text(&ended.stderr).contains("error[wrong-password]"), "{ended:?}");
    fs::set_permissions(path.join("pw"), fs::Permissions::from_mode(0o640)).unwrap();
    let ended = ends(path, "cert crl make --authority root --password-file pw", 77).await;
    assert!(text(&ended.stderr).contains("chmod 600 pw"), "{ended:?}");
    fs::set_permissions(path.join("root.key"), fs::Permissions::from_mode(0o644)).unwrap();
    let ended = ends(path, "cert crl make --authority root --password-file wrong", 77).await;
    assert!(text(&ended.stderr).contains("error[open-key]"), "{ended:?}");

    let ended = ends(path, "cert init-root Other --dir other --unencrypted", 0).await;
    assert!(text(&ended.stderr).contains("warning: other/root.key is not encrypted"), "{ended:?}");
    let pem = fs::read_to_string(path.join("other/root.key")).unwrap();
    assert!(!PrivateKey::is_encrypted(&pem));
}

#[tokio::test]
async fn a_request_is_signed_only_for_its_own_authority_and_with_consent() {
    let dir = authorities().await;
    let path = dir.path();
    ends(path, "cert request n1.node.bank-b.amop", 0).await;
    let as_bank_a = "cert sign node.csr --authority bank-a-ca --password-file pw --yes";
    let ended = ends(path, as_bank_a, 77).await;
    assert!(text(&ended.stderr).contains("not under `bank-a.amop`"), "{ended:?}");
    let as_root = "cert sign node.csr --authority root --password-file pw --yes";
    ends(path, as_root, 2).await;
    ends(path, &format!("{as_root} --agency bank-b"), 77).await;
    let ended = ends(path, "cert sign node.csr --authority bank-a-ca --password-file pw", 2).await;
    assert!(text(&ended.stderr).contains("--yes"), "{ended:?}");
    ends(path, &format!("{as_bank_a} --days 0"), 2).await;
    assert!(!path.join("node.crt").exists());
    let mangled = fs::read_to_string(path.join("node.csr")).unwrap().replace("MII", "MIH");
    fs::write(path.join("mangled.csr"), mangled).unwrap();
    ends(path, "cert show-request mangled.csr", 65).await;
}

/// From the request to a connection; the key is nowhere without its password.
#[tokio::test]
async fn the_key_of_a_client_may_be_encrypted_from_its_first_day_and_is_when_it_is_renewed() {
    let dir = authorities().await;
    let path = dir.path();
    secret(&path.join("own"), "tr0ub4dor\n");
    secret(&path.join("wrong"), "guess\n");
    ends(path, "cert request app.sdk.bank-a.amop --encrypt --password-file own", 0).await;
    let is_encrypted =
        |file: &str| PrivateKey::is_encrypted(&fs::read_to_string(path.join(file)).unwrap());
    assert!(is_encrypted("sdk.key"));
    assert_eq!(mode(&path.join("sdk.key")), 0o600);
    let sign = "cert sign sdk.csr --authority bank-a-ca --password-file pw --yes --out signed.crt";
    ends(path, sign, 0).await;
    let install = "cert install signed.crt --key sdk.key --ca root.crt --password-file own";
    ends(path, install, 0).await;
    assert!(is_encrypted("sdk.key"));

    // Nobody listens there: who gets that far has opened the key.
    let publish = "pub t hi --ca root.crt -e 127.0.0.1:1 --timeout 100ms --key-password-file";
    ends(path, &format!("{publish} own"), 69).await;
    let refused = ends(path, &format!("{publish} wrong"), 77).await;
    assert!(text(&refused.stderr).contains("wrong password"), "{refused:?}");
    let missing = ends(path, &format!("{publish} missing"), 66).await;
    assert!(text(&missing.stderr).contains("missing"), "{missing:?}");
    let publish = "pub t hi --ca root.crt -e 127.0.0.1:1 --timeout 100ms";
    let words: Vec<&str> = publish.split(' ').collect();
    for (file, code) in [("own", 69), ("wrong", 77), ("missing", 66)] {
        let ended = run(amop(path, &words).env("AMOP_KEY_PASSWORD_FILE", file)).await;
        assert_eq!(ended.status.code(), Some(code), "{file}: {ended:?}");
    }

    ends(path, "cert renew sdk.crt --password-file own", 0).await;
    assert!(is_encrypted("sdk.key.new"), "it was, so it is");
    fs::remove_file(path.join("sdk.key.new")).unwrap();
    fs::remove_file(path.join("sdk.key")).unwrap();
    ends(path, "cert renew sdk.crt", 0).await;
    assert!(!is_encrypted("sdk.key.new"), "nothing is known of the one before");
}

#[tokio::test]
async fn what_does_not_fit_is_not_installed_and_changes_nothing() {
    let dir = authorities().await;
    let path = dir.path();
    let sign = "--authority bank-a-ca --password-file pw --yes";
    ends(path, "cert request n1.node.bank-a.amop", 0).await;
    ends(path, &format!("cert sign node.csr {sign} --out good.crt"), 0).await;
    ends(path, "cert install good.crt --key node.key --ca root.crt", 0).await;
    let before = |file: &str| fs::read_to_string(path.join(file)).unwrap();
    let (certificate, key) = (before("node.crt"), before("node.key"));

    ends(path, "cert renew node.crt", 0).await;
    let ended = ends(path, "cert install good.crt --key node.key.new --ca root.crt", 65).await;
    assert!(text(&ended.stderr).contains("was not made for node.key.new"), "{ended:?}");
    ends(path, &format!("cert sign node.csr {sign} --out renewed.crt"), 0).await;
    // The root of somebody else, and a certificate without the one of its agency behind it.
    let other = Root::new("Other", "amop", now()).unwrap();
    fs::write(path.join("other.crt"), other.certificate_pem()).unwrap();
    let ended = ends(path, "cert install renewed.crt --key node.key.new --ca other.crt", 77).await;
    assert!(text(&ended.stderr).contains("not issued by a trusted root"), "{ended:?}");
    let chain = before("renewed.crt");
    let leaf = chain.split_inclusive("-----END CERTIFICATE-----\n").next().unwrap();
    fs::write(path.join("alone.crt"), leaf).unwrap();
    ends(path, "cert install alone.crt --key node.key.new --ca root.crt", 77).await;
    fs::write(path.join("empty.crt"), "").unwrap();
    ends(path, "cert install empty.crt --key node.key.new --ca root.crt", 65).await;
    let agency = "cert install bank-a-ca.crt --key bank-a-ca.key --ca other.crt --password-file pw";
    ends(path, agency, 77).await;
    assert_eq!((before("node.crt"), before("node.key")), (certificate, key));
    ends(path, "cert renew node.crt", 73).await;

    ends(path, "cert install renewed.crt --key node.key.new --ca root.crt", 0).await;
    assert_eq!(before("node.crt"), chain);
    amop_p2p::Identity::from_pem(chain.as_bytes(), before("node.key").as_bytes()).unwrap();
    assert_eq!(before("node.crt.old"), before("good.crt"));
}

#[tokio::test]
async fn only_its_own_authority_revokes_a_certificate_and_lists_are_never_begun_over() {
    let dir = authorities().await;
    let path = dir.path();
    let list = fs::read_to_string(path.join("bank-a-ca.crl")).unwrap();
    let revoke = "--authority bank-a-ca --password-file pw --yes";
    let ended = ends(path, &format!("cert revoke bank-a-ca.crt {revoke}"), 65).await;
    assert!(text(&ended.stderr).contains("it is for CN=Payments to revoke it"), "{ended:?}");
    ends(path, "cert crl make --authority bank-a-ca --first --password-file pw", 73).await;
    fs::copy(path.join("root.crl"), path.join("bank-a-ca.crl")).unwrap();
    ends(path, &format!("cert revoke --serial 0a {revoke}"), 77).await;
    fs::remove_file(path.join("bank-a-ca.crl")).unwrap();
    ends(path, &format!("cert revoke --serial 0a {revoke}"), 66).await;
    fs::write(path.join("bank-a-ca.crl"), &list).unwrap();

    for (serial, reason) in [("0a", "superseded"), ("0b", "key-compromise"), ("0a", "cessation")] {
        let line = format!("cert revoke --serial {serial} --reason {reason} {revoke} --json");
        let shown = object(&ends(path, &line, 0).await);
        assert_eq!(shown["type"], "revocation_list");
    }
    let shown = object(&ends(path, "cert crl show bank-a-ca.crl --json", 0).await);
    let revoked = |index: usize, key: &str| shown["revoked"][index][key].clone();
    assert_eq!((revoked(0, "serial"), revoked(0, "reason")), ("0a".into(), "superseded".into()));
    assert_eq!(revoked(1, "serial"), "0b");
    assert!(shown["revoked"].as_array().unwrap().len() == 2);
    ends(path, &format!("cert revoke --serial 0c --reason boredom {revoke}"), 2).await;
}

#[tokio::test]
async fn a_list_that_is_forged_stale_or_no_list_fails_its_check() {
    let dir = authorities().await;
    let path = dir.path();
    ends(path, "cert crl check root.crl --issuer root.crt", 0).await;
    let ended = ends(path, "cert crl check root.crl --issuer bank-a-ca.crt", 77).await;
    assert!(text(&ended.stderr).contains("error[forged]"), "{ended:?}");
    ends(path, "cert crl check root.crt --issuer root.crt", 65).await;

    let then = now() - std::time::Duration::from_secs(3 * 24 * 60 * 60);
    let old = Root::new("Old", "amop", then).unwrap();
    fs::write(path.join("old.crt"), old.certificate_pem()).unwrap();
    let list = old.revocation_list(None, &[], 1, then).unwrap();
    fs::write(path.join("old.crl"), list.to_pem()).unwrap();
    let ended = ends(path, "cert crl check old.crl --issuer old.crt", 77).await;
    assert!(text(&ended.stderr).contains("error[stale]"), "{ended:?}");
    let ended = ends(path, "cert expiry old.crl old.crt --within 1 --json", 1).await;
    let first = text(&ended.stdout).lines().next().unwrap().to_owned();
    assert!(first.contains(r#""what":"revocation list of CN=Old""#), "{first}");
    assert!(first.contains(r#""days_left":-3"#), "{first}");
    ends(path, "cert expiry old.crt --within 100", 0).await;
}

#[tokio::test]
async fn programs_read_one_object_a_line() {
    let dir = authorities().await;
    let path = dir.path();
    let request = object(&ends(path, "cert request n1.node.bank-a.amop --json", 0).await);
    let shown = object(&ends(path, "cert show-request node.csr --json", 0).await);
    assert_eq!(request, shown);
    assert_eq!(
        (&shown["type"], &shown["name"]),
        (&"request".into(), &"n1.node.bank-a.amop".into())
    );
    assert_eq!(shown["words"].as_str().unwrap().split(' ').count(), 10);
    let sign = "cert sign node.csr --authority bank-a-ca --password-file pw --yes --json";
    let signed = object(&ends(path, sign, 0).await);
    assert_eq!(signed["fingerprint"], shown["fingerprint"]);
    assert_eq!((&signed["type"], &signed["days_left"]), (&"certificate".into(), &89.into()));
    let inspected = ends(path, "cert inspect node.crt --json", 0).await;
    let inspected = objects(&text(&inspected.stdout));
    assert_eq!((inspected.len(), &inspected[0]), (2, &signed));
    let verified = object(&ends(path, "cert verify node.crt --ca root.crt --json", 0).await);
    assert_eq!((&verified["type"], &verified["lists"]), (&"verified".into(), &0.into()));
    let renewal = object(&ends(path, "cert renew node.crt --check --json", 0).await);
    assert_eq!((&renewal["type"], &renewal["due"]), (&"renewal".into(), &false.into()));
    let refused = ends(path, "cert verify node.crt --ca node.crt --json", 65).await;
    assert_eq!(object(&refused)["type"], "error");
}

#[tokio::test]
async fn renewal_is_due_after_two_thirds_of_a_certificates_life() {
    let dir = tempfile::tempdir().unwrap();
    let day = std::time::Duration::from_secs(24 * 60 * 60);
    for (age, word) in [(58, "not due"), (61, "due")] {
        let root = Root::new("Root", "amop", now() - age * day).unwrap();
        let agency = root.agency("bank-a", now() - age * day).unwrap();
        let leaf = agency.issue(&"n1.node.bank-a.amop".parse().unwrap(), now() - age * day);
        fs::write(dir.path().join("node.crt"), leaf.unwrap().chain_pem()).unwrap();
        let ended = ends(dir.path(), "cert renew node.crt --check", 0).await;
        assert!(text(&ended.stdout).starts_with(&format!("{word}: ")), "{ended:?}");
    }
}

/// From the tool to the node and back to the tool.
#[tokio::test]
async fn a_client_that_was_revoked_reads_why_it_is_refused() {
    let site = Site::start().await;
    let path = site.dir.path();
    ends(path, "cert crl make --authority bank-a-ca --first", 0).await;
    ends(path, "cert revoke sdk.crt --authority bank-a-ca --yes", 0).await;
    let list = fs::read(path.join("bank-a-ca.crl")).unwrap();
    let trust = fs::read(path.join("ca.crt")).unwrap();
    let trust = amop_p2p::Trust::from_pem(&trust).unwrap();
    site.node.reload(&trust.with_revocations(Revocations::from_pem(&list).unwrap()));
    let ended = run(&mut site.amop(&["request", "quote"])).await;
    assert_eq!(ended.status.code(), Some(77), "{ended:?}");
    let sentence = "certificate payments.sdk.bank-a.amop refused: revoked on ";
    assert!(text(&ended.stderr).contains(sentence), "{ended:?}");
    assert_eq!(
        Certificate::all_from_pem(&text(&fs::read(path.join("sdk.crt")).unwrap())).unwrap().len(),
        2
    );
}

#[tokio::test]
async fn a_client_refuses_a_node_that_was_revoked_whichever_way_its_root_is_named() {
    let site = Site::start().await;
    let path = site.dir.path();
    ends(path, "cert crl make --authority bank-a-ca --first", 0).await;
    ends(path, "cert revoke node.crt --authority bank-a-ca --yes", 0).await;
    for arguments in [&["request", "quote"][..], &["request", "quote", "--ca", "ca.crt"]] {
        let taken = run(&mut site.amop(arguments)).await;
        assert_eq!(taken.status.code(), Some(100), "no list is named: {taken:?}");
        let refused = run(site.amop(arguments).env("AMOP_CRL", "bank-a-ca.crl")).await;
        assert_eq!(refused.status.code(), Some(77), "{refused:?}");
        let sentence = "certificate n1.node.bank-a.amop refused: revoked on ";
        assert!(text(&refused.stderr).contains(sentence), "{refused:?}");
        let broken = run(site.amop(arguments).env("AMOP_CRL", "none.crl")).await;
        assert_eq!(broken.status.code(), Some(66), "{broken:?}");
    }
}
