//! `amop sub --propagated` while a link is cut.

use std::process::Stdio;

use amop_sdk::Code;

use crate::deaths::amop;
use crate::net::Net;
use crate::within;

/// PROP-1, PROP-3: a node that is linked is waited for, and one whose link is lost is not.
#[tokio::test]
async fn the_tool_says_that_it_has_subscribed_once_every_node_in_reach_knows() {
    let net = Net::start(&[&[], &[0]]).await;
    let (dir, endpoint) = (net.client_dir("desk", 0), net.nodes[0].sdk_addr());
    let other = net.client("app", 1).await;
    net.wire(0, 1).cut();

    let mut command = amop(&dir, endpoint);
    command.args(["sub", "t", "--propagated", "--timeout", "2s"]).stdin(Stdio::null());
    let ended = within("the end of the tool", command.kill_on_drop(true).output()).await.unwrap();
    let said = String::from_utf8(ended.stderr).unwrap();
    assert_eq!(ended.status.code(), Some(102), "{said}");
    assert!(said.contains("not every node knows of the subscription to \"t\""), "{said}");

    net.is_lost(0, 1).await;
    let mut command = amop(&dir, endpoint);
    command.args(["sub", "t", "--propagated", "--for", "100ms"]).stdin(Stdio::null());
    let ended = within("the end of the tool", command.kill_on_drop(true).output()).await.unwrap();
    let said = String::from_utf8(ended.stderr).unwrap();
    assert_eq!((ended.status.code(), &*said), (Some(0), "subscribed to `t`\n"));
    let error = other.request("t", "of a node that is cut off").await.unwrap_err();
    assert_eq!(error.code(), Code::NoSubscriber);
}
