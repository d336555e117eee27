//! Revocation lists between a node and its two neighbours.

use std::time::Duration;

use amop_core::node::{Effect, Event, Input, LinkId};
use amop_wire::{AuthorityId, NodeId, PeerMessage, RevocationList, RevocationMessage};

use crate::home::{EPOCH, Home, OTHER_PEER, PEER};

fn authority(name: &str) -> AuthorityId {
    AuthorityId::of(name.as_bytes(), b"key")
}

fn list(name: &str, number: u64) -> RevocationList {
    sized(name, number, 3)
}

fn sized(name: &str, number: u64, bytes: usize) -> RevocationList {
    RevocationList { authority: authority(name), number, der: vec![7; bytes].into() }
}

fn peer(link: LinkId) -> NodeId {
    let agency = if link == PEER { "bank-b" } else { "bank-c" };
    NodeId::of(&format!("n1.node.{agency}.amop").parse().unwrap())
}

impl Home {
    /// It goes by these lists, of `root` and `ca`, the authorities that it knows.
    fn goes_by(&mut self, lists: &[RevocationList]) -> Vec<Said> {
        let of = |name| lists.iter().find(|list| list.authority == authority(name)).cloned();
        let all = ["root", "ca"].map(|name| (authority(name), of(name)));
        let effects = self.handle(Input::Revocations(all.to_vec()));
        said(&effects)
    }

    fn hears(&mut self, link: LinkId, message: RevocationMessage) -> Vec<Said> {
        let effects = self.peer(link, PeerMessage::Revocation(message));
        said(&effects)
    }

    fn is_offered(&mut self, link: LinkId, lists: &[(&str, u64)]) -> Vec<Said> {
        let held = lists.iter().map(|&(name, number)| (authority(name), number)).collect();
        self.hears(link, RevocationMessage::Held(held))
    }

    fn judges(
        &mut self,
        link: LinkId,
        list: RevocationList,
        verdict: Result<(), &str>,
    ) -> Vec<Said> {
        let verdict = verdict.map_err(str::to_owned);
        let effects = self.handle(Input::RevocationsJudged { peer: peer(link), list, verdict });
        said(&effects)
    }

    fn waits(&mut self, span: Duration) -> Vec<Said> {
        let (mut all, end) = (Vec::new(), self.now + span);
        while let Some(at) = self.node.poll_timeout().filter(|&at| at <= end) {
            self.now = self.now.max(at);
            let effects = self.handle(Input::Timeout);
            all.extend(said(&effects));
        }
        self.now = end;
        all
    }
}

/// What is said of lists, on which link.
#[derive(Clone, Debug, PartialEq)]
enum Said {
    Told(LinkId, Vec<(AuthorityId, u64)>),
    Asked(LinkId, AuthorityId),
    Gave(LinkId, u64),
    Judge(NodeId, u64),
    Refused(String),
}

fn said(effects: &[Effect]) -> Vec<Said> {
    let one = |effect: &Effect| match effect {
        Effect::ToPeer { link, message: PeerMessage::Revocation(message) } => Some(match message {
            RevocationMessage::Held(held) => Said::Told(*link, held.clone()),
            RevocationMessage::Pull(authority) => Said::Asked(*link, *authority),
            RevocationMessage::List(list) => Said::Gave(*link, list.number),
        }),
        Effect::JudgeRevocations { peer, list } => Some(Said::Judge(*peer, list.number)),
        Effect::Event(Event::RevocationsRefused { peer, why }) => {
            Some(Said::Refused(format!("{peer}: {why}")))
        }
        _ => None,
    };
    effects.iter().filter_map(one).collect()
}

/// CRL-2
#[test]
fn what_a_node_goes_by_is_told_to_all_peers_at_each_change_every_minute_and_on_a_new_link() {
    let mut home = Home::new();
    assert_eq!(home.goes_by(&[]), [], "there is nothing to tell");
    let told = |number| {
        let held = vec![(authority("root"), number)];
        let mut told = [PEER, OTHER_PEER].map(|link| Said::Told(link, held.clone()));
        told.sort_by_key(|said| format!("{said:?}"));
        told
    };
    let tells = |said: Vec<Said>, number: u64| {
        let mut said = said;
        said.sort_by_key(|said| format!("{said:?}"));
        assert_eq!(said, told(number));
    };
    tells(home.goes_by(&[list("root", 5)]), 5);
    assert_eq!(home.goes_by(&[list("root", 5)]), [], "nothing has changed");
    tells(home.goes_by(&[list("root", 6)]), 6);
    assert_eq!(home.waits(Duration::from_secs(59)), []);
    tells(home.waits(Duration::from_secs(1)), 6);

    let link = LinkId(9);
    home.handle(Input::LinkDown { link: PEER });
    let name = "n1.node.bank-b.amop".parse().unwrap();
    home.handle(Input::PeerUp { link, name, dialed: true });
    let effects = home.peer(link, PeerMessage::Greeting(EPOCH));
    assert_eq!(said(&effects), [Said::Told(link, vec![(authority("root"), 6)])]);
}

