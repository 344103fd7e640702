/**
 * Own devices: microphone, camera, screen; which ones exist, which one is chosen, and what goes wrong with them.
 *
 * Microphone off keeps the device and silences its track, so that on is instant. Camera off stops the device: the light goes out.
 *
 * Events (`detail`):
 * - `change` ({ source, track }): a source has another track, or none, or was switched
 * - `devices`: the list of devices may have changed
 * - `trouble` ({ code, device })
 * - `healed` ({ device }): a device that made trouble works
 */
import { mediaErrorCode } from './errors.js';
import { remember, remembered } from './prefs.js';

const KINDS = { microphone: 'audioinput', camera: 'videoinput', speaker: 'audiooutput' };

export class LocalMedia extends EventTarget {
  tracks = { microphone: null, camera: null, screen: null };
  /** What somebody wants on, whether or not a device could be had. */
  wanted = { microphone: true, camera: true };
  #originalSound;
  #turn = { microphone: Promise.resolve(), camera: Promise.resolve() };
  #chosen = remembered('devices', {});

  constructor({ originalSound = false, microphone = true, camera = true } = {}) {
    super();
    this.#originalSound = originalSound;
    this.wanted = { microphone, camera };
    navigator.mediaDevices?.addEventListener?.('devicechange', () => this.#tell('devices'));
  }

  get available() {
    return Boolean(window.isSecureContext && navigator.mediaDevices?.getUserMedia);
  }

  get canShareScreen() {
    return Boolean(navigator.mediaDevices?.getDisplayMedia);
  }

  get canChooseSpeaker() {
    return 'setSinkId' in HTMLMediaElement.prototype;
  }

  /** Whether a source is sending sound or picture now. */
  on(source) {
    const track = this.tracks[source];
    return Boolean(track) && (source !== 'microphone' || track.enabled);
  }

  chosen(device) {
    return this.#chosen[device] ?? '';
  }

  /** Opens what is wanted. Both in one question to the user where possible; one that fails does not take the other with it. */
  async start() {
    const missing = ['microphone', 'camera'].filter((source) => this.wanted[source] && !this.tracks[source]);
    if (missing.length === 0) return;
    if (!this.available) {
      this.wanted = { microphone: false, camera: false };
      this.#tell('trouble', { code: 'insecure-context', device: 'both' });
      return;
    }
    if (missing.length === 2) {
      try {
        const stream = await this.#open(missing);
        for (const track of stream.getTracks()) this.#take(track.kind === 'audio' ? 'microphone' : 'camera', track);
        this.#tell('healed', { device: 'both' });
        this.#tell('devices');
        return;
      } catch (error) {
        if (mediaErrorCode(error).startsWith('permission-denied') && !(await this.#anyGranted())) {
          this.wanted = { microphone: false, camera: false };
          this.#trouble(error, 'both');
          return;
        }
      }
    }
    // One by one, so that a missing camera does not silence the microphone.
    for (const source of missing) await this.turnOn(source);
  }

  /** Turns a source on; tells whether it is. */
  turnOn(source) {
    this.wanted[source] = true;
    return this.#inTurn(source, () => this.#turnOn(source));
  }

  turnOff(source) {
    this.wanted[source] = false;
    return this.#inTurn(source, () => {
      if (source === 'microphone' && this.tracks.microphone) {
        this.tracks.microphone.enabled = false;
        this.#changed('microphone');
      } else {
        this.#take(source, null);
      }
    });
  }

  /** Asks for both again, after leaving or after a refusal. */
  startBoth() {
    this.wanted = { microphone: true, camera: true };
    return this.start();
  }

  toggle(source) {
    return this.on(source) ? this.turnOff(source) : this.turnOn(source);
  }

