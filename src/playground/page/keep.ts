/**
 * What the page remembers. Some browsers block storage and refuse any access to it. Then the page remembers nothing.
 */

function storage(kind: 'localStorage' | 'sessionStorage'): Storage | null {
  try {
    return globalThis[kind];
  } catch {
    return null;
  }
}

const local = storage('localStorage');
/** Lasts until the tab is closed. */
const session = storage('sessionStorage');

/** Kept after the tab is closed. */
export const settingsStore = keeper(local);
/** The reader's text and key. They are forgotten with the tab. */
export const tabStore = keeper(session);

function keeper(store: Storage | null) {
  return {
    get: (name: string): string | null => store?.getItem(`seedling.${name}`) ?? null,
    set: (name: string, value: string): void => {
      if (value === '') store?.removeItem(`seedling.${name}`);
      else store?.setItem(`seedling.${name}`, value);
    },
  };
}
