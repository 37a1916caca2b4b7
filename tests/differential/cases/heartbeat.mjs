// Pings and the ends that time brings, with short intervals. What is compared is what comes, not
// when.

import { QUICK } from '../modes.mjs';
import {
  hear,
  join,
  open,
  openWs,
  park,
  parked,
  pause,
  poll,
  post,
  probe,
  say,
  upgraded,
} from '../lib/steps.mjs';

/** In the middle of the time for a pong, and after it. */
const PINGED_MS = QUICK.pingIntervalMs + QUICK.pingTimeoutMs / 2;
const OVER_MS = QUICK.pingIntervalMs + QUICK.pingTimeoutMs * 2;

const gone = [poll({ on: 'later' })];
const quick = (name, steps) => ({ name: `heartbeat: ${name}`, mode: 'quick', steps });

export default [
  quick('a ping comes to a GET that waits', [join(), park(), parked()]),
  quick('a ping waits for a GET', [join(), pause(PINGED_MS), poll()]),
  quick('no pong: the GET that waits is ended', [join(), park(), parked(), park(), parked(), gone]),
  quick('no pong: a GET after it', [join(), pause(OVER_MS), gone]),
  quick('no pong before CONNECT', [open(), park(), parked(), park(), parked(), gone]),
  quick('a pong keeps the session', [
    join(),
    [1, 2, 3].map(() => [poll(), post('3')]),
    post('42["message",1]'),
    poll(),
  ]),
  quick('over WebSocket a ping comes', [openWs(), say('40'), hear(3)]),
  quick('over WebSocket no pong', [openWs(), say('40'), hear(4)]),
  quick('over WebSocket pongs', [
    openWs(),
    say('40'),
    hear(3),
    say('3'),
    hear(1),
    say('3'),
    hear(1),
  ]),
  quick('after an upgrade a ping comes', [join(), upgraded(), hear(1), say('3'), hear(1)]),
  quick('after an upgrade no pong', [join(), upgraded(), hear(2)]),
  quick('a WebSocket that does not probe leaves the pings to polling', [
    join(),
    probe(),
    park(),
    parked(),
    post('3'),
    post('42["message",1]'),
    poll(),
  ]),
  quick('no CONNECT over polling', [
    open(),
    poll(),
    post('3'),
    poll(),
    post('3'),
    poll(),
    post('3'),
    park(),
    parked(),
    gone,
  ]),
  quick('no CONNECT over WebSocket', [
    openWs(),
    hear(1),
    say('3'),
    hear(1),
    say('3'),
    hear(1),
    say('3'),
    hear(1),
  ]),
  quick('CONNECT to an unknown namespace does not stop the clock', [
    openWs(),
    say('40/random,'),
    hear(2),
    say('3'),
    hear(1),
    say('3'),
    hear(1),
    say('3'),
    hear(1),
  ]),
];
