//! A subscriber's process is killed under traffic.

use std::net::SocketAddr;
use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

use amop_sdk::{Bytes, Code};
use serde_json::Value;
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::process::{Child, ChildStdout, Command};
use tokio::sync::watch;
use tokio::task::JoinHandle;

use crate::net::Net;
use crate::traffic::{Ledger, Pump, Service, TOPIC, assert_unicasts_true, known};
use crate::wire::Wire;
use crate::within;

/// UNI-2, UNI-3: it has handled messages and its answers are lost with it, so nobody else gets
/// those; what comes later goes to whoever is left.
#[tokio::test]
async fn what_a_killed_subscriber_may_have_handled_ends_with_102_and_goes_to_nobody_else() {
    let net = Net::start(&[&[], &[0], &[1]]).await;
    let (asker, stayer) = (net.client("app", 0).await, net.client("app", 1).await);
    let ledger = Ledger::default();
    let _stays = Service::start(stayer.subscribe(TOPIC).await.unwrap(), ledger.clone(), "stayer");
    let wire = Wire::to(net.nodes[2].sdk_addr()).await;
    let mut doomed = Doomed::start(&net.client_dir("desk", 2), wire.addr, ledger.clone());
    known(&asker, TOPIC, 2).await;
    known(&asker, ALONE, 1).await;

    let mut pump = Pump::of_unicasts(&asker, "", 100, DEADLINE);
    pump.ends(500).await;
    wire.mute();
    pump.during(doomed.handles(50)).await;
    doomed.kill().await;
    pump.during(net.nodes[2].says(&["client detached", "client=bank-b/desk"])).await;

    let error = asker.request(ALONE, "to nobody").await.unwrap_err();
    let definite = [Code::NoSubscriber, Code::SubscriberUnreachable];
    assert!(definite.contains(&error.code()), "{error}");
    let mut after = Pump::of_unicasts(&asker, "after ", 20, DEADLINE);
    after.ends(100).await;
    let (ended, after) = tokio::join!(pump.stop(), after.stop());
    assert!(after.iter().all(|ended| ended.end.as_ref().unwrap().payload == "stayer"));

    assert_unicasts_true(&ended, &ledger);
    let in_doubt = ended.iter().filter_map(|ended| Some((ended, ended.end.as_ref().err()?)));
    let mut handled_in_doubt = 0;
    for (ended, error) in in_doubt {
        assert_eq!(error.code(), Code::TimedOut, "{:?}", ended.payload);
        assert!(ended.took >= DEADLINE && ended.took < DEADLINE + LATE_MAX, "{:?}", ended.took);
        handled_in_doubt += ledger.of(&ended.payload).len();
    }
    assert!(handled_in_doubt > 0, "the answers of the killed subscriber were lost");
}

/// A subscriber that is a process of its own, `amop sub`.
struct Doomed {
    child: Child,
    printed: JoinHandle<()>,
    handled: watch::Receiver<usize>,
}

impl Doomed {
    fn start(dir: &Path, endpoint: SocketAddr, ledger: Ledger) -> Self {
        let mut command = amop(dir, endpoint);
        command.args(["sub", TOPIC, ALONE, "--json", "--reply", "doomed"]);
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::null());
        let mut child = command.kill_on_drop(true).spawn().unwrap();
        let (count, handled) = watch::channel(0);
        let stdout = child.stdout.take().expect("it was piped");
        let printed = tokio::spawn(note(stdout, ledger, count));
        Self { child, printed, handled }
    }

    /// Waits until it has handled so many more.
    async fn handles(&self, count: usize) {
        let mut handled = self.handled.clone();
        let all = *handled.borrow() + count;
        within("messages to handle", handled.wait_for(|handled| *handled >= all)).await.unwrap();
    }

    /// Kills it, and notes the rest of what it has handled.
    async fn kill(&mut self) {
        self.child.kill().await.unwrap();
        within("the end of its output", &mut self.printed).await.unwrap();
    }
}

/// The tool, as a client of a node.
pub(crate) fn amop(dir: &Path, endpoint: SocketAddr) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_amop"));
    for variable in ["ENDPOINT", "CA", "CERT", "KEY", "CONTEXT"] {
        command.env_remove(format!("AMOP_{variable}"));
    }
    command.current_dir(dir).args(["--endpoint", &endpoint.to_string()]);
    command
}

/// Notes every message that is printed.
async fn note(stdout: ChildStdout, ledger: Ledger, count: watch::Sender<usize>) {
    let mut lines = BufReader::new(stdout).lines();
    while let Some(line) = lines.next_line().await.unwrap() {
        let message: Value = serde_json::from_str(&line).unwrap();
        let payload = message["payload"].as_str().expect("payloads are texts");
        ledger.note(Bytes::from(payload.to_owned()), "doomed");
        count.send_modify(|count| *count += 1);
    }
}

/// A topic that nobody else subscribes to.
const ALONE: &str = "alone";

/// Longer than it takes until the loss is noticed.
const DEADLINE: Duration = Duration::from_secs(8);

/// How much later than its deadline a publish may end: 500 ms by the contract, and the rest for a
/// test that is not served at once on a busy machine.
const LATE_MAX: Duration = Duration::from_secs(3);
