//! HTTP ahead of everything else: paths of one's own, requests and new sessions that are refused,
//! the rest passed on.
//!
//! `cargo run -p relay --example http_middleware`; clients give `{ query: { key } }`.

use relay::http::{Method, Request, Response, StatusCode};
use relay::{HttpBody, Relay};

fn answer(status: StatusCode, body: impl Into<String>) -> Option<Response<String>> {
    let mut answer = Response::new(body.into());
    *answer.status_mut() = status;
    Some(answer)
}

async fn middleware(request: Request<HttpBody>) -> Option<Response<String>> {
    let relay = request.extensions().get::<Relay>().cloned();
    let query = request.uri().query().unwrap_or_default().to_owned();
    match (request.method(), request.uri().path()) {
        // A path of one's own.
        (&Method::POST, "/announce") => {
            let Ok(body) = request.into_body().collect().await else {
                return answer(StatusCode::BAD_REQUEST, "no body");
            };
            let text = String::from_utf8_lossy(&body);
            match relay?.everyone().emit("announcement", &*text) {
                Ok(()) => answer(StatusCode::ACCEPTED, "announced"),
                Err(error) => answer(StatusCode::SERVICE_UNAVAILABLE, error.to_string()),
            }
        }
        // A new session without a key. Sessions that have begun are not asked about.
        (_, "/socket.io/") if !query.split('&').any(|pair| pair == "key=secreto") => {
            answer(StatusCode::UNAUTHORIZED, "key missing")
        }
        _ => None,
    }
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let port = std::env::var("PORT").map_or(Ok(5000), |port| port.parse())?;
    let relay = Relay::builder().port(port).http(middleware).start().await?;
    eprintln!("listening on {}", relay.local_addr());

    tokio::signal::ctrl_c().await?;
    relay.stop().await;
    Ok(())
}
