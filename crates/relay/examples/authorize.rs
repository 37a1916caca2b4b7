//! A token that is checked elsewhere before a client hears that it is in. Whoever is refused gets a
//! `connect_error` with a message and data.
//!
//! `cargo run -p relay --example authorize`; clients give `{ auth: { token } }`.

use std::time::Duration;

use relay::{Refusal, Relay, Verdict};

/// Asks whoever knows: a database, another service. The client waits for it, nobody else does.
async fn check(token: Option<String>) -> Result<(), Refusal> {
    tokio::time::sleep(Duration::from_millis(20)).await;
    match token.as_deref() {
        Some("secreto") => Ok(()),
        Some(_) => Err(Refusal {
            message: "token expired".to_owned(),
            data: Some(r#"{"code":"expired","retry":false}"#.to_owned()),
        }),
        None => Err(Refusal::new("token missing")),
    }
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let port = std::env::var("PORT").map_or(Ok(5000), |port| port.parse())?;
    let relay = Relay::builder()
        .port(port)
        .authorize(|asked| Verdict::later(check(asked.handshake().auth_text("token"))))
        .start()
        .await?;
    eprintln!("listening on {}", relay.local_addr());

    tokio::signal::ctrl_c().await?;
    relay.stop().await;
    Ok(())
}
