//! What two people compare on the phone, so that a request is the one that was sent.
//!
//! A fingerprint is the SHA-256 of a public key, the same that a node shows for its peers. All 64 hex
//! digits are for programs; people read ten words, one for each of the first ten bytes. Whoever
//! wants another key to have the same words must try about 2^80 keys.

use std::fmt;

use aws_lc_rs::digest::{SHA256, digest};

/// SHA-256 of a public key (its SubjectPublicKeyInfo), printed as 64 hex digits.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Fingerprint([u8; 32]);

impl Fingerprint {
    /// The fingerprint of a public key, given as SubjectPublicKeyInfo in DER.
    #[must_use]
    pub fn of_public_key(spki: &[u8]) -> Self {
        let hash = digest(&SHA256, spki);
        Self(hash.as_ref().try_into().expect("SHA-256 has 32 bytes"))
    }

    /// Ten words with spaces between them, to be read aloud: the first ten bytes.
    ///
    /// The first four letters of a word tell it from all others.
    #[must_use]
    pub fn words(&self) -> String {
        let words: Vec<&str> = WORDS.split_ascii_whitespace().collect();
        let spoken: Vec<&str> =
            self.0[..SPOKEN_BYTES].iter().map(|&byte| words[usize::from(byte)]).collect();
        spoken.join(" ")
    }
}

impl fmt::Display for Fingerprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Debug for Fingerprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

const SPOKEN_BYTES: usize = 10;

/// One word for each value of a byte, in this order for ever: the words of old and new versions must
/// be the same.
const WORDS: &str = "\
acorn actor album alley amber anchor apple april arrow atlas autumn avenue bacon badge
baker bamboo banjo barrel basket beach beaver bell berry bishop blanket bottle branch
bread bridge bronze bucket butter cabin cactus camel candle canyon carpet castle cedar
cello cherry chimney circle clover cobalt coffee comet copper coral cotton cradle crystal
daisy dancer desert diamond dinner dolphin donkey dragon drum eagle easel echo elbow
eleven ember engine evening falcon farmer feather fiddle finger flute forest fossil
fountain friday frost galaxy garden garlic ginger giraffe glacier globe goblet golden
gravel guitar hammer harbor harvest hazel helmet heron hockey honey horizon hotel hunter
iceberg igloo indigo insect iron island ivory jacket jaguar jasmine jelly jewel jigsaw
journey jungle juniper kayak kettle kidney kitchen kitten koala ladder lagoon lantern
laundry lemon leopard library lilac linen lizard lobster lotus lumber magnet mango maple
marble meadow melon mercury meteor mirror monday monkey mountain muffin museum mustard
napkin nectar needle nickel noodle north nutmeg oasis ocean olive onion opera orange
orchid organ otter oxygen oyster paddle palace panda paper parrot peanut pebble pencil
pepper pigeon pillow planet plum pony potato prairie puzzle pyramid quartz queen quilt
rabbit radish raven ribbon river robin rocket rubber saddle salmon sandal saturn scarf
seven shadow shelter silver singer sketch spider spring squash stable summer swan table
tango teacher temple thunder tiger timber tomato tractor trumpet tulip tunnel turtle
umbrella unicorn utensil valley vanilla velvet village violin volcano voyage waffle wagon
walnut water whale willow window winter wizard wolf yellow yogurt zebra zenith zero zigzag";

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn every_byte_has_a_word_that_four_letters_tell_from_the_others() {
        let words: Vec<&str> = WORDS.split_ascii_whitespace().collect();
        assert_eq!(words.len(), 256);
        let beginnings: BTreeSet<&str> = words.iter().map(|word| &word[..4]).collect();
        assert_eq!(beginnings.len(), 256);
        assert!(words.iter().all(|word| word.bytes().all(|byte| byte.is_ascii_lowercase())));
    }

    /// If this fails, people with different versions would read different words to each other.
    #[test]
    fn the_words_of_a_key_stay_the_same() {
        let fingerprint = Fingerprint::of_public_key(b"");
        assert!(fingerprint.to_string().starts_with("e3b0c44298fc1c149afb"));
        assert_eq!(
            fingerprint.words(),
            "tulip peanut river eleven mustard zebra bridge beaver nectar yogurt"
        );
        assert_eq!(Fingerprint([0; 32]).words().split(' ').next_back(), Some("acorn"));
        assert_eq!(Fingerprint([255; 32]).words().split(' ').next_back(), Some("zigzag"));
    }
}
