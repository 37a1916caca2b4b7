//! A token that is looked at once a client is in: without a good one it is sent away at once.
//!
//! `cargo run -p relay --example token_at_connection`; clients give `{ auth: { token } }`.

use relay::{Event, Relay};

/// Yours will look into it.
fn is_valid(token: Option<&str>) -> bool {
    token == Some("secreto")
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let welcome = Event::new("welcome")?;
    let port = std::env::var("PORT").map_or(Ok(5000), |port| port.parse())?;
    let relay = Relay::builder()
        .port(port)
        .connection(move |socket| {
            let token = socket.handshake().and_then(|handshake| handshake.auth_text("token"));
            if !is_valid(token.as_deref()) {
                socket.disconnect();
                return;
            }
            // That it may be gone already is no matter here.
            let _ = socket.emit(welcome.clone());
        })
        .start()
        .await?;
    eprintln!("listening on {}", relay.local_addr());

    tokio::signal::ctrl_c().await?;
    relay.stop().await;
    Ok(())
}
