/**
 * What the page remembers between visits: name, devices, theme. Never a token.
 * Storage may be missing or full (private windows); then nothing is remembered, and nothing breaks.
 */

const KEY = 'kaname';

function load() {
  try {
    return JSON.parse(localStorage.getItem(KEY)) ?? {};
  } catch {
    return {};
  }
}

const values = load();

export function remembered(name, otherwise) {
  return values[name] ?? otherwise;
}

export function remember(name, value) {
  values[name] = value;
  try {
    localStorage.setItem(KEY, JSON.stringify(values));
  } catch {
    // Kept for this visit only.
  }
}
