/**
 * Statistics of each track, from `RTCPeerConnection.getStats()`.
 * `digest` is pure: reports in, figures out; `Statistics` keeps the previous counters so that rates can be told.
 */

/** Figures of one track; a value not known is `null`. Bitrates in bit/s, `loss` 0…1, times in ms. */
function figures(entry) {
  return {
    ...entry,
    bitrate: null,
    packets: null,
    lost: null,
    loss: null,
    rttMs: null,
    jitterMs: null,
    width: null,
    height: null,
    fps: null,
    frames: null,
    codec: null,
    audioLevel: null,
    totalAudioEnergy: null,
  };
}

const known = (value, scale = 1) => (Number.isFinite(value) ? value * scale : null);

/** The counters of the time before that make a rate: bytes, packets and losses of one RTP stream. */
function rates(now, before, direction) {
  if (!before || now.at <= before.at) return { bitrate: null, loss: null };
  const bytes = now.bytes - before.bytes;
  const lost = Math.max(0, now.lost - before.lost);
  const packets = Math.max(0, now.packets - before.packets);
  // A sender counts what it sent, lost ones included; a receiver only what arrived.
  const all = direction === 'send' ? packets : packets + lost;
  return {
    // A stream that started anew has smaller counters: no rate this once.
    bitrate: bytes < 0 ? null : Math.round((bytes * 8 * 1000) / (now.at - before.at)),
    loss: all > 0 ? Math.min(1, lost / all) : 0,
  };
}

/** RTT of the connection in ms: from the connectivity checks of the pair in use. */
export function pairRoundTripMs(report) {
  for (const stat of report.values()) {
    if (stat.type !== 'transport' || !stat.selectedCandidatePairId) continue;
    return known(report.get(stat.selectedCandidatePairId)?.currentRoundTripTime, 1000);
  }
  for (const stat of report.values()) {
    if (stat.type === 'candidate-pair' && stat.nominated && stat.state === 'succeeded') {
      return known(stat.currentRoundTripTime, 1000);
    }
  }
  return null;
}

function codecName(report, stream) {
  const codec = report.get(stream.codecId);
  return codec ? codec.mimeType.replace(/^(audio|video)\//, '') : null;
}

function received(stream, report, entry) {
  return {
    ...figures(entry),
    packets: known(stream.packetsReceived),
    lost: known(stream.packetsLost),
    rttMs: pairRoundTripMs(report),
    jitterMs: known(stream.jitter, 1000),
    width: known(stream.frameWidth),
    height: known(stream.frameHeight),
    fps: known(stream.framesPerSecond),
    frames: known(stream.framesDecoded),
    codec: codecName(report, stream),
    audioLevel: known(stream.audioLevel),
    totalAudioEnergy: known(stream.totalAudioEnergy),
  };
}

function sent(stream, report, entry) {
  const remote = report.get(stream.remoteId);
  const source = report.get(stream.mediaSourceId);
  return {
    ...figures(entry),
    packets: known(stream.packetsSent),
    lost: known(remote?.packetsLost),
    rttMs: known(remote?.roundTripTime, 1000) ?? pairRoundTripMs(report),
    jitterMs: known(remote?.jitter, 1000),
    width: known(stream.frameWidth),
    height: known(stream.frameHeight),
    fps: known(stream.framesPerSecond),
    frames: known(stream.framesEncoded),
    codec: codecName(report, stream),
    audioLevel: known(source?.audioLevel),
    totalAudioEnergy: known(source?.totalAudioEnergy),
  };
}

function streamOf(report, entry) {
  const type = entry.direction === 'send' ? 'outbound-rtp' : 'inbound-rtp';
  for (const stat of report.values()) {
    if (stat.type !== type || stat.kind !== entry.kind) continue;
    if (stat.mid === entry.mid || (stat.mid === undefined && stat.trackIdentifier === entry.trackIdentifier)) return stat;
  }
  return null;
}

/**
 * One line a track. `entries`: `[{ id, peer, source, kind, direction, mid, trackIdentifier }]`;
 * `before`: map of counters by track id that the last call returned.
 * Returns `{ tracks, counters }`.
 */
export function digest(report, entries, before = new Map()) {
  const counters = new Map();
  const tracks = entries.map(({ trackIdentifier, ...entry }) => {
    const stream = streamOf(report, { ...entry, trackIdentifier });
    if (!stream) return figures(entry);
    const line = entry.direction === 'send' ? sent(stream, report, entry) : received(stream, report, entry);
    const now = {
      at: stream.timestamp,
      bytes: stream.bytesReceived ?? stream.bytesSent ?? 0,
      packets: line.packets ?? 0,
      lost: line.lost ?? 0,
    };
    counters.set(entry.id, now);
    return { ...line, ...rates(now, before.get(entry.id), entry.direction) };
  });
  return { tracks, counters };
}

/** Keeps the counters between two looks at one connection. */
export class Statistics {
  #before = new Map();

  /** The figures of `entries` now; rates since the previous call. */
  async sample(connection, entries) {
    const { tracks, counters } = digest(await connection.getStats(), entries, this.#before);
    this.#before = counters;
    return tracks;
  }
}

/** Ribs of the quality fan, 0…4: 0 not known, 4 good, 1 bad. What people notice first is loss, then delay. */
export function quality({ loss, rttMs }) {
  if (loss === null && rttMs === null) return 0;
  const byLoss = loss === null || loss < 0.01 ? 4 : loss < 0.03 ? 3 : loss < 0.1 ? 2 : 1;
  const byDelay = rttMs === null || rttMs < 150 ? 4 : rttMs < 300 ? 3 : rttMs < 600 ? 2 : 1;
  return Math.min(byLoss, byDelay);
}

/** `1.2 Mb/s`, `48 kb/s`, or a dash. */
export function bitrateText(bits) {
  if (bits === null) return '–';
  return bits >= 1e6 ? `${(bits / 1e6).toFixed(1)} Mb/s` : `${Math.round(bits / 1e3)} kb/s`;
}
