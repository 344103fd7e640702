/**
 * The media path: one `RTCPeerConnection` to the node, and the negotiation of what is sent and received on it.
 *
 * The page always offers, so there is no glare. What should be published and subscribed is kept as a wish; a round of
 * negotiation turns the wish into transceivers, sends the offer with two maps by mid, and applies the answer.
 * The node is ICE-lite and learns our addresses from connectivity checks, so nothing is trickled.
 *
 * Events (`detail`):
 * - `published` ({ source, id }), `refused` ({ source }): the node took a source, or did not
 * - `subscribed` ({ id, media, mid }): a far track's `MediaStreamTrack` is there
 * - `state`: the connection's state changed
 * - `unplayable` ({ id }): this browser has no codec for a far track
 * - `trouble` ({ error, attempt }): a round failed; it is tried again
 */
import { Negotiator } from './negotiator.js';
import { prefer } from './codecs.js';

/** Bit/s at most a source: 720p is good at this, and a screen needs its text legible. */
const CEILING = { camera: 1_800_000, screen: 3_000_000, microphone: 64_000 };
/** Wait before a failed round is tried again; doubled each time up to the longest. */
const RETRY_FIRST_MS = 1_000;
const RETRY_MAX_MS = 15_000;
/** How often a far track the node did not give is asked for again; its end is usually under way to us. */
const SUBSCRIBE_TRIES = 3;
/** Far tracks at once. The node allows 55 a peer; a few m-lines are kept for what is on its way out. */
const SUBSCRIBE_AT_MOST = 48;

export class Session extends EventTarget {
  #connection;
  #exchange;
  #preferences;
  #negotiator;
  #publications = new Map();
  #subscriptions = new Map();
  /** Sending transceivers of sources that stopped, by source. */
  #rested = new Map();
  /** Receiving transceivers set inactive but not yet negotiated so, and those free for another track. */
  #leaving = new Set();
  #free = new Set();
  #streams = { person: new MediaStream(), screen: new MediaStream() };
  #failures = 0;
  #restart = false;
  #timer = 0;
  #closed = false;

  /**
   * `exchange`: async, takes `{ sdp, publish, subscribe }` and gives the node's answer.
   * `preferences`: `{ video, audio }`, the codecs wanted first. `data`: whether a chat channel is wanted.
   */
  constructor({ exchange, preferences, data }) {
    super();
    this.#exchange = exchange;
    this.#preferences = preferences;
    this.#connection = new RTCPeerConnection({ bundlePolicy: 'max-bundle' });
    this.#connection.onconnectionstatechange = () => this.#tell('state', this.#connection.connectionState);
    this.#negotiator = new Negotiator(() => this.#round());
    this.chat = data ? this.#connection.createDataChannel('chat') : null;
    if (data) this.#negotiate();
  }

  get connection() {
    return this.#connection;
  }

  /** `new` while nothing has been negotiated, else the connection's own state. */
  get state() {
    return this.#connection.connectionState;
  }

  /** Whether there is anything to negotiate at all; an empty room without chat has nothing. */
  get empty() {
    return !this.chat && this.#connection.getTransceivers().length === 0;
  }

  /** Sends `track` as `source`; a source that is published already only changes its track. */
  publish(source, track) {
    const publication = this.#publications.get(source);
    if (publication) return this.replace(source, track);
    this.#publications.set(source, { source, kind: track.kind, track, transceiver: null, id: null });
    return this.#negotiate();
  }

  /** Another track, or none, for a published source; needs no negotiation. */
  async replace(source, track) {
    const publication = this.#publications.get(source);
    if (!publication) return;
    publication.track = track;
    await publication.transceiver?.sender.replaceTrack(track).catch(() => {});
  }

  unpublish(source) {
    const publication = this.#publications.get(source);
    if (!publication) return;
    this.#publications.delete(source);
    const { transceiver } = publication;
    if (transceiver) {
      this.#rested.set(source, transceiver);
      transceiver.direction = 'inactive';
      transceiver.sender.replaceTrack(null).catch(() => {});
    }
    this.#negotiate();
  }

