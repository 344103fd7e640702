/**
 * One picture in the grid: a person's camera (or initials) with their sound, or a shared screen.
 * All state shown is in data attributes; CSS draws from them, and tests read them.
 */
import { bitrateText, quality } from '../stats.js';
import { h, icon, iconButton, setLabel } from './dom.js';
import { qualityFan } from './fan.js';
import { Sound } from './sound.js';

const TONES = 8;
/** A picture much wider or taller than its tile is shown whole instead of cut. */
const CUT = 1.9;
const QUALITY_WORDS = ['Connection not measured', 'Bad connection', 'Weak connection', 'Fair connection', 'Good connection'];

export class Tile {
  element;
  #video;
  #sound;
  #plate;
  #figures = null;
  #fan;
  #pin;
  #state = { speaking: false, mic: 'none', video: false };

  /** `onPin` is called with the tile when its pin is pressed, `onShape` when its picture has another shape. */
  constructor({ peer, name, source, self, phone, onPin, onShape }) {
    this.peer = peer;
    this.name = name;
    this.source = source;
    this.self = self;
    this.phone = phone;
    this.#video = h('video', { 'data-testid': 'tile-video', autoplay: true, playsinline: true, muted: true, tabindex: '-1' });
    // The attribute alone does not mute an element made by script.
    this.#video.muted = true;
    this.#video.addEventListener('resize', () => {
      this.fit();
      onShape();
    });
    this.#fan = qualityFan();
    this.#plate = h('div', { class: 'plate' }, h('span', { class: 'plate-mic' }, icon('mic-off')), h('span', { class: 'plate-name' }, this.#title()), this.#fan);
    this.#pin = iconButton('pin', `Keep ${this.#title()} large`, { 'data-testid': 'tile-pin', 'aria-pressed': 'false', onclick: () => onPin(this) });
    const full = iconButton('full', `Full screen: ${this.#title()}`, { onclick: () => this.#fullScreen() });
    this.element = h(
      'div',
      {
        class: `tile tone-${tone(peer)}`,
        role: 'listitem',
        'data-testid': 'tile',
        'data-peer': peer,
        'data-source': source,
        'data-name': name,
        'data-self': String(self),
        'data-phone': String(phone),
        'data-large': 'false',
      },
      h('div', { class: 'face', 'aria-hidden': 'true' }, h('span', { class: 'initials' }, phone ? icon('phone') : source === 'screen' ? '' : initials(name))),
      this.#video,
      this.#plate,
      h('div', { class: 'tile-tools' }, this.#pin, full),
    );
    this.#sound = new Sound(this.element, 'tile-audio');
    this.#show();
    this.setQuality(null);
  }

  get key() {
    return tileKey(this.peer, this.source);
  }

  get speaking() {
    return this.#state.speaking;
  }

  /** Width / height of the picture, or null without one. */
  get shape() {
    const { videoWidth, videoHeight } = this.#video;
    return this.#state.video && videoHeight ? videoWidth / videoHeight : null;
  }

  /** Shows `media` (a video `MediaStreamTrack`), or initials for null. */
  setVideo(media, trackId = '') {
    const shown = this.#video.srcObject?.getVideoTracks()[0] ?? null;
    if (shown !== media) this.#video.srcObject = media ? new MediaStream([media]) : null;
    this.#video.dataset.track = trackId;
    if (media) this.#video.play().catch(() => {});
    this.#state.video = Boolean(media);
    this.#show();
  }

  /** Plays `media` (an audio `MediaStreamTrack`); rejects when the browser holds sound back. */
  setAudio(media, trackId, speaker) {
    return this.#sound.setAudio(media, trackId, speaker);
  }

  play() {
    return this.#sound.play();
  }

  setSpeaker(id) {
    return this.#sound.setSpeaker(id);
  }

  /** `mic`: `on`, `muted` or `none`. */
  setMic(mic) {
    this.#state.mic = mic;
    this.#show();
  }

  setSpeaking(speaking) {
    if (this.#state.speaking === speaking) return;
    this.#state.speaking = speaking;
    this.#show();
  }

  setPinned(pinned) {
    this.#pin.setAttribute('aria-pressed', String(pinned));
    setLabel(this.#pin, pinned ? `Let go of ${this.#title()}` : `Keep ${this.#title()} large`);
  }

  /** Puts the tile at a rectangle of the stage; null hides it. */
  place(rectangle, { large = false, small = false } = {}) {
    const { style, dataset } = this.element;
    this.element.classList.toggle('away', !rectangle);
    this.element.classList.toggle('floating', small);
    dataset.large = String(large);
    if (!rectangle) return;
    style.transform = `translate(${rectangle.x}px, ${rectangle.y}px)`;
    style.width = `${rectangle.width}px`;
    style.height = `${rectangle.height}px`;
    this.element.classList.toggle('tiny', rectangle.width < 170 || rectangle.height < 100);
    this.fit(rectangle);
  }

  /** Whether the picture is cut to fill the tile, or shown whole. */
  fit(rectangle = { width: this.element.clientWidth, height: this.element.clientHeight }) {
    const ratio = this.shape && rectangle.height ? this.shape / (rectangle.width / rectangle.height) : 1;
    this.element.classList.toggle('whole', this.source === 'screen' || ratio > CUT || ratio < 1 / CUT);
  }

  setQuality(figures) {
    const ribs = figures ? quality(figures) : 0;
    this.#fan.setAttribute('data-quality', ribs);
    this.#fan.setAttribute('aria-label', QUALITY_WORDS[ribs]);
  }

  /** The statistics over the picture; `video` and `sound` are lines of `stats.js` or null. */
  showFigures(video, sound) {
    const line = video ?? sound;
    const text = (value, unit, digits = 0) => (value === null || value === undefined ? '–' : `${value.toFixed(digits)} ${unit}`);
    const rows = [
      ['Picture', video?.width ? `${video.width}×${video.height}${video.fps ? ` ${Math.round(video.fps)}/s` : ''}` : '–'],
      ['Codec', [video?.codec, sound?.codec].filter(Boolean).join(', ') || '–'],
      ['Bitrate', bitrateText(sum(video?.bitrate, sound?.bitrate))],
      ['Loss', text(line ? line.loss === null ? null : line.loss * 100 : null, '%', 1)],
      ['RTT', text(line?.rttMs, 'ms')],
    ];
    const list = h('dl', { class: 'figures', 'data-testid': 'tile-stats' }, ...rows.flatMap(([name, value]) => [h('dt', {}, name), h('dd', {}, value)]));
    const data = { bitrate: line?.bitrate, loss: line?.loss, rtt: line?.rttMs, width: video?.width, height: video?.height, codec: line?.codec };
    for (const [key, value] of Object.entries(data)) list.dataset[key] = value ?? '';
    if (this.#figures) this.#figures.replaceWith(list);
    else this.element.append(list);
    this.#figures = list;
  }

  hideFigures() {
    this.#figures?.remove();
    this.#figures = null;
  }

  remove() {
    this.#video.srcObject = null;
    this.#sound.remove();
    this.element.remove();
  }

  #title() {
    if (this.source === 'screen') return this.self ? 'Your screen' : `${this.name}’s screen`;
    return this.self ? 'You' : this.name;
  }

  #show() {
    const { speaking, mic, video } = this.#state;
    Object.assign(this.element.dataset, { speaking: String(speaking), mic, video: video ? 'on' : 'off' });
    const words = [this.#title()];
    if (this.source === 'camera') {
      words.push(this.phone ? 'on the telephone' : video ? 'camera on' : 'camera off', mic === 'on' ? 'microphone on' : 'microphone off');
      if (speaking) words.push('speaking');
    }
    this.element.setAttribute('aria-label', words.join(', '));
  }

  #fullScreen() {
    if (document.fullscreenElement) document.exitFullscreen();
    else this.element.requestFullscreen?.().catch(() => {});
  }
}

/** Sum of what is known, or null when nothing is. */
function sum(...values) {
  const known = values.filter((value) => value !== null && value !== undefined);
  return known.length ? known.reduce((total, value) => total + value, 0) : null;
}

export const tileKey = (peer, source) => `${peer}/${source}`;

/** Up to two letters, by what a reader sees as letters. */
function initials(name) {
  const words = name.trim().split(/\s+/).filter(Boolean);
  const letters = words.length > 1 ? [words[0], words.at(-1)] : words;
  return letters.map((word) => [...word][0] ?? '').join('').toUpperCase();
}

/** The same person has the same colour on every screen. */
function tone(id) {
  let sum = 0;
  for (const character of id) sum = (sum * 31 + character.codePointAt(0)) % 9973;
  return sum % TONES;
}
