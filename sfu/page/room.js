/**
 * Who is in the room and what they publish, as the node tells it. Knows nothing of media or of the page.
 *
 * Events (`detail`): `peer` ({ peer, fresh }), `left` ({ peer, reason }), both of people only; `track` ({ peer, track }),
 * `untrack` ({ peer, track }), `muted` ({ peer, track }), `speakers` ({ peers: [id] }).
 */
export class Room extends EventTarget {
  name = null;
  /** Own `{ id, name }`, or null outside a room. */
  self = null;
  /** Others by id: `{ id, name, phone, announcer, tracks: Map }`. The announcer is nobody, but what is played to the room. */
  peers = new Map();
  /** Ids of who speaks, loudest first. */
  speakers = [];
  /** Own ids of this visit: after a return the node may still name our former self until it times out. */
  #formerly = new Set();

  /** The others without the announcer. */
  get people() {
    return [...this.peers.values()].filter(({ announcer }) => !announcer);
  }

  /** The node's `joined`: what it names is there, what it does not name is gone. */
  enter({ peer, room, peers }) {
    this.#formerly.delete(peer.id);
    if (this.self && this.self.id !== peer.id) this.#formerly.add(this.self.id);
    this.self = { id: peer.id, name: peer.name };
    this.name = room.name;
    this.speakers = [];
    const present = new Set(peers.map(({ id }) => id));
    for (const id of [...this.peers.keys()]) {
      if (!present.has(id)) this.#left(id, 'left');
    }
    for (const other of peers) this.#arrive(other, false);
  }

  /** Any later message of the node; those that are not about the room are left alone. */
  apply(message) {
    switch (message.type) {
      case 'peer_joined':
        return this.#arrive(message.peer, true);
      case 'peer_left':
        return this.#left(message.peer, message.reason);
      case 'track_published':
        return this.#track(message.peer, message.track);
      case 'track_unpublished':
        return this.#untrack(message.peer, message.track);
      case 'track_muted':
        return this.#muted(message.track, message.muted);
      case 'speakers':
        this.speakers = message.peers;
        return this.#tell('speakers', { peers: message.peers });
      default:
        return undefined;
    }
  }

  /** Everything gone: outside the room again. */
  exit() {
    for (const id of [...this.peers.keys()]) this.#left(id, 'self');
    this.self = null;
    this.name = null;
    this.speakers = [];
    this.#formerly.clear();
  }

  /** The far track with this id and its peer, or null. */
  find(trackId) {
    for (const peer of this.peers.values()) {
      const track = peer.tracks.get(trackId);
      if (track) return { peer, track };
    }
    return null;
  }

  #arrive({ id, name, phone, announcer, tracks = [] }, fresh) {
    if (id === this.self?.id || this.#formerly.has(id)) return;
    let peer = this.peers.get(id);
    const isNew = !peer;
    if (isNew) {
      peer = { id, name: name || 'Guest', phone: Boolean(phone), announcer: Boolean(announcer), tracks: new Map() };
      this.peers.set(id, peer);
      if (!peer.announcer) this.#tell('peer', { peer, fresh });
    }
    const present = new Set(tracks.map((track) => track.id));
    for (const known of [...peer.tracks.keys()]) {
      if (!present.has(known)) this.#untrack(id, known);
    }
    for (const track of tracks) this.#track(id, track);
  }

  #left(id, reason) {
    const peer = this.peers.get(id);
    this.#formerly.delete(id);
    if (!peer) return;
    for (const track of [...peer.tracks.keys()]) this.#untrack(id, track);
    this.peers.delete(id);
    if (!peer.announcer) this.#tell('left', { peer, reason });
  }

  #track(peerId, { id, kind, source, muted }) {
    const peer = this.peers.get(peerId);
    if (!peer) return;
    const known = peer.tracks.get(id);
    if (known) {
      this.#muted(id, muted);
      return;
    }
    const track = { id, kind, source, muted: Boolean(muted) };
    peer.tracks.set(id, track);
    this.#tell('track', { peer, track });
  }

  #untrack(peerId, trackId) {
    const peer = this.peers.get(peerId);
    const track = peer?.tracks.get(trackId);
    if (!track) return;
    peer.tracks.delete(trackId);
    this.#tell('untrack', { peer, track });
  }

  #muted(trackId, muted) {
    const found = this.find(trackId);
    if (!found || found.track.muted === Boolean(muted)) return;
    found.track.muted = Boolean(muted);
    this.#tell('muted', found);
  }

  #tell(type, detail) {
    this.dispatchEvent(new CustomEvent(type, { detail }));
  }
}
