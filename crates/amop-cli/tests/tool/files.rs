//! `amop send` and `amop receive` against a node.

use std::fs;
use std::io::{Read, Seek, SeekFrom};
use std::path::Path;
use std::process::Output;
use std::time::Duration;

use serde_json::Value;
use tokio::time::timeout;

use crate::support::{Running, Site, TIME_MAX, keys, object, objects, run, text};

const MIB: usize = 1 << 20;

/// Starts `amop receive t in` with these arguments more.
async fn receiver(site: &Site, more: &[&str]) -> Running {
    fs::create_dir_all(site.dir.path().join("in")).unwrap();
    let mut running = Running::start(&mut site.amop(&[&["receive", "t", "in"], more].concat()));
    running.error_line("receiving files of `t`").await;
    running
}

/// Makes a file whose content repeats nowhere.
fn file(site: &Site, name: &str, size: usize) {
    let words = 0..u32::try_from(size.div_ceil(4)).unwrap();
    let mut content: Vec<u8> = words.flat_map(|word| (word | 1 << 30).to_le_bytes()).collect();
    content.truncate(size);
    fs::write(site.dir.path().join(name), content).unwrap();
}

async fn send(site: &Site, arguments: &[&str]) -> Output {
    run(&mut site.amop(&[&["send"], arguments].concat())).await
}

fn is_same(site: &Site, name: &str) -> bool {
    let dir = site.dir.path();
    fs::read(dir.join(name)).unwrap() == fs::read(dir.join("in").join(name)).unwrap()
}

#[tokio::test]
async fn both_ends_print_what_sha256sum_prints() {
    let site = Site::start().await;
    let mut receiving = receiver(&site, &["-n", "4"]).await;
    for (name, size) in [("0", 0), ("1", 1), ("chunk", 2 * MIB), ("more", 2 * MIB + 1)] {
        file(&site, name, size);
        let sent = send(&site, &[name, "t"]).await;
        assert_eq!(sent.status.code(), Some(0), "{sent:?}");
        assert!(sent.stderr.is_empty(), "nobody looks: {sent:?}");
        let line = text(&sent.stdout);
        let hash = line.trim_end().strip_suffix(&format!("  {name}")).unwrap();
        assert_eq!(receiving.line().await, format!("{hash}  in/{name}"));
        assert!(is_same(&site, name));
        if size == 0 {
            assert!(hash.starts_with("e3b0c44298fc1c149afbf4c8996fb924"), "{hash}");
        }
    }
    assert_eq!(receiving.end().await.0, Some(0));
}

#[tokio::test]
async fn sixty_four_mebibytes_arrive_and_programs_learn_of_it() {
    let site = Site::start().await;
    let receiving = receiver(&site, &["-n", "1", "--json"]).await;
    file(&site, "big.bin", 64 * MIB);
    let sent = object(&send(&site, &["big.bin", "t", "--json"]).await);
    let (code, stdout, _) = receiving.end().await;
    assert_eq!(code, Some(0));
    let received = objects(&stdout).pop().unwrap();
    assert_eq!(keys(&sent), ["file", "moved_bytes", "sha256", "size", "topic", "type"]);
    assert_eq!(keys(&received), ["file", "from", "sha256", "size", "topic", "type"]);
    assert_eq!((&sent["size"], &received["size"]), (&(64 * MIB).into(), &(64 * MIB).into()));
    assert_eq!(sent["sha256"], received["sha256"]);
    assert_eq!(received["from"], "payments.sdk.bank-a.amop");
    assert!(is_same(&site, "big.bin"));
}