  /** Chooses a device; one that is open is changed at once. */
  choose(device, id) {
    this.#chosen = { ...this.#chosen, [device]: id };
    remember('devices', this.#chosen);
    if (device === 'speaker' || !this.tracks[device]) {
      this.#tell('devices');
      return Promise.resolve();
    }
    return this.#inTurn(device, () => this.#reopen(device));
  }

  /** `{ microphone, camera, speaker }`, each `[{ id, label }]`; both are empty until permission is given. */
  async devices() {
    const all = (await navigator.mediaDevices?.enumerateDevices?.().catch(() => [])) ?? [];
    const list = (kind) => all.filter((info) => info.kind === kind).map(({ deviceId, label }) => ({ id: deviceId, label }));
    return Object.fromEntries(Object.entries(KINDS).map(([device, kind]) => [device, list(kind)]));
  }

  async startScreen() {
    try {
      const stream = await navigator.mediaDevices.getDisplayMedia({ video: { frameRate: { ideal: 15, max: 30 } }, audio: false });
      const [track] = stream.getVideoTracks();
      // Text must stay sharp; fewer frames are the lesser evil.
      track.contentHint = 'detail';
      this.#take('screen', track);
      return true;
    } catch (error) {
      // Closing the chooser is a decision, not a fault.
      const cancelled = error.name === 'NotAllowedError' && !/system/i.test(error.message);
      if (!cancelled) this.#tell('trouble', { code: 'screen-failed', device: 'screen' });
      return false;
    }
  }

  stopScreen() {
    this.#take('screen', null);
  }

  /** Lets go of everything: all lights out, and none comes on again unasked. */
  release() {
    this.wanted = { microphone: false, camera: false };
    for (const source of Object.keys(this.tracks)) this.#take(source, null);
  }

  async #turnOn(source) {
    const track = this.tracks[source];
    if (track) {
      track.enabled = true;
      this.#changed(source);
      return true;
    }
    if (!this.available) {
      this.wanted[source] = false;
      this.#tell('trouble', { code: 'insecure-context', device: source });
      return false;
    }
    try {
      const stream = await this.#open([source]);
      if (!this.wanted[source]) {
        stream.getTracks().forEach((late) => late.stop());
        return false;
      }
      this.#take(source, stream.getTracks()[0]);
      this.#tell('healed', { device: source });
      this.#tell('devices');
      return true;
    } catch (error) {
      this.wanted[source] = false;
      this.#trouble(error, source);
      return false;
    }
  }

  /** The newly chosen device, in the state the old one was in. */
  async #reopen(source) {
    const { enabled } = this.tracks[source];
    // Some systems open a device once only: the old one goes first.
    this.tracks[source].stop();
    try {
      const stream = await this.#open([source]);
      const [track] = stream.getTracks();
      track.enabled = enabled;
      this.#take(source, track);
      this.#tell('healed', { device: source });
    } catch (error) {
      this.#take(source, null);
      this.#trouble(error, source);
    }
    this.#tell('devices');
  }

  #open(sources) {
    const ask = (exact) =>
      navigator.mediaDevices.getUserMedia({
        audio: sources.includes('microphone') && this.#constraints('microphone', exact),
        video: sources.includes('camera') && this.#constraints('camera', exact),
      });
    return ask(true).catch((error) => {
      // The remembered device is not here today: any other will do.
      if (error.name === 'OverconstrainedError' || error.name === 'NotFoundError') return ask(false);
      throw error;
    });
  }

  #constraints(source, exact) {
    const id = this.#chosen[source];
    const device = id && exact ? { deviceId: { exact: id } } : {};
    if (source === 'camera') {
      return { ...device, width: { ideal: 1280 }, height: { ideal: 720 }, frameRate: { ideal: 30 } };
    }
    const processing = !this.#originalSound;
    return { ...device, echoCancellation: processing, noiseSuppression: processing, autoGainControl: processing };
  }

  /** `track` becomes what `source` sends; what it sent before ends. */
  #take(source, track) {
    const before = this.tracks[source];
    if (before === track) return;
    if (before) {
      before.onended = null;
      before.stop();
    }
    this.tracks[source] = track;
    if (track) track.onended = () => this.#ended(source, track);
    this.#changed(source);
  }

  /** The browser or the system ended a track: unplugged, or “Stop sharing” in the browser's own bar. */
  #ended(source, track) {
    if (this.tracks[source] !== track) return;
    this.#take(source, null);
    if (source === 'screen') return;
    this.wanted[source] = false;
    this.#tell('trouble', { code: 'device-lost', device: source });
  }

  async #anyGranted() {
    const names = ['microphone', 'camera'];
    const states = await Promise.all(
      names.map((name) => navigator.permissions?.query({ name }).then((status) => status.state, () => 'unknown')),
    );
    return states.includes('granted');
  }

  #trouble(error, device) {
    this.#tell('trouble', { code: mediaErrorCode(error), device });
  }

  #changed(source) {
    this.#tell('change', { source, track: this.tracks[source] });
  }

  /** One change of a source at a time, so that a quick off after on ends as off. */
  #inTurn(source, act) {
    this.#turn[source] = this.#turn[source].then(act, act);
    return this.#turn[source];
  }

  #tell(type, detail) {
    this.dispatchEvent(new CustomEvent(type, { detail }));
  }
}
