/**
 * `window.kaname`: the page's only global, for tests and for the curious. It shows, and changes nothing.
 * Its members are described in `README.md`.
 */
import { Statistics } from './stats.js';

export function exposeHandle(call) {
  // Own counters, so that asking does not disturb the rates on the tiles.
  const statistics = new Statistics();
  const { room } = call;
  const shown = ({ id, kind, source, muted }) => ({ id, kind, source, muted });
  const handle = {
    get state() {
      return call.state;
    },
    get self() {
      return room.self?.id ?? null;
    },
    get room() {
      return room.name;
    },
    get peers() {
      if (!room.self) return [];
      const own = call.tracks.filter(({ direction }) => direction === 'send').map(shown);
      const others = room.people.map((peer) => ({ ...peer, tracks: [...peer.tracks.values()].map(shown) }));
      const all = [{ ...room.self, tracks: own }, ...others];
      return all.map(({ id, name, tracks }) => ({ id, name, self: id === room.self.id, speaking: room.speakers.includes(id), tracks }));
    },
    get tracks() {
      return call.tracks;
    },
    get connection() {
      return call.connection;
    },
    stats: () => call.stats(statistics),
  };
  Object.defineProperty(window, 'kaname', { value: Object.freeze(handle) });
}
