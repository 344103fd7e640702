/**
 * Words for what can go wrong: what happened, and what to do. Each has a `code` for tests and a `title` and `text` for people.
 */

const WORDS = {
  'permission-denied': [
    'Your browser blocks the {device}',
    'Allow it in the site settings beside the address, then choose “Try again”. You can also join without it.',
  ],
  'permission-denied-by-system': [
    'Your system blocks the {device}',
    'Allow this browser to use it in the privacy settings of your system, then choose “Try again”.',
  ],
  'no-device': ['No {device} found', 'Connect one and choose “Try again”, or join without it.'],
  'device-busy': [
    'The {device} is in use',
    'Another program seems to hold it. Close that program, then choose “Try again”.',
  ],
  'device-lost': ['The {device} went away', 'It was unplugged or switched off. Choose another one under Devices.'],
  'insecure-context': [
    'Camera and microphone need a secure address',
    'Open this page over https, or on this computer as localhost. You can still join to watch and listen.',
  ],
  'no-webrtc': ['This browser cannot make calls', 'It has no WebRTC. Try a current Firefox, Chrome, Edge or Safari.'],
  'screen-failed': ['The screen could not be shared', 'Your system or browser refused. Check its screen recording permission.'],
  'needs-link': ['A join link is needed', 'Ask whoever invited you for a link; it carries the key to the room.'],
  'token-refused': ['The node gave no key to the room', '{detail}'],
  network: ['The node cannot be reached', 'Check your connection. {detail}'],
  kicked: ['You were removed from the room', 'Somebody with the right to do so ended your visit.'],
  room_deleted: ['The room was closed', 'It does not exist any more.'],
  'sound-blocked': ['Your browser holds back the sound', 'Choose “Play sound” to hear the others.'],
  'not-published': ['The {device} did not reach the room', '{detail}'],
  'media-blocked': [
    'Sound and picture do not get through',
    'The node answers, but media does not reach it. A firewall or VPN may block it; try another network.',
  ],
  codec_unsupported: ['Somebody cannot be shown', '{detail}'],
  forbidden: ['Your link does not allow that', '{detail}'],
  at_capacity: ['There is no more room', '{detail}'],
  negotiation: ['The call could not be set up', '{detail} It is tried again by itself.'],
};

const DEVICES = { microphone: 'microphone', camera: 'camera', both: 'camera and microphone', screen: 'screen' };

/** `{ code, title, text }` for a code of this page, or for one of the node's with its own `detail`. */
export function explain(code, { device = '', detail = '' } = {}) {
  const [title, text] = WORDS[code] ?? ['That did not work', '{detail}'];
  const fill = (words) =>
    words.replace('{device}', DEVICES[device] ?? 'device').replace('{detail}', detail).trim();
  return { code, title: fill(title), text: fill(text) || code };
}

/** The page's code for what `getUserMedia` or `getDisplayMedia` threw. */
export function mediaErrorCode(error) {
  switch (error?.name) {
    case 'NotAllowedError':
    case 'SecurityError':
      return /system/i.test(error.message) ? 'permission-denied-by-system' : 'permission-denied';
    case 'NotFoundError':
    case 'OverconstrainedError':
      return 'no-device';
    case 'NotReadableError':
    case 'AbortError':
      return 'device-busy';
    case 'InsecureContext':
      return 'insecure-context';
    default:
      return 'device-busy';
  }
}
