// Given to every page under test: finding, waiting, and taking samples of what is seen and heard.
'use strict';

window.byId = (id) => document.querySelector(`[data-testid="${id}"]`);
window.allById = (id) => [...document.querySelectorAll(`[data-testid="${id}"]`)];

// The tile of a peer by its name, or of oneself.
window.tileOf = (name, source = 'camera') =>
  window.allById('tile').find((t) => t.dataset.name === name && t.dataset.source === source);
window.videoOf = (name, source) => window.tileOf(name, source)?.querySelector('[data-testid="tile-video"]');

// True once the condition holds; false after two seconds, so that a script outlives no navigation for long.
window.tried = (condition) =>
  new Promise((resolve) => {
    const begun = performance.now();
    const look = () => {
      let holds = false;
      try {
        holds = Boolean(condition());
      } catch {
        // Half a page: not yet.
      }
      if (holds || performance.now() - begun > 2000) resolve(holds);
      else setTimeout(look, 40);
    };
    look();
  });

// What a person would say about the page, when a wait was in vain.
window.about = () => ({
  state: window.kaname?.state,
  errors: window.allById('error').filter((e) => !e.hidden).map((e) => `${e.dataset.code}: ${e.textContent.trim()}`),
  tiles: window.allById('tile').map((t) => ({ ...t.dataset })),
  tracks: window.kaname?.tracks.map(({ id, kind, source, muted, direction }) => ({ id, kind, source, muted, direction })),
  ice: window.kaname?.connection?.iceConnectionState,
});

// Plays: has size, and its pictures change.
window.plays = (video) => Boolean(video && video.videoWidth > 0 && !video.paused && video.readyState >= 2);

// The luma of a video's next `count` pictures, each scaled to width x height and written as numbers 0 to 255.
window.grab = async (video, width, height, count) => {
  const canvas = new OffscreenCanvas(width, height);
  const context = canvas.getContext('2d', { willReadFrequently: true });
  context.imageSmoothingQuality = 'high';
  const pictures = [];
  while (pictures.length < count) {
    await new Promise((resolve) => video.requestVideoFrameCallback(resolve));
    context.drawImage(video, 0, 0, width, height);
    const { data } = context.getImageData(0, 0, width, height);
    const luma = [];
    for (let i = 0; i < data.length; i += 4) {
      luma.push(Math.round(0.299 * data[i] + 0.587 * data[i + 1] + 0.114 * data[i + 2]));
    }
    pictures.push(luma);
  }
  return pictures;
};

// `seconds` of a track's sound, as 16-bit numbers, and how many come a second.
window.listen = async (track, seconds) => {
  // Not an AudioWorklet: the page's own security policy rightly refuses code from elsewhere.
  const reader = new MediaStreamTrackProcessor({ track: track.clone() }).readable.getReader();
  const samples = [];
  let rate = 48000;
  while (samples.length < seconds * rate) {
    const { value, done } = await reader.read();
    if (done) break;
    rate = value.sampleRate;
    const chunk = new Float32Array(value.numberOfFrames);
    value.copyTo(chunk, { planeIndex: 0, format: 'f32-planar' });
    for (const s of chunk) samples.push(Math.round(s * 32767));
    value.close();
  }
  reader.cancel();
  return { rate, samples };
};
