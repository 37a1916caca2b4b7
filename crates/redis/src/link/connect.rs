//! A connection to Redis, up to the point where commands can be sent.

use std::io;
use std::time::Duration;

use socket2::{SockRef, TcpKeepalive};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpStream, UnixStream};
use tokio_rustls::TlsConnector;

use super::address::{Address, Place};

/// The kernel asks a silent peer after this time, so that an address that vanished is noticed and
/// proxies see the connection in use.
const KEEPALIVE: Duration = Duration::from_secs(30);

/// What the client reads from and writes to.
pub(super) trait Duplex: AsyncRead + AsyncWrite + Unpin + Send {}

impl<S: AsyncRead + AsyncWrite + Unpin + Send> Duplex for S {}

/// Opens a stream.
pub(super) async fn dial(address: &Address) -> io::Result<Box<dyn Duplex>> {
    match &address.place {
        Place::Tcp { host, port } => {
            let stream = TcpStream::connect((host.as_str(), *port)).await?;
            stream.set_nodelay(true)?;
            SockRef::from(&stream).set_tcp_keepalive(&TcpKeepalive::new().with_time(KEEPALIVE))?;
            let Some((name, config)) = &address.tls else { return Ok(Box::new(stream)) };
            let connector = TlsConnector::from(config.clone());
            Ok(Box::new(connector.connect(name.clone(), stream).await?))
        }
        Place::Unix(path) => Ok(Box::new(UnixStream::connect(path).await?)),
    }
}
