//! What is fuzzed: everything that reads bytes which somebody else chose.
//!
//! Each target is a plain function of bytes that panics when a promise is broken. libFuzzer calls them
//! (`cargo xtask fuzz`), and a test replays the corpora under `fuzz/corpus` without it, so that a find
//! that is kept there is a test forever.
//!
//! - **Frames**: any bytes give messages or an error, and what was read is written and read as the same.
//! - **Machines**: a node, a client and the ends of a file transfer take any sequence of inputs; what they
//!   send fits the wire.
//! - **Private topics**: of each message of a handshake, and of everything that is sealed, only the one
//!   that the other end has really made is taken. The targets know that one, since both ends draw from
//!   seeds.
//! - **Configuration**: any text gives a configuration or says what is wrong, and where.

mod client;
mod configuration;
mod files;
mod frames;
mod keys;
mod node;
mod private;
mod reader;

pub use private::Honest;

/// One thing that is fuzzed.
#[derive(Clone, Copy, Debug)]
pub struct Target {
    /// The name of its corpus, and of its program in `fuzz/fuzz_targets`.
    pub name: &'static str,
    /// Takes any bytes. Panics if they break a promise.
    pub one: fn(&[u8]),
}

/// All of them, in the order of their names.
pub const TARGETS: &[Target] = &[
    Target { name: "announcements", one: node::announcements },
    Target { name: "client_frames", one: frames::client },
    Target { name: "client_inputs", one: client::inputs },
    Target { name: "configuration", one: configuration::any },
    Target { name: "file_ends", one: files::ends },
    Target { name: "file_frames", one: frames::file },
    Target { name: "node_frames", one: frames::node },
    Target { name: "node_inputs", one: node::inputs },
    Target { name: "peer_frames", one: frames::peer },
    Target { name: "private_answer", one: private::answer },
    Target { name: "private_challenge", one: private::challenge },
    Target { name: "private_confirmation", one: private::confirmation },
    Target { name: "private_holds", one: private::holds },
    Target { name: "private_lost", one: private::lost },
    Target { name: "private_multicast", one: private::multicast },
    Target { name: "private_proof", one: private::proof },
    Target { name: "private_unicast", one: private::unicast },
    Target { name: "topic_keys", one: keys::any },
];

/// Hands bytes to the target of this name.
///
/// # Panics
///
/// If there is no such target, or the bytes break its promise.
pub fn one(name: &str, data: &[u8]) {
    let target = TARGETS.iter().find(|target| target.name == name);
    (target.expect("the target is listed").one)(data);
}
