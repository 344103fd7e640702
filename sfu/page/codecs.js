/**
 * Which codec is offered first. The node takes the first codec of an m-line that it allows, so the order is the choice.
 * RTX, RED and FEC keep their places behind the codecs: they are carried along, not chosen.
 */

const VIDEO = {
  vp8: 'video/vp8',
  vp9: 'video/vp9',
  h264: 'video/h264',
  av1: 'video/av1',
  h265: 'video/h265',
};

/**
 * `codecs` (of `getCapabilities`) with the wanted one first; the others keep their order.
 * `wanted` is a key of the page's `video`/`audio` query parameter; unknown or absent means VP8 for video and the browser's order for audio.
 */
export function ordered(codecs, kind, wanted) {
  const first = kind === 'video' ? (VIDEO[wanted] ?? VIDEO.vp8) : wanted === 'red' ? 'audio/red' : null;
  if (!first) return codecs;
  const isFirst = (codec) => codec.mimeType.toLowerCase() === first;
  return [...codecs.filter(isFirst), ...codecs.filter((codec) => !isFirst(codec))];
}

/** Whether this browser can send the wanted video codec at all. */
export function canSend(wanted) {
  const capabilities = globalThis.RTCRtpSender?.getCapabilities?.('video');
  if (!capabilities || !VIDEO[wanted]) return true;
  return capabilities.codecs.some((codec) => codec.mimeType.toLowerCase() === VIDEO[wanted]);
}

/**
 * Applies the order to a sending transceiver. Browsers differ in whether they want the sender's or the receiver's
 * capabilities here, so both are tried; with neither the browser's own order stays, which is a working one.
 */
export function prefer(transceiver, kind, wanted) {
  if (!transceiver.setCodecPreferences) return;
  for (const side of [RTCRtpSender, RTCRtpReceiver]) {
    const codecs = side.getCapabilities?.(kind)?.codecs;
    if (!codecs) continue;
    try {
      transceiver.setCodecPreferences(ordered(codecs, kind, wanted));
      return;
    } catch {
      // The other side's list may be the one this browser accepts.
    }
  }
}
