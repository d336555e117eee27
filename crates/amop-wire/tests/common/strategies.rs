//! Draws any message that can travel: every variant, every value that the limits let pass.

use std::time::Duration;

use amop_wire::limits::{TRIED_MAX, TTL_MAX};
use amop_wire::{
    AckEnd, AckRun, Announcement, AnnouncementChanges, AnnouncementHead, Answer, AnswerStatus,
    Attempt, Chain, ClientHandshake, ClientMessage, Code, Delivery, Epoch, Frame, Gen, Instance,
    Key, Lane, Mode, MsgId, Multicast, Name, NodeHandshake, NodeId, NodeMessage, Outcome, Path,
    PeerAnswer, PeerHandshake, PeerMessage, PeerReceiptRun, PeerRefusal, Publish, Reason, Receipt,
    ReceiptRun, Refuse, Relay, Request, Returned, Role, Sealing, Seated, Seq, SetDigest,
    SignedHead, Stop, Subscriber, Terms, Topic, TopicChange, Tree, Version, Watched,
};
use bytes::Bytes;
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::select;

use crate::questions::questions;

pub(crate) fn client_messages() -> impl Strategy<Value = ClientMessage> {
    let publish = (0..u64::MAX, ttls(), modes(), any::<u64>(), terms(), topics(), payloads())
        .prop_map(|(counter, ttl, mode, sequence, terms, topic, payload)| Publish {
            terms,
            counter,
            ttl,
            mode,
            sequence,
            topic,
            payload,
        });
    let answer = (attempts(), statuses(), payloads())
        .prop_map(|(attempt, status, payload)| Answer { attempt, status, payload });
    let refuse = (attempts(), reasons(), any::<bool>())
        .prop_map(|(attempt, reason, fenced)| Refuse { attempt, reason, fenced });
    let ends = prop_oneof![Just(AckEnd::Taken), Just(AckEnd::Refused), Just(AckEnd::Copy)];
    let ack = (runs(), ends).prop_map(|((first, count), end)| AckRun { first, count, end });
    prop_oneof![
        (instances(), generations())
            .prop_map(|(instance, generation)| ClientMessage::Attach { instance, generation }),
        topics().prop_map(ClientMessage::Subscribe),
        topics().prop_map(ClientMessage::Unsubscribe),
        topics().prop_map(ClientMessage::Propagate),
        topics().prop_map(ClientMessage::Watch),
        (instances(), prop::option::of(nodes()), topics(), payloads())
            .prop_map(|(to, home, topic, payload)| ClientHandshake { to, home, topic, payload })
            .prop_map(ClientMessage::Handshake),
        publish.prop_map(ClientMessage::Publish),
        answer.prop_map(ClientMessage::Answer),
        refuse.prop_map(ClientMessage::Refuse),
        vec(ack, 0..9).prop_map(ClientMessage::Acks),
    ]
}

