/**
 * The fan: Kaname is the rivet that holds its ribs. It opens as the connection comes to stand, and folds when it is lost
 * (the angle follows `data-state` in `css/base.css`), and in the small it tells the quality of a connection by its lit ribs.
 */
import { svg } from './dom.js';

const BLADES = 7;
const RIBS = 4;

/** A point at `radius` and `degrees` from upright, the rivet being the origin. */
function at(radius, degrees) {
  const angle = ((degrees - 90) * Math.PI) / 180;
  return `${(radius * Math.cos(angle)).toFixed(2)} ${(radius * Math.sin(angle)).toFixed(2)}`;
}

function wedge(inner, outer, half) {
  return `M${at(inner, -half)}L${at(outer, -half)}A${outer} ${outer} 0 0 1 ${at(outer, half)}L${at(inner, half)}Z`;
}

/** The mark: blades that CSS spreads from the rivet. */
export function brandFan() {
  const blades = Array.from({ length: BLADES }, () =>
    svg('g', { class: 'blade' }, svg('path', { class: 'leaf', d: wedge(10, 23, 9.2) }), svg('path', { class: 'rib', d: `M0 0L${at(23, 0)}` })),
  );
  return svg('svg', { class: 'fan', viewBox: '-25 -25 50 31', 'aria-hidden': 'true' }, ...blades, svg('circle', { class: 'rivet', r: '2.6' }));
}

/** Quality of a connection in four ribs; `data-quality` 0…4 lights them in CSS. */
export function qualityFan() {
  const ribs = Array.from({ length: RIBS }, (_, index) => {
    const turn = -51 + index * 34;
    return svg('path', { class: 'quality-rib', d: wedge(3, 11, 13), transform: `rotate(${turn})` });
  });
  return svg('svg', { class: 'quality', viewBox: '-12 -12 24 14', role: 'img' }, ...ribs);
}
