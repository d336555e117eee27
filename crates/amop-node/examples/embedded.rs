//! Runs an AMOP node inside another program, the way blockchain nodes do.
//!
//! ```console
//! $ amop cert quick --agency bank-a --node n1 --app payments --dir my-amop
//! $ cargo run -p amop-node --example embedded -- my-amop/amop.toml
//! ```

use std::error::Error;

use amop_node::{Config, Node};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn Error>> {
    let file = std::env::args().nth(1).ok_or("usage: embedded CONFIG-FILE")?;
    let config = Config::from_file(file)?;

    // The node runs on a thread of its own; this program's runtime stays free for its own work.
    let node = Node::start_in(config.node, config.state_dir).await?;
    println!("{} serves clients on {}, peers on {}", node.name(), node.sdk_addr(), node.p2p_addr());

    let mut status = node.status();
    loop {
        tokio::select! {
            changed = status.changed() => changed?,
            stop = tokio::signal::ctrl_c() => break stop?,
        }
        let now = status.borrow_and_update().clone();
        println!("{} peers, {} clients", now.peers.len(), now.clients);
    }
    node.shutdown().await;
    Ok(())
}