pub(crate) fn node_messages() -> impl Strategy<Value = NodeMessage> {
    let delivery = (attempts(), ttls(), terms(), names(), topics(), payloads()).prop_map(
        |(attempt, ttl, terms, from, topic, payload)| Delivery {
            attempt,
            ttl,
            terms,
            from,
            topic,
            payload,
        },
    );
    let tried = (prop::option::of(names()), vec(names(), 0..=TRIED_MAX));
    let retry_after = any::<Option<u32>>()
        .prop_map(|millis| millis.map(|millis| Duration::from_millis(millis.into())));
    let numbers = (any::<u64>(), codes(), reasons(), any::<u32>(), statuses(), retry_after);
    let outcome = (numbers, tried, payloads()).prop_map(|(numbers, tried, payload)| {
        let (counter, code, reason, attempts, status, retry_after) = numbers;
        let (answered_by, tried) = tried;
        Outcome {
            counter,
            code,
            reason,
            attempts,
            status,
            answered_by,
            tried,
            retry_after,
            payload,
        }
    });
    let run = (runs(), receipts());
    let run = run.prop_map(|((first, count), receipt)| ReceiptRun { first, count, receipt });
    let in_flight = (any::<u32>(), any::<u64>());
    let in_flight = in_flight.prop_map(|(messages, bytes)| amop_wire::InFlight { messages, bytes });
    prop_oneof![
        (epochs(), in_flight)
            .prop_map(|(epoch, in_flight)| NodeMessage::Attached { epoch, in_flight }),
        (topics(), codes(), reasons()).prop_map(|(topic, code, reason)| NodeMessage::Subscribed {
            topic,
            code,
            reason
        }),
        topics().prop_map(|topic| NodeMessage::Propagated { topic }),
        epochs().prop_map(|epoch| NodeMessage::Outlived { epoch }),
        Just(NodeMessage::Draining),
        watched().prop_map(NodeMessage::Watched),
        (instances(), prop::option::of(nodes()), names(), topics(), payloads())
            .prop_map(|(from, home, name, topic, payload)| NodeHandshake {
                from,
                home,
                name,
                topic,
                payload,
            })
            .prop_map(NodeMessage::Handshake),
        delivery.prop_map(NodeMessage::Delivery),
        multicasts().prop_map(NodeMessage::Multicast),
        outcome.prop_map(NodeMessage::Outcome),
        vec(run, 0..9).prop_map(NodeMessage::Receipts),
    ]
}

pub(crate) fn peer_messages() -> impl Strategy<Value = PeerMessage> {
    let request = (
        ids(),
        ttls(),
        (any::<u32>(), instances(), epochs(), terms()),
        names(),
        topics(),
        payloads(),
    )
        .prop_map(
            |(id, ttl, (attempt, subscriber, exit_epoch, terms), from, topic, payload)| Request {
                id,
                ttl,
                attempt,
                subscriber,
                exit_epoch,
                terms,
                from,
                topic,
                payload,
            },
        );
    let answer = (ids(), any::<u32>(), statuses(), instances(), payloads()).prop_map(
        |(id, attempt, status, subscriber, payload)| PeerAnswer {
            id,
            attempt,
            status,
            subscriber,
            payload,
        },
    );
    let refusal = (ids(), any::<u32>(), reasons(), instances(), any::<bool>()).prop_map(
        |(id, attempt, reason, subscriber, fenced)| PeerRefusal {
            id,
            attempt,
            reason,
            subscriber,
            fenced,
        },
    );
    let run =
        (instances(), runs(), receipts()).prop_map(|(publisher, (counter, count), receipt)| {
            PeerReceiptRun { first: MsgId { publisher, counter }, count, receipt }
        });
    prop_oneof![
        epochs().prop_map(PeerMessage::Greeting),
        vec((nodes(), versions()), 0..9).prop_map(PeerMessage::Summary),
        any::<u64>().prop_map(PeerMessage::Heartbeat),
        nodes().prop_map(PeerMessage::Pull),
        announcements().prop_map(PeerMessage::Snapshot),
        announcement_changes().prop_map(PeerMessage::Changes),
        relays().prop_map(PeerMessage::Relay),
        returned().prop_map(PeerMessage::Returned),
        trees().prop_map(PeerMessage::Tree),
        Just(PeerMessage::Probe),
        versions().prop_map(PeerMessage::Held),
        questions(),
        (instances(), instances(), any::<bool>(), names(), topics(), payloads())
            .prop_map(|(from, to, from_publisher, name, topic, payload)| PeerHandshake {
                from,
                to,
                from_publisher,
                name,
                topic,
                payload,
            })
            .prop_map(PeerMessage::Handshake),
        request.prop_map(PeerMessage::Request),
        answer.prop_map(PeerMessage::Answer),
        refusal.prop_map(PeerMessage::Refusal),
        multicasts().prop_map(PeerMessage::Multicast),
        vec(run, 0..9).prop_map(PeerMessage::Receipts),
    ]
}

fn announcements() -> impl Strategy<Value = Announcement> {
    let entry = (topics(), vec(subscribers(), 0..4));
    let signed = versions().prop_flat_map(signed_heads);
    (signed, chains(), vec(nodes(), 0..4), vec(entry, 0..6)).prop_map(
        |(signed, chain, neighbours, topics)| Announcement::new(signed, chain, neighbours, topics),
    )
}

