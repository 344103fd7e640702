/**
 * The WebSocket to the node: join, offers and their answers, heart-beat, and coming back after a loss.
 *
 * Events (`detail`):
 * - `joined` (the node's `joined` message, plus `again`: whether this is a return)
 * - `message` (any other message of the node that is no answer)
 * - `refused` ({ code, message }): the node or the network did not let us in; nothing is tried again
 * - `down` ({ attempt, delayMs }): the connection was lost and is tried again after `delayMs`
 * - `closed` ({ reason }): the node ended our stay for good
 */
import { coded } from './link.js';

/** First wait before a new try; doubled each time. Short, since most losses are a changed network. */
const RETRY_FIRST_MS = 500;
/** Longest wait between tries: a node that restarts is back within this. */
const RETRY_MAX_MS = 10_000;
/** A ping this often, so that a dead connection is noticed long before TCP does. */
const HEARTBEAT_MS = 8_000;
/** Nothing heard for this long: the connection counts as lost. */
const SILENCE_MS = 20_000;
/** An answer that takes longer will not come. */
const ANSWER_MS = 10_000;
/** A node that does not answer the join within this is not there. */
const JOIN_MS = 12_000;

/** Why the node closes a stay for good; after any other reason we come back. */
const FINAL = new Set(['kicked', 'room_deleted']);
/** Refusals that pass by themselves: on the way back they are no reason to give up. */
const PASSING = new Set(['busy', 'at_capacity', 'shutting_down', 'network']);

export class Signalling extends EventTarget {
  #url;
  #credentials;
  #socket = null;
  #joined = false;
  #everJoined = false;
  #over = false;
  #attempt = 0;
  #retry = 0;
  #heartbeat = 0;
  #joinTimer = 0;
  #heardAt = 0;
  #nextId = 1;
  #waiting = new Map();

  /** `credentials` is an async function that gives `{ token, name }`, asked before every join, since tokens expire. */
  constructor(url, credentials) {
    super();
    this.#url = url;
    this.#credentials = credentials;
  }

  get joined() {
    return this.#joined;
  }

  async open() {
    clearTimeout(this.#retry);
    let credentials;
    try {
      credentials = await this.#credentials();
    } catch (error) {
      return this.#notIn(error.code ?? 'network', error.message);
    }
    if (this.#over || this.#socket) return undefined;
    const socket = new WebSocket(this.#url);
    this.#socket = socket;
    this.#joinTimer = setTimeout(() => this.#lost(socket, 'The node does not answer.'), JOIN_MS);
    socket.onopen = () => socket.send(JSON.stringify({ type: 'join', ...credentials }));
    socket.onmessage = (event) => socket === this.#socket && this.#receive(event.data);
    socket.onclose = (event) => this.#lost(socket, event.reason);
    return undefined;
  }

  /** Says goodbye and stays away. */
  leave() {
    this.send({ type: 'leave' });
    this.#end();
  }

  /** Tries at once instead of waiting for the next turn (the network is back, or somebody is impatient). */
  retryNow() {
    if (this.#over || this.#socket) return;
    this.#attempt = 0;
    this.open();
  }

  /** Drops the connection and joins anew: the last resort when the media path cannot be healed. */
  rejoin() {
    if (this.#socket) this.#lost(this.#socket, '');
  }

  /** Sends if connected; tells whether it did. */
  send(message) {
    if (this.#socket?.readyState !== WebSocket.OPEN) return false;
    this.#socket.send(JSON.stringify(message));
    return true;
  }

  /** Sends an offer (`{ sdp, publish, subscribe }`); resolves to the node's answer, rejects with its error or on a loss. */
  exchange(offer) {
    const id = this.#nextId;
    this.#nextId += 1;
    return new Promise((resolve, reject) => {
      if (!this.#joined || !this.send({ type: 'offer', id, ...offer })) {
        reject(coded('network', 'The connection to the node is down.'));
        return;
      }
      const timer = setTimeout(() => {
        this.#waiting.delete(id);
        reject(coded('timeout', 'The node did not answer in time.'));
      }, ANSWER_MS);
      this.#waiting.set(id, { resolve, reject, timer });
    });
  }

  #receive(text) {
    this.#heardAt = Date.now();
    let message;
    try {
      message = JSON.parse(text);
    } catch {
      return;
    }
    switch (message?.type) {
      case 'joined':
        return this.#welcome(message);
      case 'answer':
        return this.#settle(message.id, (wait) => wait.resolve(message));
      case 'error':
        return this.#error(message);
      case 'closed':
        return this.#closed(message.reason);
      case 'pong':
        return undefined;
      default:
        return this.#tell('message', message);
    }
  }

  #welcome(message) {
    clearTimeout(this.#joinTimer);
    const again = this.#everJoined;
    this.#joined = true;
    this.#everJoined = true;
    this.#attempt = 0;
    clearInterval(this.#heartbeat);
    this.#heartbeat = setInterval(() => this.#beat(), HEARTBEAT_MS);
    this.#tell('joined', { ...message, again });
  }

  #beat() {
    if (Date.now() - this.#heardAt > SILENCE_MS) this.rejoin();
    else this.send({ type: 'ping' });
  }

  #error(message) {
    const error = coded(message.code ?? 'error', message.message ?? 'The node reported an error.');
    if (this.#settle(message.id, (wait) => wait.reject(error))) return;
    if (this.#joined) this.#tell('message', message);
    else this.#notIn(error.code, error.message);
  }

  #closed(reason) {
    if (FINAL.has(reason)) {
      this.#end();
      this.#tell('closed', { reason });
    } else {
      this.rejoin();
    }
  }

  #settle(id, act) {
    const wait = this.#waiting.get(id);
    if (!wait) return false;
    clearTimeout(wait.timer);
    this.#waiting.delete(id);
    act(wait);
    return true;
  }

  #lost(socket, detail) {
    if (socket !== this.#socket || this.#over) return;
    this.#notIn('network', detail || 'The connection to the node was lost.');
  }

  /** Not in, for whatever reason: give up on the first join, come back later afterwards. */
  #notIn(code, message) {
    if (this.#over) return;
    this.#drop();
    if (!this.#everJoined || !PASSING.has(code)) {
      this.#end();
      this.#tell('refused', { code, message });
      return;
    }
    const delayMs = this.#delay();
    this.#attempt += 1;
    this.#retry = setTimeout(() => this.open(), delayMs);
    this.#tell('down', { attempt: this.#attempt, delayMs });
  }

  /** Doubling with jitter, so that a full room does not come back in one instant. */
  #delay() {
    const whole = Math.min(RETRY_MAX_MS, RETRY_FIRST_MS * 2 ** this.#attempt);
    return Math.round(whole * (0.5 + Math.random() / 2));
  }

  #drop() {
    clearTimeout(this.#joinTimer);
    clearInterval(this.#heartbeat);
    const socket = this.#socket;
    this.#socket = null;
    this.#joined = false;
    if (socket) {
      socket.onopen = socket.onmessage = socket.onclose = null;
      socket.close();
    }
    for (const id of [...this.#waiting.keys()]) {
      this.#settle(id, (wait) => wait.reject(coded('network', 'The connection to the node was lost.')));
    }
  }

  #end() {
    this.#over = true;
    clearTimeout(this.#retry);
    this.#drop();
  }

  #tell(type, detail) {
    this.dispatchEvent(new CustomEvent(type, { detail }));
  }
}
