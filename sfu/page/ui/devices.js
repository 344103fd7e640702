/**
 * Choosing microphone, camera and speaker: the same three lists in the lobby and in the dialog.
 */
import { byId, h } from './dom.js';

const NAMES = { microphone: 'Microphone', camera: 'Camera', speaker: 'Speaker' };
const TONE_S = 0.9;

export class DeviceLists {
  #media;
  #lists = [];

  constructor(media) {
    this.#media = media;
    for (const [place, prefix] of [[byId('lobby-devices'), 'lobby-device-'], [byId('dialog-devices'), 'device-']]) {
      for (const device of Object.keys(NAMES)) this.#add(place, prefix, device);
    }
    byId('test-sound').hidden = !window.AudioContext;
    byId('test-sound').addEventListener('click', () => this.#testSound());
    media.addEventListener('devices', () => this.refresh());
    media.addEventListener('change', () => this.refresh());
    this.refresh();
  }

  async refresh() {
    const devices = await this.#media.devices();
    for (const { device, select, field } of this.#lists) {
      field.hidden = device === 'speaker' && !this.#media.canChooseSpeaker;
      this.#fill(device, select, devices[device]);
    }
  }

  #add(place, prefix, device) {
    const select = h('select', { 'data-testid': `${prefix}${device}`, onchange: () => this.#media.choose(device, select.value) });
    const field = h('label', { class: 'field device' }, h('span', {}, NAMES[device]), select);
    place.append(field);
    this.#lists.push({ device, select, field });
  }

  #fill(device, select, infos) {
    const hasDefault = infos.some(({ id }) => id === 'default');
    const named = infos.filter(({ id }) => id !== '');
    const options = named.map(({ id, label }, index) => ({ value: id, text: label || `${NAMES[device]} ${index + 1}` }));
    if (!hasDefault) options.unshift({ value: '', text: infos.length === 0 ? 'None found' : named.length === 0 ? 'Not allowed yet' : 'As the system' });
    const now = JSON.stringify(options);
    if (select.dataset.options !== now) {
      select.dataset.options = now;
      select.replaceChildren(...options.map(({ value, text }) => h('option', { value }, text)));
    }
    select.disabled = options.length < 2;
    select.value = this.#current(device, options) ?? options[0].value;
  }

  /** The device in use; else the chosen one, if it is here. */
  #current(device, options) {
    const used = this.#media.tracks[device]?.getSettings?.().deviceId;
    return [used, this.#media.chosen(device)].find((id) => id && options.some(({ value }) => value === id));
  }

  /** Two soft notes through the chosen speaker. */
  async #testSound() {
    const context = new AudioContext();
    await context.setSinkId?.(this.#media.chosen('speaker')).catch(() => {});
    [440, 660].forEach((frequency, index) => {
      const from = context.currentTime + index * 0.22;
      const gain = new GainNode(context, { gain: 0 });
      gain.gain.linearRampToValueAtTime(0, from);
      gain.gain.linearRampToValueAtTime(0.2, from + 0.03);
      gain.gain.exponentialRampToValueAtTime(0.001, from + 0.5);
      const note = new OscillatorNode(context, { frequency });
      note.connect(gain).connect(context.destination);
      note.start(from);
      note.stop(from + 0.5);
    });
    setTimeout(() => context.close(), TONE_S * 1000);
  }
}
