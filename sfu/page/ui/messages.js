/**
 * What the page says: errors that stay until they are dealt with, and notices that pass.
 */
import { explain } from '../errors.js';
import { byId, h } from './dom.js';

/** Long enough to be read at leisure; what matters longer is an error. */
const NOTICE_MS = 4_500;
const NOTICES_AT_MOST = 4;

export class Messages {
  #error = byId('error');
  #action = byId('error-action');
  #notices = byId('notices');

  constructor() {
    byId('error-dismiss').addEventListener('click', () => this.clear());
  }

  /** Shows an error; `action` ({ label, act }) is a way out. */
  error(code, details = {}, action = null) {
    const { title, text } = explain(code, details);
    byId('error-title').textContent = title;
    byId('error-text').textContent = text;
    this.#error.dataset.code = code;
    this.#error.dataset.device = details.device ?? '';
    this.#action.hidden = !action;
    this.#action.textContent = action?.label ?? '';
    this.#action.onclick = () => {
      this.clear();
      action?.act();
    };
    this.#error.hidden = false;
  }

  /** Takes the error away; with `codes` only if it is one of them. */
  clear(...codes) {
    if (codes.length > 0 && !codes.includes(this.#error.dataset.code)) return;
    this.#error.hidden = true;
    delete this.#error.dataset.code;
  }

  /** No notices any more: they were about a call that is over. */
  hush() {
    this.#notices.replaceChildren();
  }

  get shown() {
    return this.#error.hidden ? null : { code: this.#error.dataset.code, device: this.#error.dataset.device };
  }

  notice(text) {
    const notice = h('p', { class: 'notice', 'data-testid': 'notice' }, text);
    this.#notices.append(notice);
    while (this.#notices.children.length > NOTICES_AT_MOST) this.#notices.firstChild.remove();
    setTimeout(() => notice.remove(), NOTICE_MS);
  }
}
