//! Private topics where the subscribers' node lies to both ends: over real links, between real nodes.

use amop_sdk::{Client, PrivateTopic, PublicKey, Subscription, generate_key};
use tokio::task::JoinHandle;

use crate::liar::{Liar, Lie};
use crate::routes::Net;
use crate::support::{echo, within};

/// A publisher that lets one key in, and at another node, which may lie, its holder and a stranger who subscribes to
/// the same topic with a key of his own.
struct Scene {
    liar: Liar,
    private: PrivateTopic,
    key: PublicKey,
    alice: Client,
    stranger: Client,
    unread: Subscription,
    echo: JoinHandle<()>,
    _net: Net,
}

/// In the order in which they attach.
const ALICE: usize = 0;

const STRANGER: usize = 1;

impl Scene {
    /// Sets it up with a node that keeps to the protocol, so that Alice is verified.
    async fn honest() -> Self {
        let net = Net::start(&[&[], &[0]]).await;
        let liar = net.liar(1);
        let publisher = net.client(0).await;
        let alice = net.client_at(1, liar.addr()).await;
        let stranger = net.client_at(1, liar.addr()).await;
        let key = generate_key();
        let subscribed = alice.subscribe_private("salary", key.clone()).propagated();
        let echo = tokio::spawn(echo(subscribed.await.unwrap()));
        let unread = stranger.subscribe_private("salary", generate_key()).propagated();
        let unread = unread.await.unwrap();
        let key = key.public();
        let private = publisher.private("salary").to([key]).unwrap();
        let scene = Self { liar, private, key, alice, stranger, unread, echo, _net: net };
        scene.alice_alone_is_verified().await;
        scene
    }

    /// Has everybody verified anew while the node lies like this: it is nobody.
    async fn nobody_is_verified_by(&self, lie: Lie) {
        self.private.remove(&self.key);
        self.liar.tell(lie);
        self.private.allow([self.key]).unwrap();
        let mut verified = self.private.verified();
        tokio::select! {
            ((), ()) = async {
                tokio::join!(self.liar.until_refused(ALICE), self.liar.until_refused(STRANGER))
            } => {}
            proved = verified.by(&self.key) => panic!("{lie:?}: {proved:?}"),
        }
        assert_eq!(verified.now(), [], "{lie:?}");
    }

    async fn alice_alone_is_verified(&self) {
        let proved = within(self.private.verified().by(&self.key)).await;
        assert_eq!(proved.instance, self.alice.instance());
        assert_eq!(self.private.verified().now(), [proved]);
        let answer = within(self.private.request("4711: 3,000").into_future()).await.unwrap();
        assert_eq!(answer.payload, "4711: 3,000");
    }

    async fn the_stranger_reads_nothing(mut self) {
        assert!(!self.liar.has_read(b"4711"));
        self.echo.abort();
        self.stranger.close().await;
        assert!(self.unread.next().await.is_none(), "it never got a word");
    }
}

/// PRIV-3: Alice proves what the stranger was asked, and the node says that it was he.
#[tokio::test]
async fn a_proof_that_a_node_relays_from_another_subscriber_verifies_nobody() {
    let scene = Scene::honest().await;
    scene.nobody_is_verified_by(Lie::Relay).await;
    scene.liar.tell(Lie::Nothing);
    scene.alice_alone_is_verified().await;
    scene.the_stranger_reads_nothing().await;
}

/// PRIV-4: the node answers in their place with what Alice has once proved to the same publisher.
#[tokio::test]
async fn a_proof_that_a_node_plays_again_verifies_nobody() {
    let scene = Scene::honest().await;
    scene.nobody_is_verified_by(Lie::Replay).await;
    scene.liar.tell(Lie::Nothing);
    scene.alice_alone_is_verified().await;
    scene.the_stranger_reads_nothing().await;
}

/// PRIV-3: what a subscriber proves to another publisher than the one that asked it, is worth nothing to either.
#[tokio::test]
async fn a_node_that_shows_its_client_another_publisher_has_nobody_verified() {
    let scene = Scene::honest().await;
    for lie in [Lie::OtherName, Lie::OtherInstance] {
        scene.nobody_is_verified_by(lie).await;
    }
    scene.liar.tell(Lie::Nothing);
    scene.alice_alone_is_verified().await;
    scene.the_stranger_reads_nothing().await;
}

/// PRIV-2, PRIV-16: the node hands what is for Alice to a subscriber of the same topic as well.
#[tokio::test]
async fn a_copied_subscription_at_the_same_node_cannot_open_what_the_node_copies_for_it() {
    let scene = Scene::honest().await;
    scene.liar.tell(Lie::Copy);
    for _ in 0..10 {
        scene.alice_alone_is_verified().await;
    }
    scene.liar.until_unread(STRANGER, 10).await;
    let receipt = within(scene.private.multicast("all").into_future()).await.unwrap();
    assert_eq!((receipt.targets, receipt.acked, receipt.refused), (2, 1, 1));
    scene.the_stranger_reads_nothing().await;
}
