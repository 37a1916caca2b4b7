//! `relay health`: asks an instance whether it is ready, for the health checks of containers.
//!
//! Owns one HTTP request over plain TCP. Does not own what the answer means to whoever asks.

use std::fmt::{self, Display};
use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, TcpStream};
use std::sync::mpsc;
use std::time::Duration;

/// Time for all of it: connecting, asking, and the beginning of the answer.
pub const TIMEOUT: Duration = Duration::from_secs(2);

/// The longest status line; ours have some twenty bytes.
const STATUS_BYTES_MAX: u64 = 1_024;

const PATH: &str = "/ready";

/// What is asked.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Url {
    /// Host and port, as for `Host`.
    authority: String,
    /// Host and port, to connect to.
    address: String,
    path: String,
}

impl Display for Url {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "http://{}{}", self.authority, self.path)
    }
}

impl Url {
    /// `/ready` of an instance that listens on this host and port, on this machine.
    ///
    /// # Errors
    /// Port 0: nobody knows which one the system chose.
    pub fn of(host: Option<IpAddr>, port: u16) -> Result<Self, String> {
        if port == 0 {
            return Err("the system chose the port: name it with --url".to_owned());
        }
        let host = match host {
            Some(host) if !host.is_unspecified() => host,
            Some(IpAddr::V6(_)) => Ipv6Addr::LOCALHOST.into(),
            // All addresses: IPv4 is among them even where there is no IPv6.
            _ => Ipv4Addr::LOCALHOST.into(),
        };
        let address = SocketAddr::new(host, port).to_string();
        Ok(Self { authority: address.clone(), address, path: PATH.to_owned() })
    }

    /// Reads `http://host:port/path`. Without a port it is 80, without a path `/ready`.
    ///
    /// # Errors
    /// What is accepted instead.
    pub fn parse(text: &str) -> Result<Self, String> {
        let accepted = || format!("{text:?} is no URL: http://host:port/path is accepted");
        let rest = text.strip_prefix("http://").ok_or_else(accepted)?;
        // Nothing that could end the request line.
        if rest.contains('@') || rest.contains('#') || !rest.bytes().all(|c| c.is_ascii_graphic()) {
            return Err(accepted());
        }
        let (authority, path) = match rest.find(['/', '?']) {
            Some(at) => rest.split_at(at),
            None => (rest, PATH),
        };
        let (host, port) = match authority.rsplit_once(':') {
            Some((host, port)) if !port.contains(']') => (host, port),
            _ => (authority, "80"),
        };
        let port: u16 = port.parse().map_err(|_| accepted())?;
        if host.is_empty() || port == 0 {
            return Err(accepted());
        }
        let slash = if path.starts_with('/') { "" } else { "/" };
        Ok(Self {
            authority: authority.to_owned(),
            address: format!("{host}:{port}"),
            path: format!("{slash}{path}"),
        })
    }

    /// Asks; the answer is a status of 200 to 299.
    ///
    /// # Errors
    /// Nobody answered within `timeout`, or not as wished.
    pub fn ask(&self, timeout: Duration) -> Result<u16, String> {
        let (sender, receiver) = mpsc::channel();
        let url = self.clone();
        // A thread of its own, since a lookup of a name knows no time-out.
        std::thread::spawn(move || sender.send(url.status(timeout)));
        match receiver.recv_timeout(timeout) {
            Ok(Ok(status @ 200..=299)) => Ok(status),
            Ok(Ok(status)) => Err(format!("{self}: status {status}")),
            Ok(Err(error)) => Err(format!("{self}: {error}")),
            Err(_) => Err(format!("{self}: no answer within {} s", timeout.as_secs_f32())),
        }
    }

    fn status(&self, timeout: Duration) -> io::Result<u16> {
        let mut stream = TcpStream::connect(&self.address)?;
        stream.set_read_timeout(Some(timeout))?;
        stream.set_write_timeout(Some(timeout))?;
        let (path, authority) = (&self.path, &self.authority);
        let request =
            format!("GET {path} HTTP/1.1\r\nHost: {authority}\r\nConnection: close\r\n\r\n");
        stream.write_all(request.as_bytes())?;
        let mut line = Vec::new();
        BufReader::new(stream.take(STATUS_BYTES_MAX)).read_until(b'\n', &mut line)?;
        let line = String::from_utf8_lossy(&line);
        let mut words = line.split(' ');
        let is_http = words.next().is_some_and(|it| it.starts_with("HTTP/1."));
        let status = words.next().and_then(|it| it.trim().parse().ok());
        status.filter(|_| is_http).ok_or_else(|| io::Error::other("the answer is no HTTP"))
    }
}

