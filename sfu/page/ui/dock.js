/**
 * The controls of a call, and what the bar above tells: room, number of people, connection state.
 */
import { joinLink } from '../link.js';
import { byId, setIcon, setLabel } from './dom.js';
import { drawSwitch } from './lobby.js';

const STATES = {
  lobby: 'Not in a call',
  joining: 'Joining…',
  connecting: 'Connecting…',
  connected: 'Connected',
  reconnecting: 'Reconnecting…',
};

export class Dock {
  #call;
  #grid;
  #messages;
  #token = '';
  statistics = false;

  constructor(call, grid, messages) {
    this.#call = call;
    this.#grid = grid;
    this.#messages = messages;
    const { media } = call;
    byId('mute-mic').addEventListener('click', () => this.toggleMicrophone());
    byId('mute-camera').addEventListener('click', () => this.toggleCamera());
    byId('share-screen').addEventListener('click', () => this.toggleScreen());
    byId('leave').addEventListener('click', () => call.leave());
    byId('copy-link').addEventListener('click', () => this.copyLink());
    byId('alone-copy').addEventListener('click', () => this.copyLink());
    byId('layout-toggle').addEventListener('click', () => this.toggleLayout());
    byId('stats-toggle').addEventListener('click', () => this.toggleStatistics());
    byId('share-screen').hidden = !media.canShareScreen;
    media.addEventListener('change', () => this.draw());
    call.addEventListener('state', () => this.#drawState());
    call.addEventListener('entered', () => this.draw());
    for (const type of ['peer', 'left']) call.room.addEventListener(type, () => this.#drawPeople());
  }

  /** The token a copied link carries; empty where the node gives everybody one. */
  linkToken(token) {
    this.#token = token;
  }

  toggleMicrophone() {
    return this.#may() && this.#call.media.toggle('microphone');
  }

  toggleCamera() {
    return this.#may() && this.#call.media.toggle('camera');
  }

  toggleScreen() {
    const { media } = this.#call;
    if (!this.#may() || !media.canShareScreen) return;
    if (media.tracks.screen) media.stopScreen();
    else media.startScreen().then(() => this.#call.state === 'lobby' && media.stopScreen());
  }

  toggleLayout() {
    this.#grid.setLayout(this.#grid.layout === 'speaker' ? 'grid' : 'speaker');
    this.#drawLayout();
  }

  toggleStatistics() {
    this.statistics = !this.statistics;
    byId('stats-toggle').setAttribute('aria-pressed', String(this.statistics));
    this.measure();
  }

  /** Measures once and shows it: ribs always, figures when they are switched on. */
  async measure() {
    const lines = await this.#call.stats().catch(() => []);
    this.#grid.figures(lines, this.statistics);
  }

  async copyLink() {
    const { link } = byId('copy-link').dataset;
    try {
      await navigator.clipboard.writeText(link);
      this.#messages.notice(this.#token ? 'Link copied. It carries your key: whoever has it joins with your rights.' : 'Join link copied.');
    } catch {
      // Without the clipboard (plain http, or refused) the link is shown to be copied by hand.
      window.prompt('Copy this link:', link);
    }
  }

  draw() {
    const { media, room } = this.#call;
    drawSwitch(byId('mute-mic'), media.on('microphone'), 'mic', 'microphone');
    drawSwitch(byId('mute-camera'), media.on('camera'), 'camera', 'camera');
    const sharing = Boolean(media.tracks.screen);
    byId('share-screen').dataset.on = String(sharing);
    setLabel(byId('share-screen'), sharing ? 'Stop sharing' : 'Share screen');
    for (const id of ['mute-mic', 'mute-camera', 'share-screen']) byId(id).disabled = !this.#may();
    byId('room-name').textContent = room.name ?? '';
    byId('copy-link').dataset.link = room.name ? joinLink(location.origin, room.name, this.#token) : '';
    this.#drawLayout();
    this.#drawPeople();
  }

  /** Whether this visit may publish. */
  #may() {
    return this.#call.grants?.publish !== false;
  }

  #drawState() {
    const { state } = this.#call;
    byId('status').dataset.state = state;
    byId('status-text').textContent = STATES[state];
    const inside = Boolean(this.#call.room.self);
    for (const id of ['room-name', 'people-count', 'copy-link', 'layout-toggle', 'stats-toggle']) byId(id).hidden = !inside;
  }

  #drawPeople() {
    const count = this.#call.room.people.length + 1;
    byId('people-count').textContent = count === 1 ? 'Only you' : `${count} people`;
    byId('alone').hidden = count > 1;
  }

  #drawLayout() {
    const speaker = this.#grid.layout === 'speaker';
    const button = byId('layout-toggle');
    button.dataset.layout = this.#grid.layout;
    setIcon(button, speaker ? 'speaker-view' : 'grid-view');
    setLabel(button, speaker ? 'Show everyone equally' : 'Show the speaker large');
  }
}
