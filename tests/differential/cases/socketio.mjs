// Socket.IO over polling, and where it differs over WebSocket.

import {
  frames,
  hear,
  join,
  open,
  openWs,
  park,
  parked,
  pause,
  poll,
  post,
  say,
  silence,
} from '../lib/steps.mjs';

/** Where an attachment goes. */
const hole = (num) => `{"_placeholder":true,"num":${num}}`;
const TEN = Array.from({ length: 10 }, (_, num) => hole(num)).join();

/** Payloads that an open session, which has joined nothing, posts; then it polls. */
const FIRST = [
  ['CONNECT', '40'],
  ['CONNECT with a payload', '40{"token":"x","n":[1,2.50,null]}'],
  ['CONNECT with an empty payload', '40{}'],
  ['CONNECT to / by name', '40/,'],
  ['CONNECT to /custom', '40/custom,'],
  ['CONNECT to /custom without a comma', '40/custom'],
  ['CONNECT to /custom with a payload', '40/custom,{"token":"x"}'],
  ['CONNECT to an unknown namespace', '40/random'],
  ['CONNECT to an unknown namespace with a comma', '40/random,'],
  ['CONNECT to an unknown namespace with a payload', '40/random,{"a":1}'],
  ['CONNECT to a namespace with a query', '40/custom?a=1,'],
  ['CONNECT to a namespace in other letters', '40/Custom,'],
  ['CONNECT to a namespace with a line end', '40/cus\ntom,'],
  ['CONNECT to a nested namespace', '40/custom/x,'],
  ['CONNECT to __proto__', '40/__proto__,'],
  ['CONNECT to two namespaces', '40\x1e40/custom,'],
  ['CONNECT to an unknown namespace and to /', '40/random,\x1e40'],
  ['CONNECT with an array', '40[]'],
  ['CONNECT with a string', '40"x"'],
  ['CONNECT with a number', '401'],
  ['CONNECT with null', '40null'],
  ['CONNECT with broken JSON', '40{'],
  ['CONNECT with white space behind', '40{} \n'],
  ['CONNECT with an ack id', '4012{}'],
  ['CONNECT with a duplicate key', '40{"a":1,"a":2}'],
  ['CONNECT with __proto__', '40{"__proto__":{"a":1},"b":2}'],
  ['an event before CONNECT', '42["message",1]'],
  ['an event to an unknown namespace', '42/random,["message",1]'],
  ['DISCONNECT before CONNECT', '41'],
  ['an acknowledgement before CONNECT', '430[]'],
  ['CONNECT and an event at once', '40\x1e42["message",1]'],
  ['CONNECT and DISCONNECT at once', '40\x1e41'],
  ['CONNECT twice at once', '40\x1e40'],
  ['CONNECT_ERROR', '44{"message":"x"}'],
  ['CONNECT_ERROR to a namespace', '44/custom,{"message":"x"}'],
];

