/**
 * The lobby: who one is, which room, and how one looks and sounds before anybody sees or hears.
 */
import { remember, remembered } from '../prefs.js';
import { byId, setIcon, setLabel } from './dom.js';
import { Level } from './level.js';

export class Lobby {
  #media;
  #level = new Level();
  #name = byId('name');
  #room = byId('room');
  #join = byId('join');
  #shown = true;

  /** `onJoin({ name, room })` is called when the form is sent. */
  constructor(media, address, onJoin) {
    this.#media = media;
    this.#name.value = address.name || remembered('name', '');
    this.#room.value = address.room || remembered('room', 'lobby');
    // With a token the room is settled: the token opens that one only.
    this.#room.readOnly = Boolean(address.token && address.room);
    for (const source of ['microphone', 'camera']) this.#button(source).addEventListener('click', () => media.toggle(source));
    byId('lobby-both').addEventListener('click', () => media.startBoth());
    byId('join-form').addEventListener('submit', (event) => {
      event.preventDefault();
      this.#submit(onJoin);
    });
    media.addEventListener('change', () => this.draw());
    media.addEventListener('trouble', () => this.draw());
  }

  /** Shows the lobby and opens the devices that are wanted: at first both, after a call none. */
  show() {
    this.#shown = true;
    this.busy(false);
    this.draw();
    this.#media.start();
    (this.#name.value ? this.#join : this.#name).focus();
  }

  hide() {
    this.#shown = false;
    this.#level.stop();
    byId('preview').srcObject = null;
  }

  /** Words under the button: what is needed, or where the key comes from. */
  note(text) {
    byId('lobby-note').textContent = text;
  }

  busy(joining) {
    this.#join.disabled = joining;
    this.#join.textContent = joining ? 'Joining…' : 'Join';
  }

  draw() {
    this.#drawButton('microphone', 'mic');
    this.#drawButton('camera', 'camera');
    if (!this.#shown) return;
    const { camera, microphone } = this.#media.tracks;
    const video = byId('preview');
    if ((video.srcObject?.getVideoTracks()[0] ?? null) !== camera) video.srcObject = camera ? new MediaStream([camera]) : null;
    byId('preview-box').dataset.camera = camera ? 'on' : 'off';
    byId('preview-empty').textContent = this.#media.wanted.camera && !camera ? 'Your browser asks for your camera and microphone…' : 'Camera is off';
    const { wanted, available } = this.#media;
    byId('lobby-both').hidden = Boolean(!available || camera || microphone || wanted.camera || wanted.microphone);
    this.#level.watch(this.#media.on('microphone') ? microphone : null);
  }

  #button(source) {
    return byId(source === 'microphone' ? 'lobby-mic' : 'lobby-camera');
  }

  #drawButton(source, picture) {
    drawSwitch(this.#button(source), this.#media.on(source), picture, source);
  }

  #submit(onJoin) {
    const name = this.#name.value.trim();
    const room = this.#room.value.trim();
    if (!name || !room) return;
    remember('name', name);
    remember('room', room);
    this.busy(true);
    onJoin({ name, room });
  }
}

/** A device's switch: state in data, what pressing it does in its label. */
export function drawSwitch(button, on, picture, source) {
  button.dataset.on = String(on);
  setIcon(button, on ? picture : `${picture}-off`);
  setLabel(button, `Turn ${on ? 'off' : 'on'} ${source}`);
}
