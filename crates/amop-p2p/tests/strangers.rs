//! How much memory strangers take, who fail in their handshakes.

#![expect(clippy::unwrap_used, reason = "a test may panic")]

use std::net::{Ipv4Addr, SocketAddr};
use std::time::SystemTime;

use allocation_counter::measure;
use amop_p2p::{Endpoint, Identity, LinkKind, Settings, Trust};
use amop_pki::Root;
use amop_wire::Name;
use amop_wire::limits::{HALF_OPEN_UNPROVED_MAX, UNLINKED_MAX};
use tokio::runtime::{Builder, Runtime};
use tokio::task::JoinSet;

#[expect(clippy::disallowed_methods, reason = "certificates must count at the real time")]
fn now() -> SystemTime {
    SystemTime::now()
}

fn party(root: &Root, dns: &str) -> (Identity, Trust) {
    let name: Name = dns.parse().unwrap();
    let leaf = root.agency(name.agency(), now()).unwrap().issue(&name, now()).unwrap();
    let identity = Identity::from_pem(leaf.chain_pem().as_bytes(), leaf.key_pem().as_bytes());
    (identity.unwrap(), Trust::from_pem(root.certificate_pem().as_bytes()).unwrap())
}

fn runtime() -> Runtime {
    Builder::new_current_thread().enable_all().build().unwrap()
}

/// Dials as often at once from a thread of its own, so that none of its memory counts here.
fn strangers(node: SocketAddr, trust: Trust, count: usize) -> std::thread::JoinHandle<usize> {
    let (stranger, _) =
        party(&Root::new("Elsewhere", "amop", now()).unwrap(), "app.sdk.bank-a.amop");
    std::thread::spawn(move || {
        runtime().block_on(async {
            let dialer = Endpoint::dial_only(LinkKind::Sdk, &stranger, &trust, Settings::default());
            let (dialer, mut dials) = (dialer.unwrap(), JoinSet::new());
            for _ in 0..count {
                let dialer = dialer.clone();
                dials.spawn(async move { dialer.dial(node, None).await.is_err() });
            }
            let refused = dials.join_all().await;
            refused.into_iter().filter(|is_refused| *is_refused).count()
        })
    })
}

/// What the bound on connections that are no links is made of: with both ports of a node full, a flood of
/// handshakes takes less than 64 MiB.
#[test]
fn so_many_strangers_as_may_be_there_take_less_than_30_mib_at_each_port() {
    let root = Root::new("Test Consortium", "amop", now()).unwrap();
    let (identity, trust) = party(&root, "n1.node.bank-a.amop");
    let (runtime, any) = (runtime(), SocketAddr::from((Ipv4Addr::LOCALHOST, 0)));
    let acceptor = runtime.block_on(async {
        Endpoint::listen(any, LinkKind::Sdk, &identity, &trust, Settings::default()).unwrap()
    });
    let most = |count: usize| {
        let dialing = strangers(acceptor.local_addr().unwrap(), trust.clone(), count);
        let info = measure(|| {
            runtime.block_on(async {
                let mut handshakes = Vec::new();
                for _ in 0..count {
                    handshakes.push(acceptor.accept().await.unwrap().complete());
                }
                // All at once: so each has all of its memory at the same moment.
                let refused: JoinSet<_> = handshakes.into_iter().collect();
                assert!(refused.join_all().await.iter().all(Result::is_err));
            });
        });
        assert_eq!(dialing.join().unwrap(), count);
        usize::try_from(info.bytes_max).unwrap()
    };
    // What is there once is not counted for each.
    let first = most(1);
    let each = (most(HALF_OPEN_UNPROVED_MAX) - first) / (HALF_OPEN_UNPROVED_MAX - 1);
    assert!(each * UNLINKED_MAX < 30 << 20, "{each} bytes each");
}
