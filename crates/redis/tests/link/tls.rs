//! TLS: a Redis whose certificate is trusted, and one whose is not.

use std::fs;

use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair};
use relay_redis::link::Address;

use crate::peer::Peer;
use crate::server::Redis;

/// An authority, in PEM, and a Redis on `localhost` with a certificate of it.
fn certified() -> (String, Redis) {
    let key = KeyPair::generate().expect("a key");
    let mut authority = CertificateParams::new(Vec::new()).expect("an authority");
    authority.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let pem = authority.self_signed(&key).expect("a certificate").pem();
    let issuer = Issuer::new(authority, key);
    let server_key = KeyPair::generate().expect("a key");
    let server = CertificateParams::new(vec!["localhost".to_owned()]).expect("a server");
    let certificate = server.signed_by(&server_key, &issuer).expect("a certificate");
    let (certificate, key) = (certificate.pem(), server_key.serialize_pem());
    loop {
        // Another test, or a connection of it, may take a port that was free a moment ago.
        let mut redis = Redis::absent(&[]);
        redis.tls_port = Redis::absent(&[]).port;
        let file = |name: &str, contents: &str| {
            let path = redis.folder.join(name);
            fs::write(&path, contents).expect("a file");
            path.to_string_lossy().into_owned()
        };
        redis.options = [
            "--tls-auth-clients",
            "no",
            "--tls-cert-file",
            &file("cert.pem", &certificate),
            "--tls-key-file",
            &file("key.pem", &key),
            "--tls-port",
            &redis.tls_port.to_string(),
        ]
        .map(str::to_owned)
        .to_vec();
        if redis.try_run() {
            return (pem, redis);
        }
    }
}

#[tokio::test]
async fn a_redis_is_reached_by_tls_if_its_certificate_is_trusted() {
    let (pem, redis) = certified();
    let url = format!("rediss://localhost:{}", redis.tls_port);
    let address = || Address::parse(&url).expect("a URL");
    let trusting = || address().trusting(pem.as_bytes()).expect("an authority");
    let (a, mut b) = (Peer::at(trusting(), "a"), Peer::at(trusting(), "b"));
    a.up().await;
    b.up().await;
    a.publish("x").expect("room");
    assert_eq!(b.hears().await, "x");
    let stranger = Peer::at(address(), "c");
    let error = stranger.down().await;
    assert!(error.contains("certificate"), "{error}");
    let url = format!("rediss://127.0.0.1:{}", redis.tls_port);
    let other_name = Address::parse(&url).and_then(|it| it.trusting(pem.as_bytes()));
    let misled = Peer::at(other_name.expect("a URL"), "d");
    let error = misled.down().await;
    assert!(error.contains("certificate"), "{error}");
}
