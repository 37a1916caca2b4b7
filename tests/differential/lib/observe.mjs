// What of an answer is compared. Left out: `date`, `keep-alive`, how a body is framed.

import { createHash } from 'node:crypto';
import { brotliDecompressSync, gunzipSync, inflateSync } from 'node:zlib';

/** Header fields that a client, a cache or a browser acts upon. */
const COMPARED = [
  'allow',
  'cache-control',
  'content-encoding',
  'content-type',
  'location',
  'sec-websocket-accept',
  'sec-websocket-extensions',
  'sec-websocket-protocol',
  'set-cookie',
  'upgrade',
  'x-xss-protection',
];
/** Of these the letters' case means nothing. */
const ANY_CASE = new Set(['cache-control', 'content-encoding', 'content-type', 'upgrade']);
const DECODERS = { br: brotliDecompressSync, deflate: inflateSync, gzip: gunzipSync };
const BODY_SHOWN = 200;

/** The fields of an answer, in a fixed order. */
export function observeAnswer({ status, headers, body }) {
  const fields = { status };
  const field = (name, value) => {
    if (value !== undefined) fields[`header.${name}`] = value;
  };
  for (const name of COMPARED) {
    const value = headers.get(name)?.join(' | ');
    field(name, ANY_CASE.has(name) ? value?.toLowerCase() : value);
  }
  for (const name of [...headers.keys()].sort()) {
    if (name.startsWith('access-control-')) field(name, headers.get(name).join(' | '));
  }
  field('vary', list(headers.get('vary')));
  field('etag', headers.has('etag') ? 'present' : undefined);
  // Anything else about the connection is how HTTP/1.1 is by default.
  if (/close/i.test(headers.get('connection')?.join() ?? '')) field('connection', 'close');
  field('content-length', contentLength(headers, body));
  fields.body = showBody(headers.get('content-encoding')?.[0], body);
  return fields;
}

/** A length that fits the body says no more than it does: `right`. To HEAD it is the number. */
function contentLength(headers, body) {
  const value = headers.get('content-length')?.join(' | ');
  return value === String(body.length) ? 'right' : value;
}

function list(values) {
  if (!values) return undefined;
  const words = values
    .join()
    .split(',')
    .map((word) => word.trim().toLowerCase());
  return [...new Set(words)].sort().join(', ');
}

function showBody(encoding, body) {
  const decode = DECODERS[encoding];
  const data = decode && body.length ? decode(body) : body;
  const text = data.toString('utf8');
  if (text.length <= BODY_SHOWN) return text;
  const hash = createHash('sha256').update(data).digest('hex').slice(0, 16);
  return `${data.length} bytes, sha256 ${hash}…, ${text.slice(0, 60)}…`;
}