fn announcement_changes() -> impl Strategy<Value = AnnouncementChanges> {
    let change = (topics(), subscribers(), any::<bool>())
        .prop_map(|(topic, subscriber, removed)| TopicChange { topic, subscriber, removed });
    let seqs = (0..u64::MAX).prop_flat_map(|from| (Just(Seq(from)), (from + 1..=u64::MAX)));
    let signed = (epochs(), seqs).prop_flat_map(|(epoch, (from, to))| {
        (Just(from), signed_heads(Version { epoch, seq: Seq(to) }))
    });
    let neighbours = prop::option::of(vec(nodes(), 0..4));
    (signed, neighbours, vec(change, 0..6)).prop_map(|((from, signed), neighbours, changes)| {
        AnnouncementChanges::new(from, signed, neighbours, changes)
    })
}

fn signed_heads(version: Version) -> impl Strategy<Value = SignedHead> {
    (names(), any::<[u8; 32]>(), vec(any::<u8>(), 0..80)).prop_map(
        move |(name, digest, signature)| {
            let digest = SetDigest::from_bytes(digest);
            SignedHead::new(AnnouncementHead { name, version, digest }, signature.into())
        },
    )
}

fn chains() -> impl Strategy<Value = Chain> {
    let certificate = vec(any::<u8>(), 0..100).prop_map(Bytes::from);
    vec(certificate, 1..=4).prop_map(|chain| Chain::new(chain).expect("within the limits"))
}

fn relays() -> impl Strategy<Value = Relay> {
    let header = vec(any::<u8>(), 0..100).prop_map(Bytes::from);
    let lane = select(&[Lane::Replies, Lane::Unicasts, Lane::Multicasts][..]);
    (paths(), any::<prop::sample::Index>(), lane, header, payloads()).prop_map(
        |(path, position, lane, header, payload)| {
            let position = 1 + position.index(path.nodes().len() - 1);
            let spent = Duration::from_millis(7);
            Relay { path, position, lane, spent, frame: Frame { header, payload } }
        },
    )
}

fn trees() -> impl Strategy<Value = Tree> {
    let stop = (nodes(), any::<u8>(), any::<bool>()).prop_map(|(node, depth, is_exit)| Stop {
        node,
        depth,
        is_exit,
    });
    let header = vec(any::<u8>(), 0..100).prop_map(Bytes::from);
    (vec(nodes(), 1..=8), vec(stop, 0..20), header, payloads()).prop_map(
        |(way, stops, header, payload)| Tree {
            way,
            stops,
            spent: Duration::from_millis(u32::MAX.into()),
            frame: Frame { header, payload },
        },
    )
}

fn returned() -> impl Strategy<Value = Returned> {
    let header = vec(any::<u8>(), 0..100).prop_map(Bytes::from);
    (paths(), any::<prop::sample::Index>(), header).prop_map(|(path, position, header)| {
        let position = position.index(path.nodes().len());
        Returned { path, position, header }
    })
}

fn paths() -> impl Strategy<Value = Path> {
    vec(nodes(), 3..=9).prop_filter_map("visits a node twice", |nodes| Path::new(&nodes))
}

fn nodes() -> impl Strategy<Value = NodeId> {
    any::<[u8; 32]>().prop_map(NodeId::from_bytes)
}

/// A beginning and a count that stay within the numbers there are.
fn runs() -> impl Strategy<Value = (u64, u32)> {
    any::<u32>().prop_flat_map(|count| (0..=u64::MAX - u64::from(count), Just(count)))
}

fn topics() -> impl Strategy<Value = Topic> {
    let ascii = "[!-~]([ -~]{0,253}[!-~])?";
    let any_script = "\\PC{1,60}";
    prop_oneof![ascii, any_script].prop_filter_map("breaks a rule", |text| text.parse().ok())
}