/// FILE-9: a part survives; at most two chunks move twice.
#[tokio::test]
async fn a_receiver_that_is_killed_goes_on_where_it_was() {
    let site = Site::start().await;
    let killed = receiver(&site, &[]).await;
    file(&site, "big.bin", 24 * MIB);
    let mut sending = site.amop(&["send", "big.bin", "t", "--limit", "6M", "--json"]);
    let sending = Running::start(&mut sending);
    timeout(TIME_MAX, has_byte_at(&site.dir.path().join("in/.amop-part"), 8 * MIB)).await.unwrap();
    killed.signal("KILL").await;
    killed.end().await;
    assert!(!site.dir.path().join("in/big.bin").exists());

    let again = receiver(&site, &["-n", "1"]).await;
    let (code, stdout, stderr) = sending.end().await;
    assert_eq!(code, Some(0), "{stderr}");
    assert_eq!(again.end().await.0, Some(0));
    assert!(is_same(&site, "big.bin"));
    let mut told = objects(&stdout);
    let moved = told.pop().unwrap()["moved_bytes"].as_u64().unwrap();
    let is_moving = |object: &&Value| object["phase"] == "moving";
    let moving: Vec<&Value> = told.iter().filter(is_moving).collect();
    assert!(!moving.is_empty(), "{stdout}");
    for object in moving {
        let expected = [
            "bytes_per_second",
            "file",
            "phase",
            "received",
            "resumed",
            "seconds_left",
            "total",
            "type",
        ];
        assert_eq!(keys(object), expected);
        assert_eq!(
            (&object["type"], &object["total"]),
            (&"file-progress".into(), &(24 * MIB).into())
        );
    }
    assert!(moved <= (24 * MIB + 12 * 32 + 4 * MIB) as u64, "{moved}");
}

/// Ctrl-C at either end leaves what is there, and says how to go on.
#[tokio::test]
async fn a_file_that_is_interrupted_goes_on_and_says_from_where() {
    let site = Site::start().await;
    let mut receiving = receiver(&site, &[]).await;
    file(&site, "big.bin", 24 * MIB);
    let slow = || Running::start(&mut site.amop(&["send", "big.bin", "t", "--limit", "6M"]));
    let parts = site.dir.path().join("in/.amop-part");
    let sending = slow();
    timeout(TIME_MAX, has_byte_at(&parts, 5 * MIB)).await.unwrap();
    sending.signal("INT").await;
    let (code, stdout, stderr) = sending.end().await;
    assert_eq!((code, stdout.as_str()), (Some(130), ""));
    let said = "big.bin is not sent; send it again to `t` within 24 h to go on\n";
    assert!(stderr.ends_with(said), "{stderr}");
    receiving.error_line("big.bin is not received: 206").await;

    let mut sending = slow();
    let resuming = sending.error_line("resuming at ").await;
    let percent: usize = resuming["resuming at ".len()..].trim_end_matches(" %").parse().unwrap();
    assert!((8..100).contains(&percent), "{resuming}");
    timeout(TIME_MAX, has_byte_at(&parts, 12 * MIB)).await.unwrap();
    receiving.signal("INT").await;
    let (code, _, stderr) = receiving.end().await;
    assert_eq!(code, Some(130));
    let said = "what is not complete stays for 24 h: receive `t` into in again to go on\n";
    assert!(stderr.ends_with(said), "{stderr}");
    timeout(TIME_MAX, has_byte_at(&parts, 12 * MIB)).await.expect("what was there stays");

    let again = receiver(&site, &["-n", "1"]).await;
    assert_eq!(sending.end().await.0, Some(0));
    assert_eq!(again.end().await.0, Some(0));
    assert!(is_same(&site, "big.bin"));
}

/// However slow the machine is, it takes no less than this.
#[tokio::test]
async fn a_limit_is_never_passed() {
    let site = Site::start().await;
    let receiving = receiver(&site, &["-n", "1"]).await;
    file(&site, "a.bin", 4 * MIB);
    let sent = send(&site, &["a.bin", "t", "--limit", "2M"]);
    let mut sent = std::pin::pin!(sent);
    let early = timeout(Duration::from_millis(1500), &mut sent).await;
    early.expect_err("4 MiB take 2 s");
    assert_eq!(sent.await.status.code(), Some(0));
    assert_eq!(receiving.end().await.0, Some(0));
}