/** Payloads that a session posts which has joined `/`; then it polls. */
const JOINED = [
  ['CONNECT again', '40'],
  ['CONNECT to /custom', '40/custom,'],
  ['CONNECT to /custom, then again', '40/custom,\x1e40/custom,'],
  ['CONNECT_ERROR', '44{"message":"x"}'],
  ['CONNECT_ERROR without payload', '44'],
  ['a message without arguments', '42["message"]'],
  ['a message', '42["message",1,"2",{"3":[true]}]'],
  ['a message with null', '42["message",null]'],
  ['a message with numbers', '42["message",1.0,1e2,0.1,-0,100000000000000000000000]'],
  ['a message with escapes', '42["message","\\u00f1\\n\\/\\ud83d\\ude00"]'],
  ['a message with duplicate keys', '42["message",{"a":1,"a":2}]'],
  ['a message with empty keys', '42["message",{"":{"":0}}]'],
  ['a message 100 arrays deep', `42["message",${'['.repeat(100)}${']'.repeat(100)}]`],
  ['a message with white space', '42 [ "message" , 1 ] '],
  ['a message with white space behind', '42["message",1] \n'],
  ['a message with a comma too many', '42["message",1,]'],
  ['a message with two values', '42["message",1]["message",2]'],
  ['a message with the namespace by name', '42/,["message",1]'],
  ['a message with acknowledgement', '420["message-with-ack",1,"2",{"3":[true]}]'],
  ['a message with acknowledgement, no arguments', '421["message-with-ack"]'],
  ['a message with acknowledgement, a big id', '429007199254740991["message-with-ack",1]'],
  ['a message with acknowledgement, a leading zero', '42007["message-with-ack",1]'],
  ['two messages with one id', '425["message-with-ack",1]\x1e425["message-with-ack",2]'],
  ['an event that nobody knows', '42["unknown",1]'],
  ['an event that nobody knows, with an id', '427["unknown",1]'],
  ['an event whose name is a number', '42[5,1]'],
  ['an event whose name is null', '42[null]'],
  ['an event whose name is an object', '42[{}]'],
  ['an event whose name is true', '42[true]'],
  ['an event whose name is empty', '42["",1]'],
  ['an event whose name is __proto__', '42["__proto__",1]'],
  ['an event called connect', '42["connect",1]'],
  ['an event called disconnect', '42["disconnect",1]'],
  ['an event called disconnecting', '42["disconnecting",1]'],
  ['an event called connect_error', '42["connect_error",1]'],
  ['an event called newListener', '42["newListener",1]'],
  ['an event called removeListener', '42["removeListener",1]'],
  ['an event called error', '42["error",1]'],
  ['an event without payload', '42'],
  ['an event with an empty array', '42[]'],
  ['an event with an object', '42{}'],
  ['an event with a string', '42"message"'],
  ['an event with letters', '42abc'],
  ['an event with letters ahead', '42abc["message",1]'],
  ['an event with broken JSON', '42["message"'],
  ['an event with a single quote', "42['message']"],
  ['an event with NaN', '42["message",NaN]'],
  ['an event of a namespace not joined', '42/custom,["message",1]'],
  ['an acknowledgement that nobody awaits', '430[1]'],
  ['an acknowledgement without payload', '430'],
  ['an acknowledgement without id', '43[1]'],
  ['an acknowledgement with an object', '430{}'],
  ['type 7', '47'],
  ['type 9', '49'],
  ['letters', '4abc'],
  ['a space ahead', '4 2["message",1]'],
  ['DISCONNECT', '41'],
  ['DISCONNECT with the namespace by name', '41/,'],
  ['DISCONNECT with a payload', '41{}'],
  ['DISCONNECT of a namespace not joined', '41/custom,'],
  ['a binary event', '451-["message",{"_placeholder":true,"num":0}]\x1ebAQID'],
  ['a binary event with two', `452-["message",${hole(0)},{"a":${hole(1)}}]\x1ebAQID\x1ebBAU=`],
  [
    'a binary event, reordered',
    '452-["message",{"_placeholder":true,"num":1},{"_placeholder":true,"num":0}]\x1ebAQID\x1ebBAU=',
  ],
  [
    'a binary event, one used twice',
    '451-["message",{"_placeholder":true,"num":0},{"_placeholder":true,"num":0}]\x1ebAQID',
  ],
  ['a binary event, one unused', '452-["message",{"_placeholder":true,"num":0}]\x1ebAQID\x1ebBAU='],
  ['a binary event, unpadded', '451-["message",{"_placeholder":true,"num":0}]\x1ebBAU'],
  ['a binary event, url alphabet', '451-["message",{"_placeholder":true,"num":0}]\x1eb-_8='],
  ['a binary event, empty', '451-["message",{"_placeholder":true,"num":0}]\x1eb'],
  [
    'a binary event with white space in base64',
    '451-["message",{"_placeholder":true,"num":0}]\x1ebAQ ID',
  ],
  [
    'a binary event with acknowledgement',
    '451-3["message-with-ack",{"_placeholder":true,"num":0}]\x1ebAQID',
  ],
  ['a binary event, none', '450-["message",1]'],
  ['a binary event, ten', `4510-["message",${TEN}]${'\x1ebAQ=='.repeat(10)}`],
  ['a binary event, eleven', `4511-["message",1]${'\x1ebAQ=='.repeat(11)}`],
  ['a binary event, number out of range', '451-["message",{"_placeholder":true,"num":1}]\x1ebAQID'],
  ['a binary event, negative number', '451-["message",{"_placeholder":true,"num":-1}]\x1ebAQID'],
  ['a binary event, number as text', '451-["message",{"_placeholder":true,"num":"0"}]\x1ebAQID'],
  ['a binary event, no number', '451-["message",{"_placeholder":true}]\x1ebAQID'],
  [
    'a binary event, text in between',
    '451-["message",{"_placeholder":true,"num":0}]\x1e42["message",1]\x1ebAQID',
  ],
  ['a binary event, no count', '45["message",{"_placeholder":true,"num":0}]\x1ebAQID'],
  ['a binary event, count without dash', '451["message",{"_placeholder":true,"num":0}]\x1ebAQID'],
  ['a binary event, negative count', '45-1-["message",1]'],
  ['a binary event, count in letters', '45a-["message",1]'],
  ['a placeholder in an event without attachments', '42["message",{"_placeholder":true,"num":0}]'],
  ['binary that nobody awaits', 'bAQID'],
  ['a binary acknowledgement that nobody awaits', '461-0[{"_placeholder":true,"num":0}]\x1ebAQID'],
];

