// Differences from Node that are meant, each with its reason.
//
// A rule is about cases (names, a pattern, or none for all) and fields: `poll.body` stands for any
// `poll#N.body`, `post#2.*` for all that was seen there. With `node` or `ours` it is only about
// these values (`undefined`: the field is absent). A rule whose difference does not occur any more
// fails the run, as does a difference that no rule is about.

/** The same cases over both transports. */
const overBoth = (names, prefix = 'joined') =>
  names.flatMap((name) => [
    `${prefix} over polling: ${name}`,
    `${prefix} over WebSocket: ${name}`,
  ]);

/** The same cases with a GET that waits and without. */
const withGetAndWithout = (names) =>
  names.flatMap((name) => [`POST: ${name}`, `POST while a GET waits: ${name}`]);

const HANDSHAKES = [
  {
    why: 'JSONP is left out: no client of version 3 and later uses it.',
    cases: /^(JSONP|POST by JSONP form)/,
    fields: ['main.*', 'post.*', 'poll.*'],
  },
  {
    why: 'hyper refuses characters in a target that no URI has.',
    cases: ['GET ?EIO=4&transport=polling&x="<>`{}|^'],
    fields: ['main.*'],
  },
  {
    why: 'The version is checked before the 101: Node breaks an accepted WebSocket off.',
    cases: ['no version', 'EIO=3', 'EIO=abc', 'EIO twice, the last is 3'].map(
      (what) => `WebSocket: ${what}`,
    ),
    fields: ['ws#1.*'],
  },
  {
    why: 'RFC 6455 knows version 13 alone: Node also takes a draft of it.',
    cases: ['WebSocket: version 8', 'WebSocket: version 8, and the end'],
    fields: ['ws.*'],
  },
  {
    why: 'HTTP/1.1 wants one Host (RFC 9112 §3.2): Node takes two, and a WebSocket without any.',
    cases: ['two Host fields', 'WebSocket: no Host'],
    fields: ['main.status', 'ws.*'],
  },
  {
    why: 'An Upgrade in HTTP/1.0 is ignored (RFC 9110 §7.8).',
    cases: ['WebSocket: HTTP/1.0'],
    fields: ['ws.*'],
  },
  {
    why: 'Who would rather have HTTP/2, as Java’s client, is answered all the same (RFC 9110 §7.8).',
    cases: ['an Upgrade to something else', 'WebSocket: Upgrade: h2c'],
    fields: ['main.*', 'ws.*'],
  },
];

const HTTP = [
  {
    why: 'hyper takes lines that end in LF alone (RFC 9112 §2.2 allows it).',
    cases: ['lines that end in LF alone'],
    fields: ['main.status'],
  },
  {
    why: 'hyper knows HTTP/1.0 and 1.1 by their names, Node takes any 2.0 for 1.1.',
    cases: ['HTTP/2.0'],
    fields: ['main.status'],
  },
  {
    why: 'A request has at most 100 header fields.',
    cases: ['200 fields'],
    fields: ['main.status'],
  },
  {
    why: 'hyper sends a 100 only to a request that has a body.',
    cases: ['Expect: 100-continue on a GET'],
    fields: ['main.*'],
  },
  {
    why: 'hyper goes by the chunks and ends the connection behind them (RFC 9112 §6.3 allows it).',
    cases: ['a length and chunks'],
    fields: ['post.status'],
  },
  {
    why: 'A 204 has no Content-Length (RFC 9110 §8.6).',
    cases: /^cors: (OPTIONS|preflight)/,
    fields: ['main.header.content-length', 'main#2.header.content-length'],
    ours: undefined,
  },
];

const POLLING = [
  {
    why: 'A close packet that waits goes out with the next GET: Node sends a noop ahead of it.',
    fields: ['poll.body'],
    node: '6\u001e1',
    ours: '1',
  },
  {
    why: 'Who posts what is no payload is told so: Node says ok and closes the session.',
    cases: [
      ...withGetAndWithout([
        'nothing',
        'a separator',
        'two separators',
        'type 7',
        'type 9',
        'no type',
        'a letter',
        'a space before',
        'a byte order mark',
        'a NUL',
      ]),
      'POST: an event and a separator',
      'POST: a separator and an event',
      'POST: an event, nothing, an event',
      'POST: an event and a bad packet',
      'POST: a bad packet and an event',
      'POST without a length',
      'POST of length 0',
      'POST in no chunk',
      'upgrade: the session breaks by POST while probing',
    ],
    fields: ['post.*'],
  },
  {
    why: 'Base64 has one alphabet: Node guesses.',
    cases: [
      ...withGetAndWithout(['binary with bad base64']),
      'joined over polling: a binary event, url alphabet',
    ],
    fields: ['post.*', 'poll.*'],
  },
  {
    why: 'A body that says it is too large is refused at once: Node waits for it.',
    cases: ['POST too large by its length alone [small]'],
    fields: ['post.silence'],
  },
  {
    why: 'What a refused POST still has to say is read for a while, lest a reset overtake the answer.',
    cases: ['a POST while a POST is on its way'],
    fields: ['first.end'],
  },
  {
    why: 'Echoes that were on their way go out ahead of the close: Node loses them.',
    cases: ['an event ahead of the close'],
    fields: ['poll.body'],
  },
  {
    why: 'A polling answer holds at most 16 packets, as many as every client takes.',
    cases: ['POST: twenty events'],
    fields: ['poll.body'],
  },
  {
    why: 'A polling answer of several packets is no larger than maxPayload.',
    cases: /^POST of (99|100) bytes where 100 are allowed/,
    fields: ['poll.body'],
  },
  {
    why: 'What is sent at once goes out with one GET.',
    cases: ['a GET waits for the answer to CONNECT'],
    fields: ['poll.*'],
  },
];

