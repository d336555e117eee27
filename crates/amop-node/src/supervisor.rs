//! Tells systemd how the daemon is, if systemd has started it: `Type=notify` and `WatchdogSec=` of the unit.
//!
//! Each word is one datagram to the socket that `NOTIFY_SOCKET` names. It says the same as `/livez`: the watchdog is
//! fed as long as the node's thread answers, so that a node that hangs is started again. What cannot be sent is
//! lost, for a supervisor that does not listen must not stop a node.

use std::ffi::{OsStr, OsString};
use std::os::linux::net::SocketAddrExt;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::net::{SocketAddr, UnixDatagram};
use std::time::Duration;

use amop_node::{Stopped, Window};
use tokio::time::{MissedTickBehavior, interval, timeout};

/// Whoever has started the daemon and wants to hear of it; nobody, if it was started by hand.
#[derive(Debug, Default)]
pub(crate) struct Supervisor {
    socket: Option<UnixDatagram>,
    /// How often the watchdog wants to be fed.
    feed_every: Option<Duration>,
}

impl Supervisor {
    /// The one that the environment names.
    pub(crate) fn from_env() -> Self {
        Self::named_by(|name| std::env::var_os(name))
    }

    fn named_by(variable: impl Fn(&str) -> Option<OsString>) -> Self {
        let socket = variable("NOTIFY_SOCKET").and_then(|name| connect(&name));
        let number = |key| variable(key)?.to_str()?.parse::<u64>().ok();
        let is_ours = number("WATCHDOG_PID").is_none_or(|pid| pid == u64::from(std::process::id()));
        let most = number("WATCHDOG_USEC").filter(|&most| most > 0 && is_ours);
        // Half of the time is what systemd advises.
        Self { socket, feed_every: most.map(|most| Duration::from_micros(most) / 2) }
    }

    /// The node listens, or goes on after it has read its configuration again.
    pub(crate) fn ready(&self) {
        self.say("READY=1");
    }

    /// The configuration is read again.
    pub(crate) fn reloading(&self) {
        self.say("RELOADING=1");
    }

    /// The node drains and stops.
    pub(crate) fn stopping(&self) {
        self.say("STOPPING=1\nSTATUS=draining");
    }

    /// Feeds the watchdog and tells a line for `systemctl status`, as long as the node answers.
    pub(crate) async fn report(&self, node: &Window) -> Result<(), Stopped> {
        if self.socket.is_none() {
            return std::future::pending().await;
        }
        let period = self.feed_every.unwrap_or(REPORT_EVERY).min(REPORT_EVERY);
        let mut ticks = interval(period);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            ticks.tick().await;
            if let Ok(overview) = timeout(period, node.overview()).await {
                let overview = overview?;
                let (peers, clients) = (overview.peers, overview.clients);
                let fed = if self.feed_every.is_some() { "WATCHDOG=1\n" } else { "" };
                self.say(&format!("{fed}STATUS=peers {peers}, clients {clients}"));
            }
        }
    }

    fn say(&self, words: &str) {
        if let Some(socket) = &self.socket {
            let _ = socket.send(words.as_bytes());
        }
    }
}

/// A name that begins with `@` is one of Linux's abstract names, any other a path.
fn connect(name: &OsStr) -> Option<UnixDatagram> {
    let addr = match name.as_bytes().strip_prefix(b"@") {
        Some(name) => SocketAddr::from_abstract_name(name),
        None => SocketAddr::from_pathname(name),
    };
    let socket = UnixDatagram::unbound().ok()?;
    socket.set_nonblocking(true).ok()?;
    socket.connect_addr(&addr.ok()?).ok()?;
    Some(socket)
}

/// How often the line for `systemctl status` is told anew.
const REPORT_EVERY: Duration = Duration::from_secs(5);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_watchdog_is_fed_twice_in_its_time_if_it_watches_this_process() {
        let feed_every = |variables: &[(&str, &str)]| {
            let value = |name: &str| variables.iter().find(|(of, _)| *of == name);
            let value = |name: &str| value(name).map(|(_, value)| value.into());
            Supervisor::named_by(value).feed_every
        };
        let us = std::process::id().to_string();
        let usec = ("WATCHDOG_USEC", "3000000");
        assert_eq!(feed_every(&[usec]), Some(Duration::from_millis(1500)));
        assert_eq!(feed_every(&[usec, ("WATCHDOG_PID", &us)]), Some(Duration::from_millis(1500)));
        assert_eq!(feed_every(&[usec, ("WATCHDOG_PID", "1")]), None);
        assert_eq!(feed_every(&[("WATCHDOG_USEC", "0")]), None);
        assert_eq!(feed_every(&[("WATCHDOG_USEC", "soon")]), None);
        assert_eq!(feed_every(&[]), None);
    }

    #[test]
    fn a_supervisor_with_an_abstract_name_hears_too() {
        let name = format!("amop-test-{}", std::process::id());
        let ear = UnixDatagram::bind_addr(&SocketAddr::from_abstract_name(&name).unwrap()).unwrap();
        ear.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
        let names = |variable: &str| {
            (variable == "NOTIFY_SOCKET").then(|| OsString::from(format!("@{name}")))
        };
        Supervisor::named_by(names).ready();
        let mut bytes = [0; 64];
        let count = ear.recv(&mut bytes).unwrap();
        assert_eq!(&bytes[..count], b"READY=1");
    }
}