/// FILE-10: one receiver does not answer, and may have taken it; nobody says that it has not.
#[tokio::test]
async fn a_file_that_is_interrupted_is_not_denied_if_it_may_be_there() {
    let site = Site::start().await;
    let silent = receiver(&site, &[]).await;
    silent.signal("STOP").await;
    file(&site, "a.bin", 5);
    let interrupted = async |arguments: &[&str], seen: &str| {
        let arguments = [&["send", "a.bin", "t", "--json"], arguments].concat();
        let mut sending = Running::start(&mut site.amop(&arguments));
        while !sending.line().await.contains(seen) {}
        sending.signal("INT").await;
        let (code, _, stderr) = sending.end().await;
        assert_eq!(code, Some(130), "{stderr}");
        stderr
    };
    let stderr = interrupted(&[], "\"phase\":\"waiting\"").await;
    let said = "a.bin may be at its receiver or not; send it again to `t` within 24 h to know\n";
    assert!(stderr.ends_with(said), "{stderr}");

    fs::create_dir(site.dir.path().join("other")).unwrap();
    let mut other = Running::start(&mut site.amop(&["receive", "t", "other"]));
    other.error_line("receiving files of `t`").await;
    let stderr = interrupted(&["--all"], "\"done\":1").await;
    let said = "a.bin is at 1 of 2 receivers, and may be at 1 more; send it again to `t` within";
    assert!(stderr.contains(said), "{stderr}");
}

/// Waits until a byte that is not zero stands there in a part of a file, for which room was made.
async fn has_byte_at(parts: &Path, offset: usize) {
    loop {
        for part in fs::read_dir(parts).into_iter().flatten() {
            let path = part.unwrap().path();
            let mut word = [0; 4];
            if path.extension().is_some_and(|extension| extension == "data")
                && let Ok(mut data) = fs::File::open(path)
                && data.seek(SeekFrom::Start(offset as u64)).is_ok()
                && data.read_exact(&mut word).is_ok()
                && word != [0; 4]
            {
                return;
            }
        }
        tokio::task::yield_now().await;
    }
}

#[tokio::test]
async fn what_a_receiver_does_not_take_is_a_failure_with_a_code() {
    let site = Site::start().await;
    file(&site, "a.csv", 10);
    file(&site, "b.txt", 10);
    file(&site, "long.csv", 2048);
    let refused = |output: &Output, code: u8, kind: &str| {
        assert_eq!(output.status.code(), Some(code.into()), "{output:?}");
        let object = object(output);
        assert_eq!((&object["code"], &object["kind"]), (&code.into(), &kind.into()));
    };
    refused(&send(&site, &["a.csv", "t", "--json"]).await, 100, "no-subscriber");

    let receiving = receiver(&site, &["--accept", "*.csv", "--max", "1k"]).await;
    let keyed = |name| [name, "t", "--json", "--idempotency-key", "order 1"];
    file(&site, "first.csv", 10);
    assert_eq!(send(&site, &keyed("first.csv")).await.status.code(), Some(0));
    refused(&send(&site, &keyed("a.csv")).await, 205, "file-id-reused");
    refused(&send(&site, &["b.txt", "t", "--json"]).await, 206, "file-not-wanted");
    refused(&send(&site, &["long.csv", "t", "--json"]).await, 206, "file-too-long");
    assert_eq!(send(&site, &["a.csv", "t"]).await.status.code(), Some(0));
    file(&site, "a.csv", 11);
    refused(&send(&site, &["a.csv", "t", "--json"]).await, 206, "file-exists");
    receiving.signal("TERM").await;
    assert_eq!(receiving.end().await.0, Some(143));

    let receiving = receiver(&site, &["-n", "1", "--overwrite", "always"]).await;
    assert_eq!(send(&site, &["a.csv", "t"]).await.status.code(), Some(0));
    assert!(is_same(&site, "a.csv"));
    assert_eq!(receiving.end().await.0, Some(0));
}

