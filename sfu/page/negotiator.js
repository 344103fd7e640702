/**
 * One offer at a time. Whatever is asked for while one is under way is met by a single further round, so a burst of
 * changes costs two offers, not one each.
 */
export class Negotiator {
  #round;
  #wanted = false;
  #running = null;
  #closed = false;

  /** `round` is an async function that makes one offer and applies its answer; it handles its own errors. */
  constructor(round) {
    this.#round = round;
  }

  /** Asks for a round; resolves when everything asked for so far has been negotiated. */
  request() {
    if (this.#closed) return Promise.resolve();
    this.#wanted = true;
    this.#running ??= this.#run();
    return this.#running;
  }

  close() {
    this.#closed = true;
  }

  async #run() {
    // Changes made in the same turn belong to the same offer.
    await Promise.resolve();
    try {
      while (this.#wanted && !this.#closed) {
        this.#wanted = false;
        await this.#round();
      }
    } finally {
      this.#running = null;
    }
  }
}
