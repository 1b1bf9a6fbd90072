/** Dark or light: the system's choice, until the reader makes another. */
import { settingsStore } from './keep.ts';

/** @param toggle a button that is pressed while the page is dark */
export function followTheme(toggle: HTMLButtonElement): void {
  const system = matchMedia('(prefers-color-scheme: dark)');
  const root = document.documentElement;
  const isDark = () => (root.dataset.theme ?? (system.matches ? 'dark' : 'light')) === 'dark';
  const show = () => toggle.setAttribute('aria-pressed', `${isDark()}`);
  const kept = settingsStore.get('theme');
  if (kept === 'dark' || kept === 'light') root.dataset.theme = kept;
  toggle.addEventListener('click', () => {
    root.dataset.theme = isDark() ? 'light' : 'dark';
    settingsStore.set('theme', root.dataset.theme);
    show();
  });
  system.addEventListener('change', show);
  show();
}