  subscribe({ id, kind }) {
    if (this.#subscriptions.has(id)) return;
    this.#subscriptions.set(id, { id, kind, transceiver: null, given: false, tries: 0 });
    this.#negotiate();
  }

  unsubscribe(id) {
    const subscription = this.#subscriptions.get(id);
    if (!subscription) return;
    this.#subscriptions.delete(id);
    this.#letGo(subscription.transceiver);
    this.#negotiate();
  }

  /** A new offer with fresh ICE credentials: the way back after the network changed. */
  restartIce() {
    this.#restart = true;
    this.#negotiate();
  }

  /** What is sent and received: `[{ id, source, kind, direction, mid, media }]`. */
  get tracks() {
    const sent = [...this.#publications.values()].map(({ id, source, kind, track, transceiver }) => ({
      id: id ?? source, source, kind, direction: 'send', mid: transceiver?.mid ?? null, media: track,
    }));
    const received = [...this.#subscriptions.values()].map(({ id, kind, transceiver }) => ({
      id, kind, direction: 'receive', mid: transceiver?.mid ?? null, media: transceiver?.receiver.track ?? null,
    }));
    return [...sent, ...received];
  }

  close() {
    this.#closed = true;
    clearTimeout(this.#timer);
    this.#negotiator.close();
    this.#connection.onconnectionstatechange = null;
    this.#connection.close();
  }

  #negotiate() {
    if (this.#closed) return undefined;
    clearTimeout(this.#timer);
    return this.#negotiator.request();
  }

  async #round() {
    if (this.#restart) this.#connection.restartIce();
    this.#dress();
    if (this.empty) return;
    const leaving = [...this.#leaving];
    try {
      await this.#connection.setLocalDescription();
      const publish = this.#byMid(this.#publications, ({ source }) => ({ source }));
      const subscribe = this.#byMid(this.#subscriptions, ({ id }) => id);
      const answer = await this.#exchange({ sdp: this.#connection.localDescription.sdp, publish, subscribe });
      await this.#connection.setRemoteDescription({ type: 'answer', sdp: answer.sdp });
      this.#settled(answer, { publish, subscribe, leaving });
    } catch (error) {
      await this.#failed(error);
    }
  }

  /** Gives every wish a transceiver. */
  #dress() {
    for (const publication of this.#publications.values()) {
      if (!usable(publication.transceiver)) publication.transceiver = this.#sender(publication);
    }
    const [chosen, waiting] = this.#chosen();
    for (const subscription of waiting) this.#rest(subscription);
    for (const subscription of chosen) {
      if (!usable(subscription.transceiver)) subscription.transceiver = this.#receiver(subscription.kind);
    }
  }

  /** What is received in a room of more than there is room for: every voice before any picture, then who came first. */
  #chosen() {
    const all = [...this.#subscriptions.values()];
    const sorted = [...all.filter(({ kind }) => kind === 'audio'), ...all.filter(({ kind }) => kind !== 'audio')];
    return [sorted.slice(0, SUBSCRIBE_AT_MOST), sorted.slice(SUBSCRIBE_AT_MOST)];
  }

  /** A subscription without a transceiver, until there is room for it. */
  #rest(subscription) {
    const { id, transceiver, given } = subscription;
    if (!transceiver) return;
    this.#letGo(transceiver);
    Object.assign(subscription, { transceiver: null, given: false });
    if (given) this.#tell('subscribed', { id, mid: null, media: null });
  }

  #sender({ source, kind, track }) {
    const rested = this.#rested.get(source);
    this.#rested.delete(source);
    if (usable(rested)) {
      rested.direction = 'sendonly';
      rested.sender.replaceTrack(track).catch(() => {});
      return rested;
    }
    const transceiver = this.#connection.addTransceiver(track ?? kind, {
      direction: 'sendonly',
      // Microphone and camera share a stream, so that receivers keep lips and words together.
      streams: [source === 'screen' ? this.#streams.screen : this.#streams.person],
      sendEncodings: [{ maxBitrate: CEILING[source] }],
    });
    prefer(transceiver, kind, this.#preferences[kind]);
    return transceiver;
  }

  #receiver(kind) {
    for (const transceiver of this.#free) {
      if (!usable(transceiver)) {
        this.#free.delete(transceiver);
      } else if (transceiver.receiver.track.kind === kind) {
        this.#free.delete(transceiver);
        transceiver.direction = 'recvonly';
        return transceiver;
      }
    }
    return this.#connection.addTransceiver(kind, { direction: 'recvonly' });
  }

  /** Free for another track, but only once the node has agreed that this one is over. */
  #letGo(transceiver) {
    if (!usable(transceiver)) return;
    transceiver.direction = 'inactive';
    this.#leaving.add(transceiver);
  }

  #byMid(wishes, value) {
    const map = {};
    for (const wish of wishes.values()) {
      // A wish newer than this offer has no mid yet; the next round names it.
      if (wish.transceiver?.mid != null) map[wish.transceiver.mid] = value(wish);
    }
    return map;
  }

  #settled(answer, offered) {
    this.#failures = 0;
    this.#restart = false;
    for (const transceiver of offered.leaving) {
      this.#leaving.delete(transceiver);
      this.#free.add(transceiver);
    }
    this.#settlePublished(answer.publish ?? {}, offered.publish);
    this.#settleSubscribed(answer.subscribe ?? {}, offered.subscribe);
  }

  #settlePublished(taken, offered) {
    for (const publication of this.#publications.values()) {
      const mid = publication.transceiver?.mid;
      if (mid == null || !(mid in offered)) continue;
      const id = taken[mid] ?? null;
      if (id === publication.id) continue;
      publication.id = id;
      this.#tell(id ? 'published' : 'refused', { source: publication.source, id });
    }
  }

  #settleSubscribed(given, offered) {
    for (const subscription of [...this.#subscriptions.values()]) {
      const { id, transceiver } = subscription;
      const mid = transceiver?.mid;
      if (mid == null || offered[mid] !== id) continue;
      if (given[mid] === id && usable(transceiver)) {
        if (!subscription.given) this.#tell('subscribed', { id, mid, media: transceiver.receiver.track });
        subscription.given = true;
      } else {
        this.#notGiven(subscription);
      }
    }
  }

  #notGiven(subscription) {
    subscription.tries += 1;
    this.#rest(subscription);
    if (subscription.tries >= SUBSCRIBE_TRIES) this.#subscriptions.delete(subscription.id);
    this.#later(RETRY_FIRST_MS);
  }

  async #failed(error) {
    if (this.#closed) return;
    if (this.#connection.signalingState === 'have-local-offer') {
      await this.#connection.setLocalDescription({ type: 'rollback' }).catch(() => {});
    }
    // Without a connection to the node there is nobody to offer to; whoever restores it asks for a round.
    if (error.code === 'network') return;
    if (error.code === 'codec_unsupported' && this.#giveUp(error.message)) return;
    this.#failures += 1;
    this.#tell('trouble', { error, attempt: this.#failures });
    this.#later(Math.min(RETRY_MAX_MS, RETRY_FIRST_MS * 2 ** (this.#failures - 1)));
  }

  /** One far track that this browser cannot play must not keep the others away: the node names it, and we do without it. */
  #giveUp(message) {
    const id = [...this.#subscriptions.keys()].find((known) => message.includes(known));
    if (!id) return false;
    this.unsubscribe(id);
    this.#tell('unplayable', { id });
    return true;
  }

  #later(delayMs) {
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => this.#negotiate(), delayMs);
  }

  #tell(type, detail) {
    if (!this.#closed) this.dispatchEvent(new CustomEvent(type, { detail }));
  }
}

/** A transceiver that the node rejected, or that was stopped, cannot come back. */
function usable(transceiver) {
  return Boolean(transceiver) && transceiver.currentDirection !== 'stopped' && transceiver.direction !== 'stopped';
}
