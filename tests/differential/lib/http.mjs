// Reads HTTP/1.1 answers out of bytes. Owns the framing of bodies; knows no sockets and no time.

const HEAD_END = '\r\n\r\n';
const WITHOUT_BODY = new Set([101, 204, 304]);

/**
 * The first answer in `bytes`, or `undefined` while it is incomplete: `{status, version, headers,
 * body, size}`. `headers` maps a lower-case name to its values in order, `size` is how many bytes
 * the answer took. `method` is that of the request; `ended` says that no more bytes will come.
 */
export function parseAnswer(bytes, method, ended) {
  const headEnd = bytes.indexOf(HEAD_END);
  if (headEnd < 0) return undefined;
  const [first, ...lines] = bytes.subarray(0, headEnd).toString('latin1').split('\r\n');
  const start = /^HTTP\/(1\.[01]) (\d{3})(?: |$)/.exec(first);
  if (!start) throw new Error(`no status line: ${JSON.stringify(first)}`);
  const headers = parseFields(lines);
  const status = Number(start[2]);
  const from = headEnd + HEAD_END.length;
  const body = parseBody(bytes.subarray(from), { status, headers, method, ended });
  if (!body) return undefined;
  return { status, version: start[1], headers, body: body.data, size: from + body.size };
}

function parseFields(lines) {
  const headers = new Map();
  for (const line of lines) {
    const colon = line.indexOf(':');
    if (colon < 1) throw new Error(`no header field: ${JSON.stringify(line)}`);
    const name = line.slice(0, colon).toLowerCase();
    headers.set(name, [...(headers.get(name) ?? []), line.slice(colon + 1).trim()]);
  }
  return headers;
}

function parseBody(bytes, { status, headers, method, ended }) {
  if (status < 200 || WITHOUT_BODY.has(status) || method === 'HEAD') {
    return { data: Buffer.alloc(0), size: 0 };
  }
  if (headers.get('transfer-encoding')?.at(-1) === 'chunked') return parseChunks(bytes);
  const length = headers.get('content-length')?.[0];
  if (length !== undefined) {
    const size = Number(length);
    return bytes.length < size ? undefined : { data: bytes.subarray(0, size), size };
  }
  return ended ? { data: bytes, size: bytes.length } : undefined;
}

function parseChunks(bytes) {
  const chunks = [];
  for (let at = 0; ;) {
    const lineEnd = bytes.indexOf('\r\n', at);
    if (lineEnd < 0) return undefined;
    const size = Number.parseInt(bytes.subarray(at, lineEnd).toString('latin1'), 16);
    if (!Number.isInteger(size)) throw new Error('no chunk size');
    at = lineEnd + 2;
    if (bytes.length < at + size + 2) return undefined;
    chunks.push(bytes.subarray(at, at + size));
    at += size + 2;
    // Neither server sends trailers.
    if (size === 0) return { data: Buffer.concat(chunks), size: at };
  }
}

/** The methods of the requests that begin in `text`, in order. */
export function methodsOf(text) {
  return [...text.matchAll(/^([A-Z]+) [^\r\n]* HTTP\/1\.[01]\r\n/gm)].map((match) => match[1]);
}