#[tokio::test]
async fn a_file_or_a_directory_that_is_missing_is_said_to_be() {
    let site = Site::start().await;
    assert_eq!(send(&site, &["nothing", "t"]).await.status.code(), Some(66));
    let received = run(&mut site.amop(&["receive", "t", "nowhere"])).await;
    assert_eq!(received.status.code(), Some(73), "{received:?}");
}

/// FILE-15
#[tokio::test]
async fn a_file_for_all_is_said_to_be_at_each_or_why_it_is_not() {
    let site = Site::start().await;
    file(&site, "a.bin", 5);
    let nobody = send(&site, &["a.bin", "t", "--all", "--json"]).await;
    assert_eq!(
        (nobody.status.code(), &object(&nobody)["kind"]),
        (Some(100), &"no-subscriber".into())
    );

    let first = receiver(&site, &["-n", "1"]).await;
    fs::create_dir(site.dir.path().join("other")).unwrap();
    let mut second = Running::start(&mut site.amop(&["receive", "t", "other", "-n", "1"]));
    second.error_line("receiving files of `t`").await;
    let sent = send(&site, &["a.bin", "t", "--all"]).await;
    assert_eq!(sent.status.code(), Some(0), "{sent:?}");
    assert!(text(&sent.stdout).ends_with("  a.bin\n") && sent.stderr.is_empty(), "{sent:?}");
    assert_eq!(first.end().await.0, Some(0));
    assert_eq!(second.end().await.0, Some(0));
    assert!(is_same(&site, "a.bin") && site.dir.path().join("other/a.bin").exists());

    let taking = receiver(&site, &["-n", "1", "--overwrite", "always"]).await;
    let mut other = Running::start(&mut site.amop(&["receive", "t", "other", "--max", "1"]));
    other.error_line("receiving files of `t`").await;
    file(&site, "a.bin", 6);
    let sent = send(&site, &["a.bin", "t", "--all", "--json"]).await;
    assert_eq!(sent.status.code(), Some(206), "{sent:?}");
    let object = object(&sent);
    assert_eq!(
        keys(&object),
        ["code", "file", "left_out", "receivers", "sha256", "size", "topic", "type"]
    );
    let receivers = object["receivers"].as_array().unwrap();
    let mut kinds: Vec<_> = receivers.iter().map(|at| at["kind"].as_str().unwrap()).collect();
    kinds.sort_unstable();
    assert_eq!(kinds, ["done", "file-too-long"]);
    assert_eq!(keys(&receivers[0]), ["code", "instance", "kind", "moved_bytes", "node"]);
    assert_eq!((&object["code"], &object["left_out"]), (&206.into(), &0.into()));
    assert_eq!(taking.end().await.0, Some(0));
    assert!(is_same(&site, "a.bin"));

    file(&site, "a.bin", 7);
    let sent = send(&site, &["a.bin", "t", "--all"]).await;
    assert_eq!((sent.status.code(), sent.stdout.is_empty()), (Some(206), true));
    assert!(text(&sent.stderr).ends_with("a.bin is at 0 of 1 receivers\n"), "{sent:?}");
}

