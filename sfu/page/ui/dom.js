/**
 * Small helpers over the DOM. Text always goes in as text, never as markup: names and messages come from strangers.
 */

const SVG = 'http://www.w3.org/2000/svg';

export const byId = (id) => document.getElementById(id);

/** An element with attributes and children; `on…` functions become listeners, false and null attributes are left out. */
export function h(name, attributes = {}, ...children) {
  const element = document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) {
    if (value === null || value === undefined || value === false) continue;
    if (key.startsWith('on')) element.addEventListener(key.slice(2), value);
    else element.setAttribute(key, value === true ? '' : value);
  }
  element.append(...children.filter((child) => child !== null && child !== undefined));
  return element;
}

export function svg(name, attributes = {}, ...children) {
  const element = document.createElementNS(SVG, name);
  for (const [key, value] of Object.entries(attributes)) element.setAttribute(key, value);
  element.append(...children);
  return element;
}

/** A picture of `icons.svg`; decoration only, the label stands on the control. */
export function icon(name) {
  return svg('svg', { class: 'icon', 'aria-hidden': 'true', focusable: 'false' }, svg('use', { href: `icons.svg#${name}` }));
}

export function setIcon(element, name) {
  const use = element.querySelector(':scope > .icon > use');
  if (use) {
    if (use.getAttribute('href') !== `icons.svg#${name}`) use.setAttribute('href', `icons.svg#${name}`);
  } else {
    element.prepend(icon(name));
  }
}

/** Name for screen readers and for the pointer, with the shortcut where there is one. */
export function setLabel(element, label) {
  const { key } = element.dataset;
  element.setAttribute('aria-label', label);
  element.title = key ? `${label} (${key})` : label;
}

/** A button with a picture and a label. */
export function iconButton(name, label, attributes = {}) {
  const button = h('button', { type: 'button', class: 'tool', ...attributes }, icon(name));
  setLabel(button, label);
  return button;
}

/** Draws what the markup names by `data-icon` and `data-label`. */
export function dress(root = document) {
  for (const element of root.querySelectorAll('[data-icon]')) setIcon(element, element.dataset.icon);
  for (const element of root.querySelectorAll('[data-label]')) setLabel(element, element.dataset.label);
}
