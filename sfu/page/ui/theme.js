/** Light, dark, or as the system has it. */
import { remember, remembered } from '../prefs.js';
import { byId } from './dom.js';

export function followTheme() {
  const select = byId('theme');
  const apply = (theme) => {
    if (theme) document.documentElement.dataset.theme = theme;
    else delete document.documentElement.dataset.theme;
  };
  select.value = remembered('theme', '');
  apply(select.value);
  select.addEventListener('change', () => {
    remember('theme', select.value);
    apply(select.value);
  });
}
