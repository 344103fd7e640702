/**
 * One visit to a room: ties signalling, room, media path, own devices and chat together. Knows nothing of the page.
 *
 * Events (`detail`):
 * - `state`: one of `lobby`, `joining`, `connecting`, `connected`, `reconnecting`
 * - `waiting` ({ delayMs }): the connection to the node is down and is tried again after that
 * - `entered` ({ again }): we are in
 * - `media` ({ id, media }): a far track's `MediaStreamTrack` is there
 * - `own`: an own source was published, muted or changed
 * - `over` ({ code, detail }): the visit ended, not by our wish
 * - `trouble` ({ code, device, detail })
 * - `silenced`: somebody with the right to do so muted our microphone
 */
import { Chat } from './chat.js';
import { Room } from './room.js';
import { Session } from './session.js';
import { Signalling } from './signalling.js';
import { Statistics } from './stats.js';

const SOURCES = ['microphone', 'camera', 'screen'];
/** A path that is disturbed heals by itself within this more often than not; then we restart ICE. */
const DISTURBED_MS = 2_500;
/** A restart that has not helped within this is followed by the next remedy. */
const RESTART_MS = 6_000;
/** A path that takes longer to come to stand is most likely blocked on its way. */
const BLOCKED_MS = 12_000;
/** Restarts before the whole connection is built anew. */
const RESTARTS = 2;
/** The node's echo of our own mute arrives within this, if it sends one. */
const ECHO_MS = 3_000;

export class Call extends EventTarget {
  room = new Room();
  chat = new Chat();
  media;
  state = 'lobby';
  grants = null;
  #preferences;
  #signalling = null;
  #session = null;
  #statistics = new Statistics();
  #ownIds = new Map();
  #announced = new Map();
  #echoes = [];
  #restarts = 0;
  #remedy = 0;
  #blocked = 0;

