// WebSocket frames, just enough to speak with a server: whole frames, one after the other.

const NAMES = { 0: 'continuation', 1: 'text', 2: 'binary', 8: 'close', 9: 'ping', 10: 'pong' };
const OPCODES = Object.fromEntries(
  Object.entries(NAMES).map(([code, name]) => [name, Number(code)]),
);
const MASK = Buffer.from([0x37, 0xfa, 0x21, 0x3d]);

/**
 * The first frame of a server in `bytes`, or `undefined` while it is incomplete: `{shown, size}`.
 * `shown` is how a comparison prints it: `text 4hello`, `binary 0102`, `close 1009`, `close`.
 */
export function parseFrame(bytes) {
  if (bytes.length < 2) return undefined;
  // Bits that nobody negotiated, or a masked frame: what follows cannot be cut into frames.
  if (bytes[0] & 0x70 || bytes[1] & 0x80) return { shown: 'broken', size: bytes.length };
  let length = bytes[1] & 0x7f;
  let from = 2;
  if (length === 126) {
    if (bytes.length < 4) return undefined;
    [length, from] = [bytes.readUInt16BE(2), 4];
  } else if (length === 127) {
    if (bytes.length < 10) return undefined;
    [length, from] = [Number(bytes.readBigUInt64BE(2)), 10];
  }
  if (bytes.length < from + length) return undefined;
  const payload = bytes.subarray(from, from + length);
  return { shown: show(bytes[0], payload), size: from + length };
}

function show(first, payload) {
  const name = NAMES[first & 0x0f] ?? `opcode ${first & 0x0f}`;
  const part = first & 0x80 ? '' : 'unfinished ';
  if (name === 'close') {
    const reason = payload.subarray(2).toString('utf8');
    return ['close', payload.length ? payload.readUInt16BE(0) : '', reason].join(' ').trim();
  }
  return `${part}${name} ${payload.toString(name === 'text' ? 'utf8' : 'hex')}`.trim();
}

/** A client's frame. `name` is one of `text`, `binary`, `close`, `ping`, `pong`, `continuation`. */
export function clientFrame(name, payload, { masked = true, fin = true } = {}) {
  const data = Buffer.from(payload);
  const head = [OPCODES[name] | (fin ? 0x80 : 0)];
  const mark = masked ? 0x80 : 0;
  if (data.length < 126) head.push(mark | data.length);
  else if (data.length < 65_536) head.push(mark | 126, data.length >> 8, data.length & 0xff);
  else {
    const size = Buffer.alloc(8);
    size.writeBigUInt64BE(BigInt(data.length));
    head.push(mark | 127, ...size);
  }
  if (!masked) return Buffer.concat([Buffer.from(head), data]);
  const hidden = data.map((byte, index) => byte ^ MASK[index % 4]);
  return Buffer.concat([Buffer.from(head), MASK, hidden]);
}