/** The same over WebSocket, a frame each: what is heard, or that it is over. */
const OVER_WS = JOINED.filter(([what]) =>
  /^(a message|an event|a binary|letters|DISCONNECT|CONNECT)/.test(what),
);

const frameOf = (packet) =>
  packet.startsWith('b') ? ['binary', Buffer.from(packet.slice(1), 'base64')] : ['text', packet];

/** Of these nothing comes back that tells that they were handled. */
const after = '42["message","after"]';

const joinWs = [openWs(), say('40'), hear(2)];

export default [
  ...FIRST.map(([what, payload]) => ({
    name: `first over polling: ${what}`,
    steps: [open(), post(payload), pause(), poll()],
  })),
  ...JOINED.map(([what, payload]) => ({
    name: `joined over polling: ${what}`,
    steps: [join(), post(payload), post(after), pause(), poll()],
  })),
  ...FIRST.map(([what, payload]) => ({
    name: `first over WebSocket: ${what}`,
    steps: [
      openWs(),
      frames(payload.split('\x1e').map(frameOf)),
      hear(1),
      pause(),
      silence('ws', 100),
    ],
  })),
  ...OVER_WS.map(([what, payload]) => ({
    name: `joined over WebSocket: ${what}`,
    steps: [
      joinWs,
      frames([...payload.split('\x1e').map(frameOf), ['text', after]]),
      hear(1),
      pause(),
      silence('ws', 100),
    ],
  })),
  {
    name: 'a GET waits for the answer to CONNECT',
    steps: [open(), park(), post('40'), parked(), pause(), poll()],
  },
  {
    name: 'attachments in a payload of their own',
    steps: [join(), post('451-["message",{"_placeholder":true,"num":0}]'), post('bAQID'), poll()],
  },
  {
    name: 'an event while an attachment is awaited, in a payload of its own',
    steps: [
      join(),
      post('451-["message",{"_placeholder":true,"num":0}]'),
      post('42["message",1]'),
      poll(),
    ],
  },
  {
    name: 'CONNECT again after DISCONNECT',
    steps: [join(), post('41'), post('40'), poll(), post(after), poll()],
  },
  {
    name: 'an event after DISCONNECT',
    steps: [join(), post('41'), post(after), poll()],
  },
  {
    name: 'one namespace is left, the other goes on',
    steps: [join(), post('40/custom,'), poll(), post('41/custom,'), post(after), poll()],
  },
  {
    name: 'a namespace by name and by nothing are one',
    steps: [open(), post('40/,'), poll(), post(after), poll()],
  },
  {
    name: 'text of 70000 bytes there and back over WebSocket',
    steps: [joinWs, say(`42["message","${'x'.repeat(70_000)}"]`), hear(1)],
  },
  {
    name: 'binary of 70000 bytes there and back over WebSocket',
    steps: [
      joinWs,
      frames([
        ['text', '451-["message",{"_placeholder":true,"num":0}]'],
        ['binary', Buffer.alloc(70_000, 7)],
      ]),
      hear(2),
    ],
  },
];
