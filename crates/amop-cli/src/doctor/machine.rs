//! What the machine itself has to do with it: its clock, and what it gives to sockets.

use std::fs;
use std::time::SystemTime;

use amop_p2p::Notary;

use crate::cert::left;
use crate::clock::Timestamp;
use crate::connect::Means;
use crate::exit::Exit;

use super::layer::{Broken, Layer};

/// Whether our certificate counts by our own clock. The node has judged it by its own.
pub(super) fn clock(means: &Means, now: SystemTime) -> Result<String, Broken> {
    let here = Timestamp::of(now);
    let judged = Notary::new(&means.trust).certify_own(&means.identity, now);
    match judged {
        Err(why)
            if ["expired on", "not valid before"]
                .iter()
                .any(|word| why.to_string().contains(word)) =>
        {
            Err(Broken {
                layer: Layer::Clock,
                exit: Exit::NOT_PERMITTED,
                text: format!("the node takes our certificate; by our clock, {here}: {why}"),
                next: "set the clock of this machine, or have it set by NTP".to_owned(),
            })
        }
        _ => {
            let left = left(means.identity.valid_until(), now);
            Ok(format!("{here}; by both clocks our certificate counts ({left})"))
        }
    }
}

/// How large the buffers of sockets may be, or what to do about it.
pub(super) fn buffers() -> Result<String, (String, String)> {
    let limits = KEYS.map(|key| {
        let path = format!("/proc/sys/{}", key.replace('.', "/"));
        let bytes = fs::read_to_string(path).ok().and_then(|text| text.trim().parse::<u64>().ok());
        (key, bytes)
    });
    judge(limits)
}

fn judge(limits: [(&str, Option<u64>); 2]) -> Result<String, (String, String)> {
    let low: Vec<&str> = limits
        .iter()
        .filter(|(_, bytes)| bytes.is_some_and(|bytes| bytes < WANTED))
        .map(|(key, _)| *key)
        .collect();
    if !low.is_empty() {
        let text = format!("{} below 4 MiB: fast links lose packets", low.join(" and "));
        let settings: Vec<String> = low.iter().map(|key| format!("{key}={WANTED}")).collect();
        return Err((
            text,
            format!("sysctl -w {}, and keep it in /etc/sysctl.d", settings.join(" ")),
        ));
    }
    Ok(match limits.iter().all(|(_, bytes)| bytes.is_some()) {
        true => "4 MiB and more".to_owned(),
        false => "the system does not say".to_owned(),
    })
}

const KEYS: [&str; 2] = ["net.core.rmem_max", "net.core.wmem_max"];

/// What the sockets of links ask for, in bytes.
const WANTED: u64 = 4 << 20;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_too_small_is_named_with_what_to_type() {
        let limits = |read, write| judge([(KEYS[0], read), (KEYS[1], write)]);
        assert_eq!(limits(Some(WANTED), Some(WANTED)).unwrap(), "4 MiB and more");
        assert_eq!(limits(None, None).unwrap(), "the system does not say");
        let (text, next) = limits(Some(WANTED - 1), Some(WANTED)).unwrap_err();
        assert!(text.starts_with("net.core.rmem_max below"), "{text}");
        assert!(next.starts_with("sysctl -w net.core.rmem_max=4194304,"), "{next}");
        let (text, _) = limits(Some(212_992), Some(212_992)).unwrap_err();
        assert!(text.starts_with("net.core.rmem_max and net.core.wmem_max"), "{text}");
    }
}