/// CRL-2, CRL-3
#[test]
fn a_newer_list_is_asked_for_judged_and_told_on_and_an_older_one_is_not_even_asked_for() {
    let mut home = Home::new();
    home.goes_by(&[list("root", 5)]);
    assert_eq!(
        home.is_offered(PEER, &[("root", 5), ("ca", 0)]),
        [Said::Asked(PEER, authority("ca"))]
    );
    assert_eq!(home.is_offered(OTHER_PEER, &[("root", 4), ("stranger", 9)]), []);
    let came = home.hears(PEER, RevocationMessage::List(list("ca", 0)));
    assert_eq!(came, [Said::Judge(peer(PEER), 0)]);
    let told = home.judges(PEER, list("ca", 0), Ok(()));
    let is_told =
        |link, said: &Said| matches!(said, Said::Told(to, held) if *to == link && held.len() == 2);
    for link in [PEER, OTHER_PEER] {
        assert!(told.iter().any(|said| is_told(link, said)), "{told:?}");
    }
    assert_eq!(home.is_offered(OTHER_PEER, &[("ca", 0)]), [], "it has that already");
    let asked = home.hears(OTHER_PEER, RevocationMessage::Pull(authority("ca")));
    assert_eq!(asked, [Said::Gave(OTHER_PEER, 0)]);
}

/// CRL-3
#[test]
fn what_nobody_has_asked_for_is_dropped() {
    let mut home = Home::new();
    home.goes_by(&[]);
    let gives =
        |home: &mut Home, link, name| home.hears(link, RevocationMessage::List(list(name, 9)));
    assert_eq!(gives(&mut home, PEER, "root"), []);
    assert_eq!(home.is_offered(PEER, &[("root", 9)]), [Said::Asked(PEER, authority("root"))]);
    assert_eq!(gives(&mut home, OTHER_PEER, "root"), [], "another one was asked");
    assert_eq!(gives(&mut home, PEER, "ca"), [], "it was asked for another one");
    assert_eq!(gives(&mut home, PEER, "root"), [Said::Judge(peer(PEER), 9)]);
    assert_eq!(gives(&mut home, PEER, "root"), [], "it has answered");
}

/// CRL-5
#[test]
fn who_gives_what_is_not_worth_anything_is_asked_for_nothing_for_10_s_and_others_are() {
    let mut home = Home::new();
    home.goes_by(&[]);
    let mut names = ["root", "ca"];
    names.sort_by_key(|name| authority(name));
    let asked = |link, name| Said::Asked(link, authority(name));
    let both = names.map(|name| (name, 9));
    assert_eq!(home.is_offered(PEER, &both), [asked(PEER, names[0])]);
    assert_eq!(home.is_offered(OTHER_PEER, &[(names[0], 3)]), [], "the first may still do it");
    home.hears(PEER, RevocationMessage::List(list(names[0], 9)));
    let refused = Said::Refused("bank-b/n1: forged".into());
    let judged = home.judges(PEER, list(names[0], 9), Err("forged"));
    assert_eq!(judged, [refused, asked(OTHER_PEER, names[0])]);
    assert_eq!(home.waits(Duration::from_secs(9)), []);
    assert_eq!(home.waits(Duration::from_secs(2)), [asked(PEER, names[1])], "not the forged one");
    assert_eq!(home.waits(Duration::from_secs(60)), [], "who is silent has offered nothing");
    assert_eq!(home.node.loose_ends().count(), 0);
}

/// CRL-5
#[test]
fn a_peer_that_does_not_answer_holds_nobody_up() {
    let mut home = Home::new();
    home.goes_by(&[]);
    assert_eq!(home.is_offered(PEER, &[("root", 9)]), [Said::Asked(PEER, authority("root"))]);
    assert_eq!(home.is_offered(OTHER_PEER, &[("root", 8)]), [], "one is asked at a time");
    let asked = Said::Asked(OTHER_PEER, authority("root"));
    assert_eq!(home.waits(Duration::from_secs(3)), [asked]);
}

/// CRL-5
#[test]
fn of_one_authority_one_list_a_second_is_taken() {
    let mut home = Home::new();
    home.goes_by(&[]);
    home.is_offered(PEER, &[("root", 9)]);
    home.hears(PEER, RevocationMessage::List(list("root", 9)));
    home.judges(PEER, list("root", 9), Ok(()));
    assert_eq!(home.is_offered(PEER, &[("root", 10)]), []);
    let asked = Said::Asked(PEER, authority("root"));
    assert_eq!(home.waits(Duration::from_secs(1)), [asked]);
}

/// CRL-5
#[test]
fn a_neighbour_is_given_all_that_there_may_be_at_once_and_then_as_much_as_1_mb_a_second() {
    let mut home = Home::new();
    home.goes_by(&[sized("root", 5, 1_000_000)]);
    let pull = || RevocationMessage::Pull(authority("root"));
    assert_eq!(home.hears(PEER, RevocationMessage::Pull(authority("ca"))), [], "there is none");
    for _ in 0..=64 {
        assert_eq!(home.hears(PEER, pull()), [Said::Gave(PEER, 5)]);
    }
    assert_eq!(home.hears(PEER, pull()), []);
    assert_eq!(home.hears(OTHER_PEER, pull()), [Said::Gave(OTHER_PEER, 5)], "each for himself");
    home.now = home.now + Duration::from_secs(1);
    assert_eq!(home.hears(PEER, pull()), [Said::Gave(PEER, 5)]);
    assert_eq!(home.hears(PEER, pull()), []);
}

/// CRL-2: an authority may be met only after its list was offered.
#[test]
fn the_list_of_an_authority_that_is_met_later_is_asked_for_then() {
    let mut home = Home::new();
    assert_eq!(home.is_offered(PEER, &[("ca", 9)]), [], "nobody could judge it");
    assert_eq!(home.goes_by(&[]), [Said::Asked(PEER, authority("ca"))]);
    home.handle(Input::LinkDown { link: PEER });
    assert_eq!(home.node.loose_ends().count(), 0, "what is asked ends with its link");
}