  /** `media`: a `LocalMedia`; `preferences`: `{ video, audio }`, the codecs wanted first. */
  constructor(media, preferences) {
    super();
    this.media = media;
    this.#preferences = preferences;
    media.addEventListener('change', ({ detail }) => this.#sourceChanged(detail.source));
    this.room.addEventListener('track', ({ detail }) => this.#subscribe(detail.track));
    this.room.addEventListener('untrack', ({ detail }) => this.#session?.unsubscribe(detail.track.id));
    window.addEventListener('online', () => this.#networkBack());
  }

  /** Joins with what `credentials` (async, `{ token, name }`) gives; outcomes come as events. */
  join(credentials) {
    if (this.#signalling) return;
    const { protocol, host } = location;
    const signalling = new Signalling(`${protocol === 'https:' ? 'wss' : 'ws'}://${host}/ws`, credentials);
    this.#signalling = signalling;
    signalling.addEventListener('joined', ({ detail }) => this.#welcome(detail));
    signalling.addEventListener('message', ({ detail }) => this.#message(detail));
    signalling.addEventListener('down', ({ detail }) => this.#down(detail));
    signalling.addEventListener('refused', ({ detail }) => this.#over(detail.code, detail.message));
    signalling.addEventListener('closed', ({ detail }) => this.#over(detail.reason, ''));
    this.#enter('joining');
    signalling.open();
  }

  /** Says goodbye, lets go of every device, and is ready to join again. */
  leave() {
    this.#signalling?.leave();
    this.#signalling = null;
    this.#dropSession();
    this.room.exit();
    this.media.release();
    this.grants = null;
    this.#enter('lobby');
  }

  retryNow() {
    this.#signalling?.retryNow();
  }

  get connection() {
    return this.#session?.connection ?? null;
  }

  /** Everything sent and received: `[{ id, peer, kind, source, muted, direction, mid, media }]`. */
  get tracks() {
    return (this.#session?.tracks ?? []).map((track) => {
      if (track.direction === 'send') {
        return { ...track, peer: this.room.self?.id ?? null, muted: !this.media.on(track.source) };
      }
      const found = this.room.find(track.id);
      return { ...track, peer: found?.peer.id ?? null, source: found?.track.source ?? null, muted: found?.track.muted ?? false };
    });
  }

  /** Figures of every track, rates since `statistics` was last used; see `stats.js`. */
  async stats(statistics = this.#statistics) {
    if (!this.#session) return [];
    const entries = this.tracks.map(({ media, muted, ...track }) => ({ ...track, trackIdentifier: media?.id }));
    return statistics.sample(this.#session.connection, entries);
  }

  /** Our id for a source at the node, or null. */
  ownId(source) {
    return this.#ownIds.get(source) ?? null;
  }

  #welcome(joined) {
    this.grants = { publish: true, subscribe: true, data: true, ...joined.grants };
    const same = this.room.self?.id === joined.peer.id;
    this.room.enter(joined);
    if (same && this.#session) {
      // The node kept our place: the path is the same, perhaps from another address.
      this.#session.restartIce();
    } else {
      this.#build();
    }
    this.#assess();
    this.#tell('entered', { again: joined.again });
  }

  /** A new media path with everything we send and everything there is to receive. */
  #build() {
    this.#dropSession();
    const session = new Session({
      exchange: (offer) => this.#signalling.exchange(offer),
      preferences: this.#preferences,
      data: this.grants.data,
    });
    this.#session = session;
    session.addEventListener('published', ({ detail }) => this.#published(detail));
    session.addEventListener('refused', ({ detail }) => this.#refused(detail));
    session.addEventListener('subscribed', ({ detail }) => this.#tell('media', detail));
    session.addEventListener('unplayable', ({ detail }) => this.#unplayable(detail.id));
    session.addEventListener('state', () => this.#pathChanged());
    session.addEventListener('trouble', ({ detail }) => this.#offerFailed(detail));
    this.chat.use(session.chat);
    for (const source of SOURCES) this.#sourceChanged(source);
    for (const peer of this.room.peers.values()) {
      for (const track of peer.tracks.values()) this.#subscribe(track);
    }
  }

  #dropSession() {
    clearTimeout(this.#remedy);
    this.#restarts = 0;
    this.chat.use(null);
    this.#session?.close();
    this.#session = null;
    this.#ownIds.clear();
    this.#announced.clear();
    this.#echoes = [];
  }

  #subscribe(track) {
    if (this.grants?.subscribe) this.#session?.subscribe(track);
  }

  /** An own source has another track, or none, or was muted: the path and the node follow. */
  #sourceChanged(source) {
    const track = this.media.tracks[source];
    const session = this.#session;
    if (session && this.grants.publish) {
      if (source === 'screen' && !track) {
        session.unpublish(source);
        this.#ownIds.delete(source);
      } else if (track) {
        session.publish(source, track);
      } else {
        session.replace(source, null);
      }
      this.#announceMute(source);
    }
    this.#tell('own', { source });
  }

  #published({ source, id }) {
    this.#ownIds.set(source, id);
    this.#announced.set(id, false);
    this.#announceMute(source);
    this.#tell('own', { source });
  }

  #refused({ source }) {
    this.#ownIds.delete(source);
    const detail = 'The node accepts none of the codecs that were offered, or you may not publish here.';
    this.#tell('trouble', { code: 'not-published', device: source, detail });
  }

  /** Tells the node whether a source is muted, when that differs from what it was told. */
  #announceMute(source) {
    const id = this.#ownIds.get(source);
    const muted = !this.media.on(source);
    if (!id || this.#announced.get(id) === muted) return;
    if (!this.#signalling.send({ type: 'mute', track: id, muted })) return;
    this.#announced.set(id, muted);
    this.#echoes.push({ id, muted, until: Date.now() + ECHO_MS });
  }

  #message(message) {
    if (message.type === 'error') {
      this.#tell('trouble', { code: message.code ?? 'error', detail: message.message ?? '' });
      return;
    }
    const own = [...this.#ownIds].find(([, id]) => id === message.track);
    if (message.type === 'track_muted' && own) this.#mutedByOther(own[0], message);
    else this.room.apply(message);
  }

  /** Somebody muted us. Nobody but ourselves can turn us on again. */
  #mutedByOther(source, { track, muted }) {
    this.#echoes = this.#echoes.filter(({ until }) => until > Date.now());
    const echo = this.#echoes.findIndex((sent) => sent.id === track && sent.muted === muted);
    if (echo >= 0) {
      this.#echoes.splice(echo, 1);
      return;
    }
    this.#announced.set(track, muted);
    if (!muted || !this.media.on(source)) return;
    if (source === 'screen') this.media.stopScreen();
    else this.media.turnOff(source);
    this.#tell('silenced', { source });
  }

  #unplayable(id) {
    const found = this.room.find(id);
    const detail = `${found?.peer.name ?? 'Somebody'} sends in a codec this browser does not have.`;
    this.#tell('trouble', { code: 'codec_unsupported', detail });
  }

  #offerFailed({ error, attempt }) {
    // A first failure is often a race that the next round settles; a second one is worth a word.
    if (attempt === 2) this.#tell('trouble', { code: 'negotiation', detail: error.message });
  }

  #down(detail) {
    this.#assess();
    this.#tell('waiting', detail);
  }

  #networkBack() {
    if (!this.#signalling) return;
    this.retryNow();
    if (this.#signalling.joined && this.#session?.state !== 'connected') this.#session?.restartIce();
  }

  /** The path's state changed: heal it step by step, first by ICE, then by joining anew. */
  #pathChanged() {
    clearTimeout(this.#remedy);
    const state = this.#session?.state;
    if (state === 'connected') this.#restarts = 0;
    if (state === 'disconnected') this.#remedy = setTimeout(() => this.#heal(), DISTURBED_MS);
    if (state === 'failed') this.#heal();
    this.#assess();
  }

  #heal() {
    clearTimeout(this.#remedy);
    // With the node out of reach the way back begins with signalling, which is under way.
    if (!this.#signalling?.joined || !this.#session) return;
    if (this.#restarts >= RESTARTS) {
      this.#dropSession();
      this.#signalling.rejoin();
      return;
    }
    this.#restarts += 1;
    this.#session.restartIce();
    this.#remedy = setTimeout(() => this.#session?.state !== 'connected' && this.#heal(), RESTART_MS);
  }

  #assess() {
    if (!this.#signalling || this.state === 'lobby') return;
    if (!this.#signalling.joined) {
      if (this.room.self) this.#enter('reconnecting');
      return;
    }
    const path = this.#session?.state;
    if (path === 'connected' || this.#session?.empty) this.#enter('connected');
    else if (path === 'disconnected' || path === 'failed' || this.#restarts > 0) this.#enter('reconnecting');
    else this.#enter('connecting');
  }

  #over(code, detail) {
    const wasIn = Boolean(this.room.self);
    this.#signalling = null;
    this.#dropSession();
    this.room.exit();
    if (wasIn) this.media.release();
    this.#enter('lobby');
    this.#tell('over', { code, detail, wasIn });
  }

  #enter(state) {
    if (this.state === state) return;
    this.state = state;
    clearTimeout(this.#blocked);
    if (state === 'connecting') this.#blocked = setTimeout(() => this.#tell('trouble', { code: 'media-blocked' }), BLOCKED_MS);
    this.#tell('state', state);
  }

  #tell(type, detail) {
    this.dispatchEvent(new CustomEvent(type, { detail }));
  }
}
