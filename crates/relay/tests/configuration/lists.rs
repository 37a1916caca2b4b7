//! Settings that hold several values: each one that is wrong has a message of its own.

use crate::support::{environment, file};

#[test]
fn every_wrong_origin_has_its_message() {
    environment(
        &[("CORS_ORIGIN", "https://a.example/, b.example")],
        &[
            "CORS_ORIGIN=https://a.example/, b.example (environment): \"b.example\" is no origin: \
             scheme://host or scheme://host:port is accepted",
            "CORS_ORIGIN=https://a.example/, b.example (environment): \"https://a.example/\" is \
             no origin: an origin ends with its host or port, without a slash and a path",
        ],
    );
}

#[test]
fn every_wrong_proxy_has_its_message() {
    environment(
        &[("TRUSTED_PROXIES", "127.0.0.1, haproxy,10.0.0.1/8")],
        &[
            "TRUSTED_PROXIES=127.0.0.1, haproxy,10.0.0.1/8 (environment): \"10.0.0.1/8\" has bits \
             behind its prefix: a network ends with zeros",
            "TRUSTED_PROXIES=127.0.0.1, haproxy,10.0.0.1/8 (environment): \"haproxy\" is neither an \
             IP address nor a network such as 10.0.0.0/8",
        ],
    );
    environment(
        &[("TRUSTED_PROXY", "127.0.0.1")],
        &["TRUSTED_PROXY (environment): no such setting; TRUSTED_PROXIES is one"],
    );
}

#[test]
fn every_wrong_type_of_message_has_its_message() {
    environment(
        &[("METRICS_TYPES", "pedido,,otro")],
        &[
            "METRICS_TYPES=pedido,,otro (environment): \"otro\" is the label of all types that have \
             none of their own",
            "METRICS_TYPES=pedido,,otro (environment): there is no type between two commas, or at an \
             end",
        ],
    );
    file(
        "[metrics]\ntypes = [\"a\", 1]\n",
        &["metrics.types=a list (relay.toml, line 2): one value is accepted: types of \
             messages behind commas"],
    );
}
