/**
 * Text chat over the data channel `chat`. We send plain text; the node hands others `{ from, name, text }`.
 *
 * Events (`detail`): `message` ({ from, name, text, self, at }), `open` (whether messages can be sent now).
 */

/** Longest message we send; the node's frame limit is above it in any encoding. */
export const LONGEST = 4000;

export class Chat extends EventTarget {
  #channel = null;

  get open() {
    return this.#channel?.readyState === 'open';
  }

  /** Speaks over `channel` from now on; null for none. */
  use(channel) {
    if (this.#channel) this.#channel.onopen = this.#channel.onclose = this.#channel.onmessage = null;
    this.#channel = channel;
    if (channel) {
      channel.onopen = channel.onclose = () => this.#tell('open', this.open);
      channel.onmessage = ({ data }) => this.#receive(data);
    }
    this.#tell('open', this.open);
  }

  /** Sends, and shows what was sent; false when it could not be sent. */
  send(text, { id, name }) {
    const words = text.trim().slice(0, LONGEST);
    if (!words || !this.open) return false;
    try {
      this.#channel.send(words);
    } catch {
      return false;
    }
    this.#tell('message', { from: id, name, text: words, self: true, at: new Date() });
    return true;
  }

  #receive(data) {
    const message = parse(data);
    if (message) this.#tell('message', { ...message, self: false, at: new Date() });
  }

  #tell(type, detail) {
    this.dispatchEvent(new CustomEvent(type, { detail }));
  }
}

/** `{ from, name, text }`, or null for anything else: what comes over the wire is not trusted. */
export function parse(data) {
  if (typeof data !== 'string') return null;
  try {
    const { from, name, text } = JSON.parse(data);
    if (typeof from !== 'string' || typeof text !== 'string' || text === '') return null;
    return { from, name: typeof name === 'string' && name ? name : 'Guest', text };
  } catch {
    return null;
  }
}