/// FILE-15: Ctrl-C leaves at each receiver what is there; each goes on from its own, and both ends say so.
#[tokio::test]
async fn a_file_for_all_that_is_interrupted_goes_on_at_each_and_says_from_where() {
    let site = Site::start().await;
    file(&site, "big.bin", 24 * MIB);
    let mut first = receiver(&site, &["-n", "1"]).await;
    fs::create_dir(site.dir.path().join("other")).unwrap();
    let mut second = Running::start(&mut site.amop(&["receive", "t", "other", "-n", "1"]));
    second.error_line("receiving files of `t`").await;

    let slow = || {
        let arguments = ["send", "big.bin", "t", "--all", "--limit", "6M", "--json"];
        Running::start(&mut site.amop(&arguments))
    };
    let sending = slow();
    for receiver in ["in", "other"] {
        let parts = site.dir.path().join(receiver).join(".amop-part");
        timeout(TIME_MAX, has_byte_at(&parts, 5 * MIB)).await.unwrap();
    }
    sending.signal("INT").await;
    let (code, _, stderr) = sending.end().await;
    assert_eq!(code, Some(130));
    let said = "big.bin is not sent; send it again to `t` within 24 h to go on\n";
    assert!(stderr.ends_with(said), "{stderr}");
    assert!(["in", "other"].iter().all(|dir| !site.dir.path().join(dir).join("big.bin").exists()));

    let mut sending = slow();
    let mut told = Vec::new();
    for _ in 0..2 {
        let resuming = sending.error_line("resuming at ").await;
        let (percent, who) = resuming["resuming at ".len()..].split_once(" % at ").unwrap();
        assert!(who.ends_with(" of bank-a/n1"), "{resuming}");
        let percent: usize = percent.parse().unwrap();
        assert!((8..100).contains(&percent), "{resuming}");
        told.push(percent);
    }
    let mut heard: Vec<usize> = Vec::new();
    for receiving in [&mut first, &mut second] {
        let resuming = receiving.error_line("big.bin: resuming at ").await;
        let (_, percent) = resuming.split_once("big.bin: resuming at ").unwrap();
        heard.push(percent.trim_end_matches(" %").parse().unwrap());
    }
    told.sort_unstable();
    heard.sort_unstable();
    assert_eq!(told, heard);
    let (code, stdout, stderr) = sending.end().await;
    assert_eq!(code, Some(0), "{stderr}");
    let sent = objects(&stdout).pop().unwrap();
    let receivers = sent["receivers"].as_array().unwrap();
    assert_eq!(receivers.len(), 2);
    for receiver in receivers {
        // Two chunks at most move twice, of the five MiB and more that were there.
        let moved = receiver["moved_bytes"].as_u64().unwrap();
        assert!(moved <= (24 * MIB + 12 * 32 - MIB) as u64, "{receiver}");
    }
    assert_eq!(first.end().await.0, Some(0));
    assert_eq!(second.end().await.0, Some(0));
    assert!(is_same(&site, "big.bin"));
}

/// FILE-14: and whoever holds another key gets nothing.
#[tokio::test]
async fn a_file_for_a_key_reaches_its_holder_and_nobody_else() {
    let site = Site::start().await;
    for name in ["hr.key", "other.key"] {
        assert!(run(&mut site.amop(&["key", "new", name])).await.status.success());
    }
    file(&site, "a.bin", 3 * MIB);
    fs::create_dir(site.dir.path().join("other")).unwrap();
    let strange = ["receive", "t", "other", "--topic-key", "other.key"];
    let mut strange = Running::start(&mut site.amop(&strange));
    strange.error_line("receiving files of `t`").await;
    let nobody = send(&site, &["a.bin", "t", "--to", "hr.key.pub", "--json"]).await;
    assert_eq!(nobody.status.code(), Some(100), "{nobody:?}");
    assert_eq!(object(&nobody)["kind"], "no-verified-receiver");

    let mut receiving = receiver(&site, &["-n", "1", "--topic-key", "hr.key"]).await;
    let clear = send(&site, &["a.bin", "t", "--json"]).await;
    assert_eq!(object(&clear)["kind"], "not-sealed");
    for all in [&["--all"][..], &[]] {
        let arguments = [&["a.bin", "t", "--to", "hr.key.pub"], all].concat();
        let sent = send(&site, &arguments).await;
        assert_eq!(sent.status.code(), Some(0), "{sent:?}");
        assert!(is_same(&site, "a.bin"));
        assert_eq!(receiving.end().await.0, Some(0));
        receiving = receiver(&site, &["-n", "1", "--topic-key", "hr.key"]).await;
    }
    assert!(!site.dir.path().join("other/a.bin").exists());
}
