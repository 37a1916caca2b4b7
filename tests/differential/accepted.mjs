// Differences from Node that are meant: case → field → why, in a sentence. `post#2.*` is all that
// was seen there. A difference that is listed here and does not occur any more fails the run as one
// does that is not listed.

const BEFORE_101 = 'The version is checked before the 101: Node breaks an accepted WebSocket off.';
const CLOSE_PACKET = 'A close packet closes the session over any transport: Node ignores it here.';
const BAD_PAYLOAD = 'Who posts what is no payload is told so: Node says ok and closes the session.';
const VERSION_13 = 'RFC 6455 knows version 13 alone: Node also takes a draft of it.';

/** The same differences in several cases. */
const inEach = (names, differences) => Object.fromEntries(names.map((name) => [name, differences]));

const BAD_PAYLOADS = [
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
];

export const ACCEPTED = {
  ...inEach(
    ['no version', 'EIO=3', 'EIO=abc', 'EIO twice, the last is 3'].map(
      (what) => `WebSocket: ${what}`,
    ),
    { 'ws#1.*': BEFORE_101 },
  ),
  'WebSocket: version 8': { 'ws#1.*': VERSION_13 },
  'WebSocket: version 8, and the end': { 'ws#2.end': VERSION_13 },
  'over WebSocket: a close packet': { 'ws#5.frame': CLOSE_PACKET },
  ...inEach(
    BAD_PAYLOADS.flatMap((what) => [`POST: ${what}`, `POST while a GET waits: ${what}`]),
    { 'post#2.*': BAD_PAYLOAD },
  ),
  ...inEach(
    [
      'POST: an event and a separator',
      'POST: a separator and an event',
      'POST: an event, nothing, an event',
      'POST: an event and a bad packet',
      'POST: a bad packet and an event',
      'upgrade: the session breaks by POST while probing',
    ],
    { 'post#2.*': BAD_PAYLOAD },
  ),
};
