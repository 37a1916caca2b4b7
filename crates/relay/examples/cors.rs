//! Pages of one origin alone, with their cookies: the `cors` object of the Node package.
//!
//! `cargo run -p relay --example cors`

use relay::{Cors, CorsOptions, Origin, Relay};

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let cors = Cors::new(&CorsOptions {
        origin: Origin::Fixed("https://tudominio.com".to_owned()),
        methods: vec!["GET".to_owned(), "POST".to_owned()],
        credentials: true,
        ..CorsOptions::default()
    })?;
    let port = std::env::var("PORT").map_or(Ok(5000), |port| port.parse())?;
    let relay = Relay::builder().port(port).cors(cors).start().await?;
    eprintln!("listening on {}", relay.local_addr());

    tokio::signal::ctrl_c().await?;
    relay.stop().await;
    Ok(())
}
