//! Two daemons that are linked, and one of them is revoked.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use amop_pki::{AgencyPlan, Certificate, Consortium, Reason, Revocation};
use tempfile::TempDir;

use crate::support::{Running, now, start};

/// The node of an agency in a directory of its own, which goes by the lists in `crl`.
pub(crate) fn directory(consortium: &Consortium, agency: &str, peer: &str) -> TempDir {
    let dir = TempDir::new().unwrap();
    let node = consortium.node(agency, "n1").unwrap();
    let path = |name: &str| dir.path().join(name);
    fs::write(path("ca.crt"), consortium.root().certificate_pem()).unwrap();
    fs::write(path("node.crt"), node.chain_pem()).unwrap();
    fs::write(path("node.key"), node.key_pem()).unwrap();
    fs::set_permissions(path("node.key"), fs::Permissions::from_mode(0o600)).unwrap();
    fs::create_dir(path("crl")).unwrap();
    let text = format!(
        "[node]\nname = \"n1\"\nagency = \"{agency}\"\n\
         [tls]\nca = \"ca.crt\"\ncert = \"node.crt\"\nkey = \"node.key\"\ncrl = \"crl\"\n\
         [p2p]\nlisten = \"127.0.0.1:0\"\n{peer}\n[sdk]\nlisten = \"127.0.0.1:0\"\n"
    );
    fs::write(path("amop.toml"), text).unwrap();
    dir
}

/// Puts a list that revokes a node of bank-b into a directory, whole.
fn revoke(consortium: &Consortium, dir: &Path) {
    let chain = consortium.node("bank-b", "n1").unwrap().chain_pem();
    let serial = Certificate::all_from_pem(chain).unwrap().remove(0).serial;
    let revoked = Revocation { serial, at: now(), reason: Reason::KeyCompromise };
    let list = consortium.agency("bank-b").unwrap();
    let list = list.revocation_list(None, &[revoked], 30, now()).unwrap();
    fs::write(dir.join("list.new"), list.to_pem()).unwrap();
    fs::rename(dir.join("list.new"), dir.join("crl/bank-b.crl")).unwrap();
}

pub(crate) fn p2p_addr(node: &Running) -> String {
    let line = node.log.last().unwrap();
    line.split("p2p_addr=").nth(1).unwrap().split(' ').next().unwrap().to_owned()
}

/// IDENT-5, IDENT-7, IDENT-8
#[tokio::test]
async fn a_list_on_the_disk_cuts_off_a_node_and_both_operators_read_the_same_sentence() {
    let agency = |agency| AgencyPlan { agency, nodes: &["n1"], clients: &[] };
    let plan = [agency("bank-a"), agency("bank-b")];
    let consortium = Consortium::new("Test", "amop", &plan, now()).unwrap();
    // Whoever judges is dialed the first time, and dials the second time.
    for judge_dials in [false, true] {
        let [first, second] = if judge_dials { ["bank-b", "bank-a"] } else { ["bank-a", "bank-b"] };
        let first_dir = directory(&consortium, first, "");
        let mut acceptor = start(first_dir.path()).await;
        let peer = format!(
            "[[p2p.peer]]\nname = \"n1.node.{first}.amop\"\naddr = [\"{}\"]",
            p2p_addr(&acceptor)
        );
        let second_dir = directory(&consortium, second, &peer);
        let mut dialer = start(second_dir.path()).await;
        acceptor.says("peer linked").await;
        dialer.says("peer linked").await;

        let (judge, dir, refused) = match judge_dials {
            false => (&mut acceptor, &first_dir, &mut dialer),
            true => (&mut dialer, &second_dir, &mut acceptor),
        };
        revoke(&consortium, dir.path());
        let sentence = "certificate n1.node.bank-b.amop refused: revoked on ";
        judge.says("closed a link").await;
        assert!(judge.said(sentence), "{:?}", judge.log);
        refused.says(sentence).await;
        assert!(refused.said("closed by the peer"), "{:?}", refused.log);
        // Whoever of them dials is told again, in the same words.
        dialer.says("cannot link with peer").await;
        let told = dialer.log.iter().rfind(|line| line.contains("cannot link")).unwrap();
        assert!(told.contains(sentence), "{told}");
    }
}