#[cfg(test)]
mod tests {
    use super::Url;
    use std::io::{BufRead, BufReader, Read, Write};
    use std::net::TcpListener;
    use std::time::Duration;

    fn check(text: &str, expect: Option<(&str, &str)>) {
        let url = Url::parse(text);
        let found = url.as_ref().ok().map(|it| (it.address.as_str(), it.path.as_str()));
        assert_eq!(found, expect, "{text}");
        if let Err(error) = url {
            assert!(error.contains(text) || text.contains(char::is_control), "{error}");
        }
    }

    #[test]
    fn urls() {
        check("http://localhost:5000/health", Some(("localhost:5000", "/health")));
        check("http://localhost:5000", Some(("localhost:5000", "/ready")));
        check("http://localhost", Some(("localhost:80", "/ready")));
        check("http://[::1]:5000/", Some(("[::1]:5000", "/")));
        check("http://[::1]", Some(("[::1]:80", "/ready")));
        check("http://x?a=b", Some(("x:80", "/?a=b")));
        for text in [
            "",
            "localhost:5000",
            "https://x",
            "http://",
            "http://:5000",
            "http://x:0",
            "http://x:65536",
            "http://x:y",
            "http://a@x",
            "http://x/a b",
            "http://x/\r\nA: b",
            "http://x/#a",
            "http://ñ",
        ] {
            check(text, None);
        }
    }

    #[test]
    fn of_an_instance() {
        for (host, expect) in [
            (None, "http://127.0.0.1:5000/ready"),
            (Some("0.0.0.0"), "http://127.0.0.1:5000/ready"),
            (Some("::"), "http://[::1]:5000/ready"),
            (Some("10.0.0.1"), "http://10.0.0.1:5000/ready"),
            (Some("fd00::1"), "http://[fd00::1]:5000/ready"),
        ] {
            let host = host.map(|it| it.parse().expect("an address"));
            assert_eq!(Url::of(host, 5000).map(|it| it.to_string()).as_deref(), Ok(expect));
        }
        assert!(Url::of(None, 0).is_err_and(|it| it.contains("--url")));
    }

    /// What is made of an answer.
    fn asked(answer: &'static [u8], timeout: Duration) -> Result<u16, String> {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let port = listener.local_addr().expect("an address").port();
        let server = std::thread::spawn(move || {
            let (mut stream, _) = listener.accept().expect("a connection");
            let mut head = Vec::new();
            let mut reader = BufReader::new(stream.try_clone().expect("a second handle"));
            while !head.ends_with(b"\r\n\r\n") {
                assert_ne!(reader.read_until(b'\n', &mut head).expect("a request"), 0);
            }
            let _ = stream.write_all(answer);
            if answer.is_empty() {
                // It answers nothing until the other side has gone.
                let _ = reader.read(&mut [0]);
            }
            String::from_utf8_lossy(&head).into_owned()
        });
        let outcome = Url::of(None, port).and_then(|it| it.ask(timeout));
        let request = server.join().expect("a server");
        assert!(request.starts_with("GET /ready HTTP/1.1\r\nHost: 127.0.0.1:"), "{request}");
        outcome
    }

    #[test]
    fn answers() {
        let patient = Duration::from_secs(30);
        assert_eq!(asked(b"HTTP/1.1 200 OK\r\n\r\n", patient), Ok(200));
        assert_eq!(asked(b"HTTP/1.1 204\r\n\r\n", patient), Ok(204));
        for (answer, expect) in [
            (&b"HTTP/1.1 503 Service Unavailable\r\n\r\n"[..], "status 503"),
            (b"HTTP/1.1 301 Moved\r\n\r\n", "status 301"),
            (b"SSH-2.0-x\r\n", "no HTTP"),
            (b"HTTP/1.1 2x0 OK\r\n", "no HTTP"),
            (&[b'x'; 4_000], "no HTTP"),
        ] {
            let error = asked(answer, patient).expect_err("a refusal");
            assert!(error.contains(expect), "{error}");
        }
        let error = asked(b"", Duration::from_millis(50)).expect_err("silence");
        assert!(error.contains("no answer within") || error.contains("temporarily"), "{error}");
    }

    #[test]
    fn nobody_there() {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let port = listener.local_addr().expect("an address").port();
        drop(listener);
        let url = Url::of(None, port).expect("a URL");
        assert!(url.ask(Duration::from_secs(30)).is_err_and(|it| it.contains("refused")));
    }
}
