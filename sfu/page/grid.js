/**
 * The stage: which tiles there are, who is large, and where each goes. Follows a `Call`; geometry is in `layout.js`.
 */
import { duet, grid, spotlight } from './layout.js';
import { Sound } from './ui/sound.js';
import { Tile, tileKey } from './ui/tile.js';

/** Who is large stays so at least this long, so that a cough does not turn the stage around. */
const HOLD_MS = 1_500;

export class Grid {
  layout = 'speaker';
  #call;
  #stage;
  #overflow;
  #onSilence;
  #tiles = new Map();
  /** What is played to the room has no tile. */
  #announcer;
  #pinned = null;
  #speaker = null;
  #speakerSince = 0;
  #hold = 0;
  #frame = 0;

  /** `onSilence` is called when the browser holds back sound until somebody presses something. */
  constructor(call, { stage, overflow, onSilence }) {
    this.#call = call;
    this.#stage = stage;
    this.#overflow = overflow;
    this.#onSilence = onSilence;
    this.#announcer = new Sound(stage, 'announcer-audio');
    const { room } = call;
    room.addEventListener('peer', ({ detail }) => this.#add(detail.peer, 'camera'));
    room.addEventListener('left', ({ detail }) => this.#removePeer(detail.peer.id));
    room.addEventListener('track', ({ detail }) => this.#trackCame(detail));
    room.addEventListener('untrack', ({ detail }) => this.#trackGone(detail));
    room.addEventListener('muted', ({ detail }) => this.#muted(detail));
    room.addEventListener('speakers', ({ detail }) => this.#speakers(detail.peers));
    call.addEventListener('media', ({ detail }) => this.#media(detail));
    call.addEventListener('entered', () => this.#drawSelf());
    call.addEventListener('own', () => this.#drawSelf());
    call.addEventListener('state', () => call.state === 'lobby' && this.#clear());
    new ResizeObserver(() => this.#arrange()).observe(stage);
  }

  setLayout(layout) {
    this.layout = layout;
    if (layout === 'grid') this.#pin(null);
    this.#arrange();
  }

  setSpeaker(id) {
    for (const sound of this.#sounds()) sound.setSpeaker(id);
  }

  /** Tries again to play what the browser held back. */
  play() {
    for (const sound of this.#sounds()) sound.play().catch(this.#onSilence);
  }

  #sounds() {
    return [...this.#tiles.values(), this.#announcer];
  }

  #soundOf(peer, track) {
    return peer.announcer ? this.#announcer : this.#tileOf(peer, track);
  }

  /** Quality on every tile; figures too when `shown`. `lines`: what `Call.stats` gives. */
  figures(lines, shown) {
    for (const tile of this.#tiles.values()) {
      const mine = lines.filter(({ peer }) => peer === tile.peer);
      const video = mine.find(({ kind, source }) => kind === 'video' && source === tile.source) ?? null;
      const wanted = tile.source === 'screen' ? 'screen' : 'microphone';
      const sound = mine.find(({ kind, source }) => kind === 'audio' && source === wanted) ?? null;
      tile.setQuality(video?.bitrate ? video : sound);
      if (shown) tile.showFigures(video, sound);
      else tile.hideFigures();
    }
  }

  #add(peer, source, self = false) {
    const key = tileKey(peer.id, source);
    const known = this.#tiles.get(key);
    if (known) return known;
    const onPin = (which) => this.#togglePin(which);
    const tile = new Tile({ peer: peer.id, name: peer.name, source, self, phone: Boolean(peer.phone), onPin, onShape: () => this.#arrange() });
    this.#tiles.set(key, tile);
    this.#stage.append(tile.element);
    this.#arrange();
    return tile;
  }

  #remove(key) {
    const tile = this.#tiles.get(key);
    if (!tile) return;
    if (this.#pinned === key) this.#pinned = null;
    tile.remove();
    this.#tiles.delete(key);
    this.#arrange();
  }

  #removePeer(id) {
    if (this.#speaker === id) this.#speaker = null;
    for (const source of ['camera', 'screen']) this.#remove(tileKey(id, source));
  }

  #clear() {
    clearTimeout(this.#hold);
    for (const key of [...this.#tiles.keys()]) this.#remove(key);
    this.#announcer.remove();
    this.#pinned = null;
    this.#speaker = null;
  }

  #tileOf(peer, track) {
    return this.#tiles.get(tileKey(peer.id, track.source === 'screen' ? 'screen' : 'camera'));
  }

  #trackCame({ peer, track }) {
    if (track.source === 'screen' && track.kind === 'video') this.#add(peer, 'screen');
    if (track.source === 'microphone') this.#tileOf(peer, track)?.setMic(track.muted ? 'muted' : 'on');
  }

  #trackGone({ peer, track }) {
    const tile = this.#tileOf(peer, track);
    if (track.kind === 'audio') this.#soundOf(peer, track)?.setAudio(null);
    if (track.source === 'microphone') tile?.setMic('none');
    if (track.source === 'screen' && track.kind === 'video') this.#remove(tileKey(peer.id, 'screen'));
    else if (track.kind === 'video') tile?.setVideo(null);
  }

  #muted({ peer, track }) {
    if (track.source === 'microphone') this.#tileOf(peer, track)?.setMic(track.muted ? 'muted' : 'on');
    if (track.kind === 'video') this.#showVideo(peer, track);
  }

  #media({ id }) {
    const found = this.#call.room.find(id);
    if (!found) return;
    const { peer, track } = found;
    if (track.kind === 'video') {
      this.#showVideo(peer, track);
    } else {
      this.#soundOf(peer, track)?.setAudio(this.#mediaOf(id), id, this.#call.media.chosen('speaker')).catch(this.#onSilence);
    }
  }

  /** A muted camera shows initials instead of its last picture. */
  #showVideo(peer, track) {
    this.#tileOf(peer, track)?.setVideo(track.muted ? null : this.#mediaOf(track.id), track.id);
  }

  #mediaOf(id) {
    return this.#call.tracks.find((track) => track.id === id)?.media ?? null;
  }

  #drawSelf() {
    const { room, media } = this.#call;
    if (!room.self) return;
    for (const [key, tile] of this.#tiles) {
      // Our id changed on the way back.
      if (tile.self && tile.peer !== room.self.id) this.#remove(key);
    }
    const tile = this.#add(room.self, 'camera', true);
    tile.setVideo(media.tracks.camera, this.#call.ownId('camera') ?? '');
    tile.setMic(media.tracks.microphone ? (media.on('microphone') ? 'on' : 'muted') : 'none');
    if (media.tracks.screen) {
      this.#add(room.self, 'screen', true).setVideo(media.tracks.screen, this.#call.ownId('screen') ?? '');
    } else {
      this.#remove(tileKey(room.self.id, 'screen'));
    }
  }

  #speakers(peers) {
    for (const tile of this.#tiles.values()) tile.setSpeaking(tile.source === 'camera' && peers.includes(tile.peer));
    if (!this.#overflow.hidden) this.#arrange();
    const loudest = peers.find((id) => id !== this.#call.room.self?.id);
    if (loudest) this.#follow(loudest);
  }

  /** The loudest becomes large, but not more often than every so long. */
  #follow(id) {
    clearTimeout(this.#hold);
    if (id === this.#speaker || !this.#call.room.peers.has(id)) return;
    const rest = this.#speakerSince + HOLD_MS - performance.now();
    if (this.#speaker && rest > 0) {
      this.#hold = setTimeout(() => this.#follow(id), rest);
      return;
    }
    this.#speaker = id;
    this.#speakerSince = performance.now();
    this.#arrange();
  }

  #togglePin(tile) {
    this.#pin(this.#pinned === tile.key ? null : tile.key);
    this.#arrange();
  }

  #pin(key) {
    this.#tiles.get(this.#pinned)?.setPinned(false);
    this.#pinned = key;
    this.#tiles.get(key)?.setPinned(true);
  }

  /** Screens first, then the others in the order they came, oneself last. */
  #order() {
    const rank = (tile) => (tile.source === 'screen' ? 0 : 1) + (tile.self ? 2 : 0);
    return [...this.#tiles.values()].sort((one, other) => rank(one) - rank(other));
  }

  /** Whose tile is large, or null when all are equal. */
  #largest(tiles) {
    const pinned = this.#tiles.get(this.#pinned);
    if (pinned) return pinned;
    if (this.layout === 'grid') return null;
    const screen = tiles.findLast((tile) => tile.source === 'screen' && !tile.self);
    if (screen) return screen;
    const others = tiles.filter((tile) => !tile.self);
    if (others.length < 2) return null;
    return this.#tiles.get(tileKey(this.#speaker, 'camera')) ?? others[0];
  }

  /** At most once a frame: a room of forty arriving is one arrangement. */
  #arrange() {
    cancelAnimationFrame(this.#frame);
    this.#frame = requestAnimationFrame(() => this.#arrangeNow());
  }

  #arrangeNow() {
    const { clientWidth: width, clientHeight: height } = this.#stage;
    const tiles = this.#order();
    if (width === 0 || height === 0 || tiles.length === 0) return;
    const large = this.#largest(tiles);
    let hidden = 0;
    if (large) hidden = this.#arrangeSpotlight(tiles, large, width, height);
    else if (this.#isDuet(tiles, width < height)) this.#arrangeDuet(tiles, width, height);
    else grid(tiles.length, width, height).forEach((rectangle, index) => tiles[index].place(rectangle));
    this.#overflow.hidden = hidden === 0;
    this.#overflow.textContent = hidden ? `and ${hidden} more` : '';
  }

  #arrangeSpotlight(tiles, large, width, height) {
    const others = tiles.filter((tile) => tile !== large);
    const { large: rectangle, others: places, hidden } = spotlight(others.length, width, height);
    // Where not all fit, oneself stays and who speaks comes first, so that nobody speaks or is seen unawares.
    const first = (tile) => Number(tile.speaking || tile.self);
    if (hidden > 0) others.sort((one, other) => first(other) - first(one));
    large.place(rectangle, { large: true });
    others.forEach((tile, index) => tile.place(places[index] ?? null));
    return hidden;
  }

  /** Two people, and the other's picture suits the stage: a wide one on an upright phone is better off above one's own. */
  #isDuet([other, self], upright) {
    if (this.layout !== 'speaker' || this.#tiles.size !== 2 || !self.self || other.self) return false;
    return !(upright && other.shape > 1);
  }

  #arrangeDuet([other, self], width, height) {
    const places = duet(width, height);
    other.place(places.large, { large: true });
    self.place(places.small, { small: true });
  }
}
