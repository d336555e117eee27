//! `amop cert quick`.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use amop_node::{Node, Status};
use amop_p2p::Target;

use crate::support::{Running, amop, certified, config, object, run, shell, text};

#[tokio::test]
async fn keys_are_private_and_the_node_takes_its_configuration() {
    let dir = certified().await;
    let files = read_all(dir.path());
    let names: Vec<_> = files.keys().map(|path| path.display().to_string()).collect();
    let expected = [
        "amop.toml",
        "bank-a-ca.crt",
        "bank-a-ca.key",
        "ca.crt",
        "ca.key",
        "node.crt",
        "node.key",
        "sdk.crt",
        "sdk.key",
    ];
    assert_eq!(names, expected);
    for name in names {
        let mode = fs::metadata(dir.path().join(&name)).unwrap().permissions().mode() & 0o777;
        assert_eq!(mode, if name.ends_with(".key") { 0o600 } else { 0o644 }, "{name}");
    }
    let node = amop_node::Config::from_file(dir.path().join("amop.toml")).unwrap().node;
    assert_eq!(node.identity.name().as_dns(), "n1.node.bank-a.amop");
    assert_eq!(node.sdk_listen.to_string(), "127.0.0.1:20200", "the tool's default endpoint");
}

#[tokio::test]
async fn nothing_is_overwritten() {
    let dir = certified().await;
    let before = read_all(dir.path());
    let again = ["cert", "quick", "--agency", "bank-a", "--app", "payments"];
    let ended = run(&mut amop(dir.path(), &again)).await;
    assert_eq!(ended.status.code(), Some(73), "{ended:?}");
    assert_eq!(read_all(dir.path()), before);

    // A file in the way of a further node: nothing of it is made.
    fs::create_dir_all(dir.path().join("bank-b/n1")).unwrap();
    fs::write(dir.path().join("bank-b/n1/sdk.key"), "somebody's").unwrap();
    let before = read_all(dir.path());
    let ended = run(&mut amop(dir.path(), &["cert", "quick", "--agency", "bank-b"])).await;
    assert_eq!(ended.status.code(), Some(73), "{ended:?}");
    assert!(text(&ended.stderr).contains("bank-b/n1/sdk.key exists"), "{ended:?}");
    assert_eq!(read_all(dir.path()), before);
}

#[tokio::test]
async fn further_runs_add_nodes_to_the_consortium_which_link() {
    let dir = certified().await;
    for arguments in
        [["--agency", "bank-b", "--node", "n1"], ["--agency", "bank-a", "--node", "n2"]]
    {
        let ended =
            run(&mut amop(dir.path(), &[&["cert", "quick"], &arguments[..]].concat())).await;
        assert_eq!(ended.status.code(), Some(0), "{ended:?}");
    }
    let mut addrs = Vec::new();
    let mut nodes = Vec::new();
    for (home, peers) in [(".", 0), ("bank-b/n1", 1), ("bank-a/n2", 2)] {
        let path = dir.path().join(home).join("amop.toml");
        let written = amop_node::Config::from_file(&path).unwrap().node;
        assert_eq!(written.peers.len(), peers, "it dials those before it");
        addrs.extend([written.p2p_listen, written.sdk_listen]);

        let mut node = config(&path).node;
        node.peers = nodes.iter().map(target).collect();
        nodes.push(Node::start(node).await.unwrap());
    }
    addrs.sort_unstable();
    addrs.dedup();
    assert_eq!(addrs.len(), 6, "no two nodes listen on the same port");
    for node in &nodes {
        let linked = |status: &Status| status.peers.len() == 2;
        node.status().wait_for(linked).await.unwrap();
    }
}

#[tokio::test]
async fn the_commands_that_it_prints_work() {
    let dir = tempfile::tempdir().unwrap();
    let arguments = ["cert", "quick", "--agency", "bank-a", "--dir", "it's new", "--json"];
    let made = object(&run(&mut amop(dir.path(), &arguments)).await);
    let commands: Vec<_> = made["commands"].as_array().unwrap().iter().collect();
    let [start, subscribe, publish] = commands[..] else { panic!("{commands:?}") };
    assert!(start.as_str().unwrap().ends_with(r"--config 'it'\''s new/amop.toml'"), "{start}");

    let node = Node::start(config(&dir.path().join("it's new/amop.toml")).node).await.unwrap();
    let here = |command: &serde_json::Value| {
        let line = command.as_str().unwrap();
        let moved = line.replace("127.0.0.1:20200", &node.sdk_addr().to_string());
        assert_ne!(moved, line, "it names the endpoint");
        moved
    };
    let mut sub = Running::subscriber(&mut shell(dir.path(), &here(subscribe))).await;
    let published = run(&mut shell(dir.path(), &here(publish))).await;
    assert!(text(&published.stdout).contains("1 of 1 subscribers"), "{published:?}");
    sub.line().await;
    assert_eq!(sub.line().await, "good morning");
}

#[tokio::test]
async fn what_is_in_the_way_is_named() {
    let dir = certified().await;
    let quick = |arguments: &'static [&'static str]| {
        amop(dir.path(), &[&["cert", "quick", "--agency"], arguments].concat())
    };
    let bad_name = run(&mut quick(&["Bank B"])).await;
    assert_eq!(bad_name.status.code(), Some(2), "{bad_name:?}");
    let other_domain = run(&mut quick(&["bank-b", "--domain", "east"])).await;
    assert_eq!(other_domain.status.code(), Some(2), "{other_domain:?}");

    fs::rename(dir.path().join("ca.key"), dir.path().join("taken-away.key")).unwrap();
    let no_key = run(&mut quick(&["bank-b"])).await;
    assert_eq!(no_key.status.code(), Some(66), "{no_key:?}");
    assert!(text(&no_key.stderr).contains("ca.key"), "{no_key:?}");
    fs::copy(dir.path().join("node.key"), dir.path().join("ca.key")).unwrap();
    let wrong_key = run(&mut quick(&["bank-b"])).await;
    assert_eq!(wrong_key.status.code(), Some(65), "{wrong_key:?}");
}

fn target(node: &Node) -> (amop_sdk::Name, Vec<Target>) {
    let (name, addr) = (node.name().clone(), node.p2p_addr().to_string());
    (name.clone(), vec![Target { addr, expected: Some(name) }])
}

/// Every file below a directory, with its content.
fn read_all(dir: &Path) -> BTreeMap<PathBuf, Vec<u8>> {
    let mut files = BTreeMap::new();
    let mut open = vec![dir.to_owned()];
    while let Some(folder) = open.pop() {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                open.push(path);
            } else {
                let name = path.strip_prefix(dir).unwrap().to_owned();
                files.insert(name, fs::read(path).unwrap());
            }
        }
    }
    files
}