fn names() -> impl Strategy<Value = Name> {
    let label = "[a-z0-9]([a-z0-9-]{0,20}[a-z0-9])?";
    let domain = "[a-z0-9]{1,20}(\\.[a-z0-9]{1,20}){0,2}";
    (label, select(&[Role::Node, Role::Sdk][..]), label, domain).prop_map(
        |(label, role, agency, domain)| {
            Name::new(&label, role, &agency, &domain).expect("the parts are labels")
        },
    )
}

fn attempts() -> impl Strategy<Value = Attempt> {
    (any::<[u8; 32]>(), instances(), any::<u64>(), any::<u32>()).prop_map(
        |(home, publisher, counter, number)| Attempt {
            home: NodeId::from_bytes(home),
            id: MsgId { publisher, counter },
            number,
        },
    )
}

/// Whole milliseconds: the wire knows no smaller span.
fn ttls() -> impl Strategy<Value = Duration> {
    let most = u64::try_from(TTL_MAX.as_millis()).expect("an hour");
    (0..=most).prop_map(Duration::from_millis)
}

fn receipts() -> impl Strategy<Value = Receipt> {
    any::<(u32, u32, u32)>().prop_map(|(acked, refused, unknown)| Receipt {
        acked,
        refused,
        unknown,
    })
}

fn subscribers() -> impl Strategy<Value = Subscriber> {
    (instances(), generations())
        .prop_map(|(instance, generation)| Subscriber { instance, generation })
}

fn versions() -> impl Strategy<Value = Version> {
    (epochs(), any::<u64>()).prop_map(|(epoch, seq)| Version { epoch, seq: Seq(seq) })
}

fn payloads() -> impl Strategy<Value = Bytes> {
    vec(any::<u8>(), 0..300).prop_map(Bytes::from)
}

fn instances() -> impl Strategy<Value = Instance> {
    any::<u64>().prop_map(Instance)
}

fn generations() -> impl Strategy<Value = Gen> {
    any::<u32>().prop_map(Gen)
}

fn epochs() -> impl Strategy<Value = Epoch> {
    any::<u64>().prop_map(Epoch)
}

fn ids() -> impl Strategy<Value = MsgId> {
    (instances(), any::<u64>()).prop_map(|(publisher, counter)| MsgId { publisher, counter })
}

fn multicasts() -> impl Strategy<Value = Multicast> {
    let ids = (instances(), 0..u64::MAX);
    (ids, ttls(), any::<u64>(), names(), topics(), any::<bool>(), payloads()).prop_map(
        |((publisher, counter), ttl, sequence, from, topic, sealed, payload)| Multicast {
            id: MsgId { publisher, counter },
            ttl,
            sequence,
            from,
            topic,
            sealed,
            payload,
        },
    )
}

fn watched() -> impl Strategy<Value = Watched> {
    let seated = (instances(), nodes(), epochs()).prop_map(|(instance, node, epoch)| Seated {
        instance,
        node,
        epoch,
    });
    (any::<bool>(), topics(), vec(seated, 0..9), vec(instances(), 0..9))
        .prop_map(|(is_all, topic, present, gone)| Watched { is_all, topic, present, gone })
}

fn terms() -> impl Strategy<Value = Terms> {
    let key = proptest::option::of(any::<u128>().prop_map(Key));
    let sealing =
        prop_oneof![Just(Sealing::Clear), instances().prop_map(Sealing::For), Just(Sealing::Group)];
    let terms = (key, any::<bool>(), any::<bool>(), sealing).prop_map(
        |(key, at_least_once, redelivered, sealing)| Terms {
            key,
            at_least_once,
            redelivered,
            sealing,
        },
    );
    prop_oneof![Just(Terms::default()), terms]
}

fn modes() -> impl Strategy<Value = Mode> {
    select(&[Mode::Unicast, Mode::Multicast][..])
}

fn statuses() -> impl Strategy<Value = AnswerStatus> {
    select(&[AnswerStatus::Answered, AnswerStatus::Failed, AnswerStatus::Dropped][..])
}

fn codes() -> impl Strategy<Value = Code> {
    select(&Code::ALL[..])
}

fn reasons() -> impl Strategy<Value = Reason> {
    select(Reason::ALL)
}
