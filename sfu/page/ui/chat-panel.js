/**
 * The chat beside the stage: messages, unread count, and the line to write in.
 */
import { byId, h, setLabel } from './dom.js';

/** Messages kept on the page; older ones go, so that a long day does not fill the memory. */
const KEPT = 500;
/** Messages of one person within this share one heading. */
const TOGETHER_MS = 3 * 60_000;
const NOTICE_LETTERS = 90;
const LINK = /\bhttps?:\/\/[^\s<>"']+[^\s<>"'.,;:!?)\]]/g;

export class ChatPanel {
  #call;
  #messages;
  #panel = byId('chat');
  #list = byId('chat-list');
  #input = byId('chat-input');
  #toggle = byId('chat-toggle');
  #unread = 0;
  #last = null;

  constructor(call, messages) {
    this.#call = call;
    this.#messages = messages;
    this.#toggle.addEventListener('click', () => this.toggle());
    byId('chat-close').addEventListener('click', () => this.toggle(false));
    byId('chat-form').addEventListener('submit', (event) => {
      event.preventDefault();
      this.#send();
    });
    this.#input.addEventListener('keydown', (event) => this.#key(event));
    this.#input.addEventListener('input', () => this.#grow());
    call.chat.addEventListener('message', ({ detail }) => this.#add(detail));
    call.chat.addEventListener('open', () => this.#drawOpen());
    call.addEventListener('state', () => call.state === 'lobby' && this.#forget());
  }

  get shown() {
    return !this.#panel.hidden;
  }

  toggle(open = !this.shown) {
    if (open === this.shown) return;
    this.#panel.hidden = !open;
    document.body.dataset.chat = open ? 'open' : 'closed';
    this.#toggle.setAttribute('aria-expanded', String(open));
    if (open) {
      this.#setUnread(0);
      this.#list.scrollTop = this.#list.scrollHeight;
      this.#input.focus();
    } else {
      this.#toggle.focus();
    }
  }

  #send() {
    if (!this.#call.room.self) return;
    if (this.#call.chat.send(this.#input.value, this.#call.room.self)) {
      this.#input.value = '';
      this.#grow();
    }
    this.#input.focus();
  }

  /** Enter sends, Shift+Enter breaks the line; Enter that ends a composition (Japanese, Chinese) does neither. */
  #key(event) {
    if (event.key !== 'Enter' || event.shiftKey || event.isComposing) return;
    event.preventDefault();
    this.#send();
  }

  #grow() {
    this.#input.style.height = 'auto';
    this.#input.style.height = `${Math.min(140, this.#input.scrollHeight)}px`;
  }

  #add(message) {
    const { from, name, text, self, at } = message;
    const atEnd = this.#list.scrollHeight - this.#list.scrollTop - this.#list.clientHeight < 60;
    const follows = this.#last?.from === from && at - this.#last.at < TOGETHER_MS;
    this.#last = message;
    const time = at.toLocaleTimeString([], { hour: '2-digit', minute: '2-digit' });
    const head = h('p', { class: follows ? 'visually-hidden' : 'message-head' }, h('strong', {}, self ? 'You' : name), ' ', h('time', { datetime: at.toISOString() }, time));
    const item = h(
      'li',
      { class: `message${self ? ' own' : ''}${follows ? ' follows' : ''}`, 'data-testid': 'chat-message', 'data-from': from, 'data-name': name, 'data-self': String(self) },
      head,
      h('p', { class: 'message-text', 'data-testid': 'chat-text', dir: 'auto' }, ...linked(text)),
    );
    this.#list.append(item);
    while (this.#list.children.length > KEPT) this.#list.firstChild.remove();
    byId('chat-empty').hidden = true;
    if (atEnd || self) this.#list.scrollTop = this.#list.scrollHeight;
    if (!self && !this.shown) this.#missed(name, text);
  }

  #missed(name, text) {
    this.#setUnread(this.#unread + 1);
    const short = text.length > NOTICE_LETTERS ? `${text.slice(0, NOTICE_LETTERS)}…` : text;
    this.#messages.notice(`${name}: ${short}`);
  }

  #setUnread(count) {
    this.#unread = count;
    if (count) this.#toggle.dataset.badge = count > 99 ? '99+' : String(count);
    else delete this.#toggle.dataset.badge;
    setLabel(this.#toggle, count ? `Chat, ${count} unread` : 'Chat');
  }

  #drawOpen() {
    const { open } = this.#call.chat;
    byId('chat-send').disabled = !open;
    this.#input.placeholder = open ? 'Write a message' : 'Not connected; you can write meanwhile';
  }

  /** A new visit starts with an empty page. */
  #forget() {
    this.#list.replaceChildren();
    this.#last = null;
    this.#input.value = '';
    this.#setUnread(0);
    this.#panel.hidden = true;
    document.body.dataset.chat = 'closed';
    this.#toggle.setAttribute('aria-expanded', 'false');
    byId('chat-empty').hidden = false;
  }
}

/** Text with its http(s) addresses as links; everything else stays text. */
function linked(text) {
  const parts = [];
  let end = 0;
  for (const match of text.matchAll(LINK)) {
    parts.push(text.slice(end, match.index), h('a', { href: match[0], target: '_blank', rel: 'noopener noreferrer' }, match[0]));
    end = match.index + match[0].length;
  }
  return [...parts, text.slice(end)];
}
