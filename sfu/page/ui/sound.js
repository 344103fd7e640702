/**
 * What one far track sounds like: an `<audio>` in an element of the page, there as long as there is something to play.
 */
import { h } from './dom.js';

export class Sound {
  #parent;
  #testId;
  #audio = null;

  constructor(parent, testId) {
    this.#parent = parent;
    this.#testId = testId;
  }

  /** Plays `media` (an audio `MediaStreamTrack`), or nothing for null; rejects when the browser holds sound back. */
  async setAudio(media, trackId, speaker) {
    if (!media) return this.remove();
    if (!this.#audio) {
      this.#audio = h('audio', { 'data-testid': this.#testId, autoplay: true });
      this.#parent.append(this.#audio);
    }
    this.#audio.dataset.track = trackId;
    if (this.#audio.srcObject?.getAudioTracks()[0] !== media) this.#audio.srcObject = new MediaStream([media]);
    await this.setSpeaker(speaker);
    await this.play();
  }

  async play() {
    await this.#audio?.play().catch((error) => {
      if (error.name === 'NotAllowedError') throw error;
    });
  }

  async setSpeaker(id) {
    // A speaker that went away: the system's own choice is better than silence.
    if (id !== undefined && this.#audio?.setSinkId && this.#audio.sinkId !== id) await this.#audio.setSinkId(id).catch(() => {});
  }

  remove() {
    if (!this.#audio) return;
    this.#audio.srcObject = null;
    this.#audio.remove();
    this.#audio = null;
  }
}
