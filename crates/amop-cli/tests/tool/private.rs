//! `amop key`, `amop sub --topic-key` and `amop pub --to`.

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use tempfile::tempdir;

use crate::support::{Running, Site, amop, object, run, run_with_input, text};

/// Makes a key; gives its fingerprint.
async fn new_key(dir: &Path, file: &str) -> String {
    let made = run(&mut amop(dir, &["key", "new", file])).await;
    assert_eq!(made.status.code(), Some(0), "{made:?}");
    text(&made.stdout).trim_end().to_owned()
}

#[tokio::test]
async fn only_who_holds_a_key_that_a_message_is_for_gets_it() {
    let site = Site::start().await;
    for file in ["hr.key", "other.key"] {
        let made = run(&mut site.amop(&["key", "new", file])).await;
        assert_eq!(made.status.code(), Some(0), "{made:?}");
    }
    let hr = ["sub", "salary", "-n", "2", "--reply", "paid", "--topic-key", "hr.key"];
    let mut hr = Running::subscriber(&mut site.amop(&hr)).await;
    let other = ["sub", "salary", "--for", "60s", "--topic-key", "other.key"];
    let other = Running::subscriber(&mut site.amop(&other)).await;

    let asked = ["request", "salary", "4711", "--to", "hr.key.pub"];
    let asked = run(&mut site.amop(&asked)).await;
    assert_eq!((asked.status.code(), text(&asked.stdout)), (Some(0), "paid".into()), "{asked:?}");
    let all = ["pub", "salary", "all", "--multicast", "--to", "hr.key.pub"];
    let all = text(&run(&mut site.amop(&all)).await.stdout);
    assert!(all.contains(" → 1 of 2 subscribers, 1 refused"), "{all}");
    for expected in ["4711", "all"] {
        hr.line().await;
        assert_eq!(hr.line().await, expected);
    }
    assert_eq!(hr.end().await.0, Some(0));
    other.signal("TERM").await;
    assert_eq!(other.end().await.1, "", "it was shown nothing");

    let late = ["pub", "salary", "x", "--to", "hr.key.pub", "--json", "--timeout", "2s"];
    let late = object(&run(&mut site.amop(&late)).await);
    assert_eq!((&late["code"], &late["kind"]), (&100.into(), &"no-verified-receiver".into()));
}

#[tokio::test]
async fn a_key_is_shown_by_its_public_half_alone() {
    let dir = tempdir().unwrap();
    let fingerprint = new_key(dir.path(), "hr.key").await;
    for file in ["hr.key", "hr.key.pub"] {
        let shown = run(&mut amop(dir.path(), &["key", "fingerprint", file])).await;
        assert_eq!(text(&shown.stdout).trim_end(), fingerprint);
        let pem = run(&mut amop(dir.path(), &["key", "public", file])).await;
        assert_eq!(text(&pem.stdout), fs::read_to_string(dir.path().join("hr.key.pub")).unwrap());
    }
    let hex = run(&mut amop(dir.path(), &["key", "public", "hr.key", "--hex"])).await;
    let hex = text(&hex.stdout);
    assert_eq!(hex.trim_end().len(), 66);
    let shown = run(&mut amop(dir.path(), &["key", "fingerprint", hex.trim_end(), "--json"])).await;
    assert_eq!(object(&shown)["fingerprint"], fingerprint);

    let mode = |file| fs::metadata(dir.path().join(file)).unwrap().permissions().mode() & 0o777;
    assert_eq!((mode("hr.key"), mode("hr.key.pub")), (0o600, 0o644));
    let again = run(&mut amop(dir.path(), &["key", "new", "hr.key"])).await;
    assert_eq!(again.status.code(), Some(73), "nothing is overwritten: {again:?}");
}

#[tokio::test]
async fn a_key_with_a_password_is_read_with_it_and_imported_without_change() {
    let dir = tempdir().unwrap();
    for (file, password) in [("pw", "correct horse\n"), ("wrong", "battery\n")] {
        fs::write(dir.path().join(file), password).unwrap();
        fs::set_permissions(dir.path().join(file), Permissions::from_mode(0o600)).unwrap();
    }
    let made = ["key", "new", "hr.key", "--password-file", "pw"];
    let made = run(&mut amop(dir.path(), &made)).await;
    let fingerprint = text(&made.stdout);
    let pem = fs::read_to_string(dir.path().join("hr.key")).unwrap();
    assert!(pem.starts_with("-----BEGIN ENCRYPTED PRIVATE KEY-----"), "{pem}");

    let import = ["key", "import", "hr.key", "plain.key", "--source-password-file"];
    let wrong = run(&mut amop(dir.path(), &[&import[..], &["wrong"]].concat())).await;
    assert_eq!(wrong.status.code(), Some(65), "{wrong:?}");
    let taken = run(&mut amop(dir.path(), &[&import[..], &["pw"]].concat())).await;
    assert_eq!(text(&taken.stdout), fingerprint, "{taken:?}");
    let plain = fs::read(dir.path().join("plain.key")).unwrap();
    let mut import = amop(dir.path(), &["key", "import", "-", "b.key"]);
    assert_eq!(text(&run_with_input(&mut import, &plain).await.stdout), fingerprint);

    fs::set_permissions(dir.path().join("pw"), Permissions::from_mode(0o644)).unwrap();
    let exposed = ["key", "fingerprint", "hr.key", "--password-file", "pw", "--json"];
    let exposed = run(&mut amop(dir.path(), &exposed)).await;
    assert_eq!(object(&exposed)["kind"], "open-password", "{exposed:?}");
}

#[tokio::test]
async fn each_bad_key_gets_one_clear_error() {
    let dir = tempdir().unwrap();
    new_key(dir.path(), "hr.key").await;
    fs::set_permissions(dir.path().join("hr.key"), Permissions::from_mode(0o644)).unwrap();
    fs::write(dir.path().join("noise"), "noise").unwrap();
    fs::set_permissions(dir.path().join("noise"), Permissions::from_mode(0o600)).unwrap();
    let sub = |key| vec!["sub", "t", "--topic-key", key, "--json"];
    let to = |key| vec!["pub", "t", "x", "--to", key, "--json"];
    let curve = ["key", "import", "-", "p256.key", "--json"].to_vec();
    let short_hex = "02".repeat(32);
    let failures = [
        (sub("hr.key"), 78, "key-exposed"),
        (sub("none.key"), 66, "no-file"),
        (sub("noise"), 65, "bad-key"),
        (to("noise"), 65, "bad-key"),
        (to("none.pub"), 66, "no-file"),
        (to(&short_hex), 65, "bad-key"),
        (curve, 65, "bad-key"),
    ];
    for (arguments, exit, kind) in failures {
        let failed = run_with_input(&mut amop(dir.path(), &arguments), P256.as_bytes()).await;
        assert_eq!(failed.status.code(), Some(exit), "{arguments:?}: {failed:?}");
        assert_eq!(object(&failed)["kind"], kind, "{arguments:?}");
    }
}

/// A key of another curve.
const P256: &str = "-----BEGIN PRIVATE KEY-----
MIGHAgEAMBMGByqGSM49AgEGCCqGSM49AwEHBG0wawIBAQQgevZzL1gdAFr88hb2
OF/2NxApJCzGCEDdfSp6VQO30hyhRANCAAQRWz+jn65BtOMvdyHKcvjBeBSDZH2r
1RTwjmYSi9R/zpBnuQ4EiMnCqfMPWiZqB4QdbAd0E7oH50VpuZ1P087G
-----END PRIVATE KEY-----
";
