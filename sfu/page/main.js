/**
 * Puts the page together: address, devices, call and views. Everything else is in its own module.
 */
import { Call } from './call.js';
import { canSend } from './codecs.js';
import { Grid } from './grid.js';
import { exposeHandle } from './handle.js';
import { developmentToken, nodeInfo, parseAddress, coded } from './link.js';
import { LocalMedia } from './media.js';
import { ChatPanel } from './ui/chat-panel.js';
import { DeviceLists } from './ui/devices.js';
import { Dock } from './ui/dock.js';
import { byId, dress } from './ui/dom.js';
import { brandFan } from './ui/fan.js';
import { Lobby } from './ui/lobby.js';
import { Messages } from './ui/messages.js';
import { Shortcuts } from './ui/shortcuts.js';
import { followTheme } from './ui/theme.js';

/** Statistics this often: rates are readable, and getStats stays cheap in a large room. */
const MEASURE_MS = 2_000;

dress();
followTheme();
byId('brand-fan').append(brandFan());

let address = parseAddress(location);
const info = nodeInfo();
const messages = new Messages();
const media = new LocalMedia(address);
const call = new Call(media, { video: address.video, audio: address.audio });
const grid = new Grid(call, { stage: byId('stage'), overflow: byId('overflow'), onSilence: () => soundBlocked() });
const dock = new Dock(call, grid, messages);
const chat = new ChatPanel(call, messages);
const lobby = new Lobby(media, address, join);
new DeviceLists(media);
exposeHandle(call);
wireCall();
wireMedia();
wireDialogs();
wireKeys();
wirePage();
start();

/** The key to the room: the link's own, else a development node's. Asked before every join, since keys expire. */
async function credentials({ name, room }) {
  if (address.token && (!address.room || address.room === room)) return { token: address.token, name };
  const about = await info;
  if (about?.development) return { token: await developmentToken(room, name), name };
  if (!about) throw coded('network', 'The node does not answer.');
  throw coded('needs-link', '');
}

function join(wish) {
  messages.clear();
  if (!('RTCPeerConnection' in window)) {
    messages.error('no-webrtc');
    lobby.busy(false);
    return;
  }
  dock.linkToken(address.token && address.room === wish.room ? address.token : '');
  call.join(() => credentials(wish));
}

function wireCall() {
  call.addEventListener('entered', ({ detail }) => entered(detail));
  call.addEventListener('state', () => stateChanged());
  call.addEventListener('waiting', ({ detail }) => waiting(detail));
  call.addEventListener('over', ({ detail }) => over(detail));
  call.addEventListener('trouble', ({ detail }) => messages.error(detail.code, detail));
  call.addEventListener('silenced', ({ detail }) => messages.notice(`Your ${detail.source} was turned off by a moderator.`));
  call.room.addEventListener('peer', ({ detail }) => detail.fresh && messages.notice(`${detail.peer.name} joined`));
  call.room.addEventListener('left', ({ detail }) => detail.reason !== 'self' && messages.notice(`${detail.peer.name} ${detail.reason === 'timeout' ? 'lost the connection' : 'left'}`));
  call.room.addEventListener('track', ({ detail }) => detail.track.source === 'screen' && messages.notice(`${detail.peer.name} shares a screen`));
  setInterval(() => call.state !== 'lobby' && dock.measure(), MEASURE_MS);
}

function entered({ again }) {
  messages.clear('network');
  if (again) {
    messages.notice('You are back.');
    return;
  }
  lobby.hide();
  view('call');
  byId('call').focus({ preventScroll: true });
  const others = call.room.people.length;
  messages.notice(`You joined ${call.room.name}. ${others === 0 ? '' : others === 1 ? 'One other is here.' : `${others} others are here.`}`);
  stayAwake();
}

function stateChanged() {
  if (call.state === 'connected') messages.clear('network', 'negotiation', 'media-blocked');
  if (call.state === 'lobby' && document.body.dataset.view === 'call') {
    messages.hush();
    view('lobby');
    lobby.show();
  }
}

