//! `amop cert renew --daemon`, told only by its own lines when it is time to go on.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::time::Duration;

use amop_pki::{Certificate, PrivateKey, Root};
use amop_wire::Name;
use serde_json::Value;
use tempfile::TempDir;

use crate::support::{Running, amop, now, object, run};

const NAME: &str = "n1.node.bank-a.amop";

/// The root, the authority of bank-a, and a node of it whose certificate was signed 80 of its 90 days ago.
fn nearly_over() -> TempDir {
    let dir = tempfile::tempdir().unwrap();
    let at = now() - Duration::from_secs(80 * 86_400);
    let root = Root::new("Payments", "amop", at).unwrap();
    let agency = root.agency("bank-a", at).unwrap();
    let leaf = agency.issue(&NAME.parse::<Name>().unwrap(), at).unwrap();
    write(dir.path(), "root.crt", root.certificate_pem(), 0o644);
    write(dir.path(), "bank-a-ca.crt", agency.certificate_pem(), 0o644);
    write(dir.path(), "bank-a-ca.key", &agency.key_pem(), 0o600);
    write(dir.path(), "node.crt", leaf.chain_pem(), 0o644);
    write(dir.path(), "node.key", &leaf.key_pem(), 0o600);
    dir
}

fn write(dir: &Path, name: &str, text: &str, mode: u32) {
    fs::write(dir.join(name), text).unwrap();
    fs::set_permissions(dir.join(name), fs::Permissions::from_mode(mode)).unwrap();
}

/// What the authority does: signs what was sent to it.
async fn signed(dir: &Path, to: &str) {
    let line = ["cert", "sign", "node.csr", "--authority", "bank-a-ca", "--yes", "--out", to];
    let ended = run(&mut amop(dir, &line)).await;
    assert_eq!(ended.status.code(), Some(0), "{ended:?}");
}

/// Puts a whole file where the daemon looks for the answer.
fn answer(dir: &Path, from: &str) {
    fs::rename(dir.join(from), dir.join("node.crt.new")).unwrap();
}

fn daemon(dir: &Path) -> Running {
    let line = ["--json", "cert", "renew", "node.crt", "--daemon", "--ca", "root.crt"];
    Running::start(&mut amop(dir, &line))
}

/// The next thing that it says.
async fn event(daemon: &mut Running) -> Value {
    serde_json::from_str(&daemon.line().await).unwrap()
}

/// Whether certificate and key in use belong together.
fn fits(dir: &Path) -> bool {
    let read = |name: &str| fs::read_to_string(dir.join(name)).unwrap();
    let certificate = Certificate::all_from_pem(&read("node.crt")).unwrap().remove(0);
    let key = PrivateKey::from_pem(&read("node.key"), None).unwrap();
    key.public_key_der() == certificate.public_key_der()
}

#[tokio::test]
async fn a_certificate_is_requested_in_time_and_its_answer_put_in_place_when_it_fits() {
    let dir = nearly_over();
    let path = dir.path();
    let (old, old_key) =
        (fs::read(path.join("node.crt")).unwrap(), fs::read(path.join("node.key")).unwrap());
    let mut running = daemon(path);
    let requested = event(&mut running).await;
    assert_eq!((&requested["type"], &requested["event"]), (&"event".into(), &"requested".into()));
    assert_eq!(requested["answer"], "node.crt.new");
    assert_eq!(requested["words"].as_str().unwrap().split(' ').count(), 10, "{requested}");

    // Neither garbage nor a certificate of another key is taken, and each is refused once.
    fs::write(path.join("node.crt.new"), "garbage").unwrap();
    assert_eq!(event(&mut running).await["event"], "refused");
    fs::write(path.join("other"), &old).unwrap();
    answer(path, "other");
    let refused = event(&mut running).await;
    assert!(
        refused["why"].as_str().unwrap().contains("was not made for node.key.new"),
        "{refused}"
    );
    assert_eq!(fs::read(path.join("node.crt")).unwrap(), old, "nothing has changed");
    assert_eq!(fs::read(path.join("node.key")).unwrap(), old_key);

    signed(path, "signed").await;
    answer(path, "signed");
    assert_eq!(event(&mut running).await["event"], "installed");
    assert!(fits(path) && fs::read(path.join("node.crt")).unwrap() != old);
    assert_eq!(event(&mut running).await["event"], "waits", "the new one is not due");
    assert!(!path.join("node.key.new").exists() && !path.join("node.crt.new").exists());
    running.signal("TERM").await;
    assert_eq!(running.end().await.0, Some(0));
}

#[tokio::test]
async fn who_was_stopped_goes_on_with_the_same_key_and_finishes_what_a_crash_broke_off() {
    let dir = nearly_over();
    let path = dir.path();
    let mut running = daemon(path);
    let words = event(&mut running).await["words"].clone();
    running.signal("INT").await;
    assert_eq!(running.end().await.0, Some(0));
    fs::write(path.join("node.csr"), "that of an earlier key").unwrap();
    let mut running = daemon(path);
    assert_eq!(event(&mut running).await["words"], words, "the request is for the key that waits");
    running.signal("TERM").await;
    assert_eq!(running.end().await.0, Some(0));

    // As if the machine had stopped after the key and before the certificate.
    signed(path, "node.crt.new").await;
    fs::copy(path.join("node.key.new"), path.join("node.key")).unwrap();
    assert!(!fits(path));
    let mut running = daemon(path);
    assert_eq!(event(&mut running).await["event"], "requested");
    assert_eq!(event(&mut running).await["event"], "installed");
    assert!(fits(path));
}

#[tokio::test]
async fn an_encrypted_key_needs_its_password_in_a_file() {
    let dir = nearly_over();
    let path = dir.path();
    let line = ["--json", "cert", "renew", "node.crt", "--daemon", "--ca", "root.crt", "--encrypt"];
    let ended = run(&mut amop(path, &line)).await;
    assert_eq!((ended.status.code(), &object(&ended)["kind"]), (Some(2), &"no-terminal".into()));
    assert!(!path.join("node.key.new").exists());
}
