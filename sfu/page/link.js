/**
 * Join links: `ORIGIN/#room=ROOM&token=JWT`, and how a token is come by.
 *
 * The token stands in the fragment, so that it reaches no server log and no Referer header.
 */

/** The wishes in an address. `hash` and `search` as in `location`. */
export function parseAddress({ hash = '', search = '' }) {
  const fragment = new URLSearchParams(hash.replace(/^#/, ''));
  const query = new URLSearchParams(search);
  return {
    room: fragment.get('room') ?? '',
    token: fragment.get('token') ?? '',
    name: fragment.get('name') ?? '',
    video: (query.get('video') ?? '').toLowerCase(),
    audio: (query.get('audio') ?? '').toLowerCase(),
    originalSound: query.get('sound') === 'original',
    camera: query.get('camera') !== 'off',
    microphone: query.get('mic') !== 'off',
  };
}

/** A link that brings somebody into `room`; with `token` where the node asks for one. */
export function joinLink(origin, room, token = '') {
  const fragment = new URLSearchParams({ room });
  if (token) fragment.set('token', token);
  return `${origin}/#${fragment}`;
}

/** What the node says of itself, or `null` when it cannot be asked. */
export async function nodeInfo() {
  try {
    const response = await fetch('/api/v1/info', { cache: 'no-store' });
    return response.ok ? await response.json() : null;
  } catch {
    return null;
  }
}

/** Asks a development node for a token. Throws an `Error` with a `code` the page has words for. */
export async function developmentToken(room, name) {
  let response;
  try {
    response = await fetch('/dev/token', {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ room, name }),
    });
  } catch {
    throw coded('network', 'The node does not answer. Is it running?');
  }
  const body = await response.json().catch(() => ({}));
  if (!response.ok || typeof body.token !== 'string') {
    throw coded(body.code ?? 'token-refused', body.message ?? `The node refused a token (HTTP ${response.status}).`);
  }
  return body.token;
}

/** An `Error` that carries a machine-readable `code`. */
export function coded(code, message) {
  return Object.assign(new Error(message), { code });
}
