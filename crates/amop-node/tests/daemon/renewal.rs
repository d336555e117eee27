//! A daemon that gets another certificate and key while it is linked.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use amop_node::view::PeerView;
use amop_pki::{AgencyPlan, Consortium};

use crate::admin::ask;
use crate::revocation::{directory, p2p_addr};
use crate::support::{Running, now, start};

async fn peers(dir: &Path) -> Vec<PeerView> {
    let socket = fs::read_dir(dir).unwrap().map(|entry| entry.unwrap().path());
    let state = socket.into_iter().find(|path| path.to_string_lossy().ends_with(".state")).unwrap();
    serde_json::from_str(&ask(&state.join("admin.sock"), "GET /v1/peers").await.1).unwrap()
}

fn count(node: &Running, text: &str) -> usize {
    node.log.iter().filter(|line| line.contains(text)).count()
}

/// SEQ-15
#[tokio::test]
async fn certificate_and_key_are_replaced_one_after_the_other_and_no_link_is_lost() {
    let agency = |agency| AgencyPlan { agency, nodes: &["n1"], clients: &[] };
    let plan = [agency("bank-a"), agency("bank-b")];
    let consortium = Consortium::new("Test", "amop", &plan, now()).unwrap();
    let first_dir = directory(&consortium, "bank-a", "");
    let mut first = start(first_dir.path()).await;
    let peer =
        format!("[[p2p.peer]]\nname = \"n1.node.bank-a.amop\"\naddr = [\"{}\"]", p2p_addr(&first));
    let second_dir = directory(&consortium, "bank-b", &peer);
    let mut second = start(second_dir.path()).await;
    first.says("peer linked").await;
    second.says("admin interface ready").await;
    second.says("peer linked").await;
    let before = peers(second_dir.path()).await.remove(0).link.unwrap().fingerprint;

    let name = "n1.node.bank-a.amop".parse().unwrap();
    let leaf = consortium.agency("bank-a").unwrap().issue(&name, now()).unwrap();
    let path = |name: &str| first_dir.path().join(name);
    fs::write(path("new.key"), leaf.key_pem()).unwrap();
    fs::set_permissions(path("new.key"), fs::Permissions::from_mode(0o600)).unwrap();
    fs::rename(path("new.key"), path("node.key")).unwrap();
    first.says("not reloaded; nothing has changed").await;
    assert!(!first.said("another certificate"), "{:?}", first.log);
    fs::write(path("new.crt"), leaf.chain_pem()).unwrap();
    fs::rename(path("new.crt"), path("node.crt")).unwrap();
    first.says("going by another certificate").await;

    // The link is that of before; the next one has the new certificate.
    let link = peers(second_dir.path()).await.remove(0).link.unwrap();
    assert_eq!(link.fingerprint, before);
    assert_eq!([count(&first, "peer lost"), count(&second, "peer lost")], [0, 0]);
    second.kill().await;
    let mut again = start(second_dir.path()).await;
    again.says("admin interface ready").await;
    again.says("peer linked").await;
    let link = peers(second_dir.path()).await.remove(0).link.unwrap();
    assert_ne!(link.fingerprint, before);
    assert!(!again.said("is not believed"), "{:?}", again.log);
}

#[tokio::test]
async fn the_certificate_of_another_node_is_not_taken() {
    let plan = [AgencyPlan { agency: "bank-a", nodes: &["n1", "n2"], clients: &[] }];
    let consortium = Consortium::new("Test", "amop", &plan, now()).unwrap();
    let dir = directory(&consortium, "bank-a", "");
    let mut node = start(dir.path()).await;
    let other = consortium.node("bank-a", "n2").unwrap();
    fs::write(dir.path().join("node.key"), other.key_pem()).unwrap();
    fs::write(dir.path().join("node.crt"), other.chain_pem()).unwrap();
    let config = fs::read_to_string(dir.path().join("amop.toml")).unwrap();
    fs::write(dir.path().join("amop.toml"), config.replace("\"n1\"", "\"n2\"")).unwrap();
    node.hang_up();
    node.says("the certificate is that of n2.node.bank-a.amop").await;
    assert!(!node.said("going by another certificate"), "{:?}", node.log);
}
