//! Writing outboxes: one call per connection and pass, many frames in it.

use std::io::{self, Write};

use relay_hub::Outbox;

/// Bytes that are put together for one write; more go out in several.
const GATHER_BYTES_MAX: usize = 256 * 1024;

/// Puts the frames of an outbox together for one write. Receivers of the same broadcasts have the
/// same queue: what was put together for one serves the next without a copy.
#[derive(Debug, Default)]
pub(crate) struct Gather {
    serials: Vec<u64>,
    bytes: Vec<u8>,
}

impl Gather {
    /// Writes what one call can take. Returns how many bytes went out, and whether the socket
    /// took everything that was offered.
    pub(crate) fn write(
        &mut self,
        socket: &mut impl Write,
        outbox: &Outbox,
    ) -> io::Result<(usize, bool)> {
        let mut frames = outbox.frames();
        let Some(first) = frames.next() else { return Ok((0, true)) };
        let offered =
            if outbox.written() > 0 || outbox.len() == 1 || first.bytes().len() >= GATHER_BYTES_MAX
            {
                &first.bytes()[outbox.written()..]
            } else {
                self.gather(outbox);
                &self.bytes[..]
            };
        let written = socket.write(offered)?;
        Ok((written, written == offered.len()))
    }

    fn gather(&mut self, outbox: &Outbox) {
        let mut sum = 0;
        let fits = |frame: &&std::rc::Rc<relay_hub::Frame>| {
            sum += frame.bytes().len();
            sum <= GATHER_BYTES_MAX
        };
        let fit = outbox.frames().take_while(fits).count();
        let same = self.serials.len() == fit
            && self
                .serials
                .iter()
                .zip(outbox.frames())
                .all(|(serial, frame)| *serial == frame.serial());
        if same {
            return;
        }
        self.serials.clear();
        self.bytes.clear();
        for frame in outbox.frames().take(fit) {
            self.serials.push(frame.serial());
            self.bytes.extend_from_slice(frame.bytes());
        }
    }
}
