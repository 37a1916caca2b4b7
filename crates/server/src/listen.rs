//! The door: one listener per shard on one port, and never two instances on it.

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, TcpListener};

use relay_hub::Limits;
use socket2::{Domain, Protocol, SockRef, Socket, Type};

/// Why the port could not be opened.
#[derive(Debug)]
pub struct ListenError {
    /// What was asked for.
    pub address: SocketAddr,
    /// What the operating system said.
    pub error: io::Error,
}

impl std::fmt::Display for ListenError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "cannot listen on {}: {}", self.address, self.error)
    }
}

impl std::error::Error for ListenError {}

/// Opens `count` listeners on one port. Without a host all addresses, IPv6 and IPv4; where there
/// is no IPv6, IPv4 alone.
///
/// # Errors
/// The port is taken, also by a listener that shares ports; or the address is not ours.
pub fn bind(
    host: Option<IpAddr>,
    port: u16,
    count: usize,
    limits: &Limits,
) -> Result<Vec<TcpListener>, ListenError> {
    let any = SocketAddr::new(Ipv6Addr::UNSPECIFIED.into(), port);
    match host {
        Some(host) => open(SocketAddr::new(host, port), count, limits),
        None => match open(any, count, limits) {
            Err(failed) if failed.error.kind() != io::ErrorKind::AddrInUse => {
                open(SocketAddr::new(Ipv4Addr::UNSPECIFIED.into(), port), count, limits)
            }
            done => done,
        },
    }
}

/// Makes a listener that was opened elsewhere one of `count` shards: all of them accept from it.
///
/// # Errors
/// The operating system refused an option, or descriptors.
pub fn adopt(
    listener: &TcpListener,
    count: usize,
    limits: &Limits,
) -> io::Result<Vec<TcpListener>> {
    set_options(&SockRef::from(listener), limits)?;
    (0..count).map(|_| listener.try_clone()).collect()
}

fn open(
    address: SocketAddr,
    count: usize,
    limits: &Limits,
) -> Result<Vec<TcpListener>, ListenError> {
    let failed = |error| ListenError { address, error };
    // The first binds without SO_REUSEPORT: another instance on the port refuses it. The option
    // is set before it listens, so that the other shards may join.
    let first = socket(address, limits).map_err(failed)?;
    first.bind(&address.into()).map_err(failed)?;
    first.set_reuse_port(true).map_err(failed)?;
    let bound = first.local_addr().map_err(failed)?;
    let mut sockets = vec![first];
    for _ in 1..count {
        let next = socket(address, limits).map_err(failed)?;
        next.set_reuse_port(true).map_err(failed)?;
        next.bind(&bound).map_err(failed)?;
        sockets.push(next);
    }
    let backlog = i32::try_from(limits.listen_backlog).unwrap_or(i32::MAX);
    for socket in &sockets {
        socket.listen(backlog).map_err(failed)?;
    }
    Ok(sockets.into_iter().map(TcpListener::from).collect())
}

/// Accepted sockets inherit what is set here: nothing needs to be set on each of them.
fn socket(address: SocketAddr, limits: &Limits) -> io::Result<Socket> {
    let socket = Socket::new(Domain::for_address(address), Type::STREAM, Some(Protocol::TCP))?;
    if address.is_ipv6() {
        socket.set_only_v6(false)?;
    }
    socket.set_reuse_address(true)?;
    set_options(&socket, limits)?;
    Ok(socket)
}

fn set_options(socket: &Socket, limits: &Limits) -> io::Result<()> {
    socket.set_nonblocking(true)?;
    socket.set_tcp_nodelay(true)?;
    socket.set_send_buffer_size(limits.kernel_send_bytes)?;
    socket.set_tcp_notsent_lowat(limits.kernel_unsent_bytes)
}

#[cfg(test)]
mod tests {
    use super::bind;
    use relay_hub::Limits;
    use std::net::{IpAddr, Ipv4Addr};

    #[test]
    fn a_second_instance_on_a_taken_port_is_refused() {
        let host = Some(IpAddr::V4(Ipv4Addr::LOCALHOST));
        let limits = Limits::default();
        let first = bind(host, 0, 4, &limits).unwrap();
        assert_eq!(first.len(), 4, "the shards of one instance share the port");
        let port = first[0].local_addr().unwrap().port();
        let refused = bind(host, port, 1, &limits).unwrap_err();
        assert_eq!(refused.error.kind(), std::io::ErrorKind::AddrInUse);
    }
}