function waiting({ delayMs }) {
  const detail = `Next try in ${Math.max(1, Math.round(delayMs / 1000))} s.`;
  messages.error('network', { detail }, { label: 'Try now', act: () => call.retryNow() });
}

function over({ code, detail }) {
  lobby.busy(false);
  // A link's key that the node does not take is of no use a second time where the node gives others.
  if (code !== 'network') info.then((about) => about?.development && (address = { ...address, token: '' }));
  messages.error(code, { detail });
}

function wireMedia() {
  const retry = (device) => ({
    label: 'Try again',
    act: () => (device === 'both' ? media.startBoth() : media.turnOn(device)),
  });
  media.addEventListener('trouble', ({ detail }) => {
    const helpless = detail.device === 'screen' || detail.code === 'insecure-context' || detail.code === 'device-lost';
    messages.error(detail.code, detail, helpless ? null : retry(detail.device));
  });
  media.addEventListener('healed', ({ detail }) => {
    const { shown } = messages;
    if (shown?.device && (shown.device === detail.device || shown.device === 'both' || detail.device === 'both')) messages.clear();
  });
  media.addEventListener('devices', () => grid.setSpeaker(media.chosen('speaker')));
}

function soundBlocked() {
  messages.error('sound-blocked', {}, { label: 'Play sound', act: () => grid.play() });
}

function wireDialogs() {
  for (const id of ['devices', 'help']) {
    const dialog = byId(id);
    byId(`${id}-toggle`).addEventListener('click', () => dialog.showModal());
    dialog.querySelector('[data-close]').addEventListener('click', () => dialog.close());
    // A press beside the dialog closes it, as people expect.
    dialog.addEventListener('click', (event) => event.target === dialog && dialog.close());
  }
}

function wireKeys() {
  const keys = [
    { key: 'm', label: 'Microphone on or off', act: () => dock.toggleMicrophone() },
    { key: 'v', label: 'Camera on or off', act: () => dock.toggleCamera() },
    { key: 's', label: 'Share the screen, or stop', act: () => dock.toggleScreen() },
    { key: 'c', label: 'Open or close the chat', act: () => chat.toggle() },
    { key: 'g', label: 'Speaker large, or everyone equal', act: () => dock.toggleLayout() },
    { key: 'i', label: 'Statistics', act: () => dock.toggleStatistics() },
    { key: 'l', label: 'Copy the join link', act: () => dock.copyLink() },
    { key: 'd', label: 'Devices and settings', act: () => byId('devices').showModal() },
    { key: '?', label: 'This help', act: () => byId('help').showModal(), always: true },
  ];
  const talk = {
    start: () => !media.on('microphone') && Boolean(media.tracks.microphone) && (dock.toggleMicrophone(), true),
    stop: () => media.turnOff('microphone'),
  };
  new Shortcuts(keys, () => call.room.self !== null, talk);
  document.addEventListener('keydown', (event) => {
    if (event.key === 'Escape' && chat.shown && !document.querySelector('dialog[open]')) chat.toggle(false);
  });
}

function wirePage() {
  window.addEventListener('pagehide', () => call.state !== 'lobby' && call.leave());
  window.addEventListener('hashchange', () => call.state === 'lobby' && location.reload());
  document.addEventListener('visibilitychange', () => document.visibilityState === 'visible' && call.room.self && stayAwake());
}

/** A call is looked at without touching the screen, so it must not go dark. Not everywhere possible, and then no loss. */
function stayAwake() {
  navigator.wakeLock?.request('screen').then((lock) => {
    call.addEventListener('state', () => call.state === 'lobby' && lock.release());
  }, () => {});
}

function view(name) {
  document.body.dataset.view = name;
  byId('lobby').hidden = name !== 'lobby';
  byId('call').hidden = name !== 'call';
}

async function start() {
  lobby.show();
  if (address.video && !canSend(address.video)) messages.notice(`This browser cannot send ${address.video.toUpperCase()}; it sends what it can.`);
  const about = await info;
  if (about?.development) lobby.note('This node runs in development mode: anybody who reaches it may join.');
  else if (!address.token) messages.error('needs-link');
}
