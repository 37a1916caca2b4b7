//! Nobody says it is somebody else: the token of a client names its user, and what it claims later
//! must be that user. Messages of whoever has not said who it is go nowhere.
//!
//! `cargo run -p relay --example identity`; clients give `{ auth: { token } }`.

use std::time::Duration;

use relay::{Admission, Code, Denial, Refusal, Relay, User, Verdict};

/// Who a token belongs to. Yours will verify a signature.
fn owner(token: Option<&str>) -> Option<User> {
    token?.strip_prefix("token-of-").map(User::from)
}

/// Whether a user may be here now. Yours will ask a database; what the client says next waits.
async fn is_welcome(user: User) -> Result<(), Denial> {
    tokio::time::sleep(Duration::from_millis(20)).await;
    match user.as_str() {
        Some("mallory") => Err(Denial::new(Code::BadUser, "the account is locked")),
        _ => Ok(()),
    }
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let port = std::env::var("PORT").map_or(Ok(5000), |port| port.parse())?;
    let relay = Relay::builder()
        .port(port)
        .authorize(|asked| {
            let owner = owner(asked.handshake().auth_text("token").as_deref());
            // Kept for as long as the client stays; every later hook can read it.
            owner.map(Admission::with).ok_or_else(|| Refusal::new("token missing"))
        })
        .identify(|who| match (who.state::<User>(), who.claimed()) {
            (Some(owner), Some(claimed)) if *owner == claimed => {
                Verdict::later(is_welcome(claimed))
            }
            _ => {
                Verdict::Refuse(Denial::new(Code::Forbidden, "the token belongs to somebody else"))
            }
        })
        .message(|message| match message.user() {
            Some(_) => Ok(()),
            None => Err(Denial::new(Code::Forbidden, "say who you are first")),
        })
        .start()
        .await?;
    eprintln!("listening on {}", relay.local_addr());

    tokio::signal::ctrl_c().await?;
    relay.stop().await;
    Ok(())
}
