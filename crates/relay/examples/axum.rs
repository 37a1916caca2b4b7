//! A router of axum on Relay's port: an HTTP interface of one's own that reaches every client.
//!
//! `cargo run -p relay --example axum`, then
//! `curl -d hola http://localhost:5000/users/ana/notices`

use axum::extract::Path;
use axum::http::StatusCode;
use axum::routing::{get, post};
use axum::{Extension, Router};
use relay::{Relay, User};

async fn home(Extension(relay): Extension<Relay>) -> String {
    format!("{} clients are here\n", relay.stats().connections)
}

async fn notify(
    Path(user): Path<String>,
    Extension(relay): Extension<Relay>,
    text: String,
) -> Result<StatusCode, (StatusCode, String)> {
    relay
        .to(User::from(user))
        .emit("notice", &text)
        .map_err(|error| (StatusCode::SERVICE_UNAVAILABLE, error.to_string()))?;
    Ok(StatusCode::ACCEPTED)
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let router = Router::new().route("/", get(home)).route("/users/{user}/notices", post(notify));
    let port = std::env::var("PORT").map_or(Ok(5000), |port| port.parse())?;
    let relay = Relay::builder().port(port).http_service(router).start().await?;
    eprintln!("listening on {}", relay.local_addr());

    tokio::signal::ctrl_c().await?;
    relay.stop().await;
    Ok(())
}
