/**
 * The microphone's level in the lobby: proof that one is heard before anybody listens.
 */
import { byId } from './dom.js';

const LOOK_MS = 80;
/** Root mean square that lights each bar; speech at a desk reaches the fourth. */
const STEPS = [0.008, 0.02, 0.045, 0.09, 0.18];

export class Level {
  #context = null;
  #timer = 0;
  #bars = [...byId('level').children];

  /** Listens to `track`; null for none. */
  watch(track) {
    this.stop();
    if (!track || !window.AudioContext) return;
    this.#context = new AudioContext();
    const analyser = new AnalyserNode(this.#context, { fftSize: 1024 });
    this.#context.createMediaStreamSource(new MediaStream([track])).connect(analyser);
    const samples = new Float32Array(analyser.fftSize);
    this.#timer = setInterval(() => {
      analyser.getFloatTimeDomainData(samples);
      const power = samples.reduce((sum, sample) => sum + sample * sample, 0) / samples.length;
      this.#show(Math.sqrt(power));
    }, LOOK_MS);
  }

  stop() {
    clearInterval(this.#timer);
    this.#context?.close();
    this.#context = null;
    this.#show(0);
  }

  #show(level) {
    this.#bars.forEach((bar, index) => bar.classList.toggle('lit', level >= STEPS[index]));
  }
}
