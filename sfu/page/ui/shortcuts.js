/**
 * Shortcuts of one key. They rest while somebody writes or a dialog is open, and can be switched off
 * (WCAG 2.1, success criterion 2.1.4), since speech input and slips of the hand press letters too.
 */
import { remember, remembered } from '../prefs.js';
import { byId, h } from './dom.js';

export class Shortcuts {
  #keys;
  #active;
  #talk;
  #talking = false;

  /**
   * `keys`: `[{ key, label, act }]`; `active`: whether there is a call;
   * `talk`: `{ start, stop }` for holding the space bar, `start` telling whether it did anything.
   */
  constructor(keys, active, talk) {
    this.#keys = keys;
    this.#active = active;
    this.#talk = talk;
    const box = byId('shortcuts-on');
    box.checked = remembered('shortcuts', true);
    box.addEventListener('change', () => remember('shortcuts', box.checked));
    document.addEventListener('keydown', (event) => this.#down(event));
    document.addEventListener('keyup', (event) => event.key === ' ' && this.#stopTalking());
    window.addEventListener('blur', () => this.#stopTalking());
    this.#list();
  }

  #down(event) {
    if (!byId('shortcuts-on').checked || event.ctrlKey || event.metaKey || event.altKey || event.repeat) return;
    if (document.querySelector('dialog[open]') || writes(event.target)) return;
    if (event.key === ' ') {
      this.#startTalking(event);
      return;
    }
    const found = this.#keys.find(({ key }) => key === event.key || key === event.key.toLowerCase() && !event.shiftKey);
    if (!found || !(found.always || this.#active())) return;
    event.preventDefault();
    found.act();
  }

  /** The space bar presses a button that has the focus; anywhere else it lets one talk while it is held. */
  #startTalking(event) {
    if (!this.#active() || event.target.closest('button, a, select, [role=log]')) return;
    event.preventDefault();
    this.#talking = this.#talk.start();
  }

  #stopTalking() {
    if (this.#talking) this.#talk.stop();
    this.#talking = false;
  }

  #list() {
    const rows = [...this.#keys, { name: 'Space', label: 'Hold to talk while the microphone is off' }, { name: 'Esc', label: 'Close the chat or a dialog' }];
    byId('help-list').replaceChildren(
      ...rows.flatMap(({ key, name, label }) => [h('dt', {}, h('kbd', {}, name ?? key.toUpperCase())), h('dd', {}, label)]),
    );
  }
}

function writes(target) {
  return Boolean(target.closest?.('input:not([type=checkbox]), textarea, select, [contenteditable]'));
}
