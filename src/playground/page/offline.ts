/** Registers the service worker that lets the page reload offline. */

/** @returns resolves when requests go through the service worker, or at once if there is none */
export async function keepOffline(): Promise<void> {
  // Outside a secure context there is none. The page then works, but not offline.
  if (!('serviceWorker' in navigator)) return;
  const { serviceWorker } = navigator;
  const controlled = new Promise<void>((resolve) => {
    if (serviceWorker.controller) resolve();
    else serviceWorker.addEventListener('controllerchange', () => resolve(), { once: true });
  });
  try {
    await serviceWorker.register('/service-worker.js');
  } catch (error) {
    // An offline page cannot check the script for a newer version. That is not a failure.
    if (serviceWorker.controller === null) console.warn('The page will not reload offline:', error);
    return;
  }
  await controlled;
}