const SOCKETIO = [
  {
    why: 'Behind its close frame the server ends its direction: nothing else can come.',
    cases: /over WebSocket: /,
    fields: ['ws.silence'],
    node: 'silent',
    ours: 'ended',
  },
  {
    why: 'What a client sent is kept as it wrote it: Node reads and writes it anew.',
    cases: [
      ...overBoth(['a message with numbers', 'a message with escapes']),
      ...overBoth(['a message with duplicate keys']),
      ...overBoth(['CONNECT with a payload', 'CONNECT with a duplicate key'], 'first'),
      ...overBoth(['a binary event, reordered', 'a binary event, one used twice']),
      ...overBoth(['a binary event, one unused']),
    ],
    fields: ['poll.body', 'ws.frame', 'ws.silence'],
  },
  {
    why: 'A namespace is joined at once, and what comes behind the CONNECT is heard: Node closes.',
    cases: overBoth(['CONNECT and an event at once', 'CONNECT and DISCONNECT at once'], 'first'),
    fields: ['poll.body', 'ws.frame', 'ws.silence'],
  },
  {
    why: 'A namespace is joined at once, not behind what came later.',
    cases: ['joined over WebSocket: CONNECT to /custom'],
    fields: ['ws.frame', 'ws.silence'],
  },
  {
    why: 'A second CONNECT to a namespace closes: Node makes two sockets of two at once.',
    cases: [
      ...overBoth(['CONNECT twice at once'], 'first'),
      ...overBoth(['CONNECT to /custom, then again']),
    ],
    fields: ['poll.body', 'ws.frame', 'ws.silence'],
  },
  {
    why: 'An EVENT has a payload, and an ACK a payload and an id (Socket.IO v5): Node forgives it.',
    cases: [
      ...overBoth(['an event without payload']),
      'joined over polling: an acknowledgement without payload',
      'joined over polling: an acknowledgement without id',
    ],
    fields: ['poll.body', 'ws.frame', 'ws.silence'],
  },
  {
    why: 'An id is digits: Node takes white space for the number 0.',
    cases: overBoth(['a message with white space']),
    fields: ['poll.body', 'ws.frame', 'ws.silence'],
  },
  {
    why: 'What follows a DISCONNECT is a protocol error at once: Node forgives it in the same tick.',
    cases: ['DISCONNECT', 'DISCONNECT with the namespace by name'].map(
      (what) => `joined over WebSocket: ${what}`,
    ),
    fields: ['ws.frame'],
  },
];

const WEBSOCKET = [
  {
    why: 'A close packet closes the session over any transport: Node ignores it here.',
    cases: ['over WebSocket: a close packet'],
    fields: ['ws#5.frame'],
  },
];

const UPGRADES = [
  {
    why: 'A WebSocket that only probed ends without a close frame: its client has the session.',
    cases: [
      'upgrade: the session closes by POST while probing',
      'upgrade: the session closes by POST before the probe',
      'upgrade: the session breaks by POST while probing',
      'upgrade: a GET goes away while probing',
      'upgrade: closed by frame after the probe, another succeeds',
    ],
    fields: ['ws.frame'],
    ours: 'ended',
  },
  {
    why: 'A WebSocket that breaks the protocol while it probes is dropped: nobody has spoken yet.',
    cases: ['upgrade: a frame too large on the WebSocket that probes [small]'],
    fields: ['ws.frame'],
  },
  {
    why: 'The packet that upgrades has no data.',
    cases: ['upgrade: first an upgrade with data'],
    fields: ['ws.*', 'alive.*'],
  },
  {
    why: 'A session over WebSocket is not given to whoever knows its id.',
    cases: ['upgrade: a WebSocket for a session over WebSocket'],
    fields: ['other.frame'],
  },
  {
    why: 'A WebSocket that was closed does not stand in the way of the next.',
    cases: ['upgrade: closed by frame after the probe, another succeeds'],
    fields: ['other.frame'],
  },
  {
    why: 'A POST that the upgrade overtakes is told why it is refused.',
    cases: ['upgrade: a POST on its way when `5` comes'],
    fields: ['post#2.*'],
  },
];

const BUNDLE = [
  {
    why: 'A cache must know that the bundle varies by Accept-Encoding.',
    cases: /bundle/,
    fields: ['main.header.vary'],
  },
  {
    why: 'A 304 repeats ETag and Cache-Control (RFC 9110 §15.4.5).',
    cases: /bundle(, known|: If-None-Match)/,
    fields: ['main.header.etag', 'main.header.cache-control'],
    node: undefined,
  },
  {
    why: 'If-None-Match is a list, or `*`: Node compares its text.',
    cases: ['bundle: If-None-Match: *', 'bundle: If-None-Match: "0.0.0", "4.8.4"'],
    fields: ['main.*'],
  },
  {
    why: 'The bundle can be got, not posted to or deleted.',
    cases: /^(bundle: by|cors: OPTIONS of the bundle$)/,
    fields: ['main.*'],
  },
  {
    why: 'The bundle is kept as gzip: there is no br.',
    cases: ['bundle: Accept-Encoding: br', 'bundle: Accept-Encoding: *'],
    fields: ['main.header.content-encoding'],
  },
  {
    why: 'hyper drops a fragment, which no client sends.',
    cases: ['bundle: with #x'],
    fields: ['main.*'],
  },
];

export const ACCEPTED = [
  ...HANDSHAKES,
  ...HTTP,
  ...POLLING,
  ...SOCKETIO,
  ...WEBSOCKET,
  ...UPGRADES,
  ...BUNDLE,
];
