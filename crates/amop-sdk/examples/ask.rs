//! Asks one question and prints the answer: the program of `docs/start/developer.md`.

use amop_sdk::Client;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let client = Client::builder().from_env()?.connect().await?;
    let answer = client.request("quote", "USDCNY").await?;
    println!("{}", String::from_utf8_lossy(&answer.payload));
    client.close().await;
    Ok(())
}
