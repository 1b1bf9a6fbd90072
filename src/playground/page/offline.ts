/** Registers the service worker that lets the page reload offline. */

/** @returns settles when requests go through the service worker, or at once where there is none */
export async function keepOffline(): Promise<void> {
  // Absent outside a secure context: the page then works, but not offline.
  if (!('serviceWorker' in navigator)) return;
  const { serviceWorker } = navigator;
  const controlled = new Promise<void>((resolve) => {
    if (serviceWorker.controller) resolve();
    else serviceWorker.addEventListener('controllerchange', () => resolve(), { once: true });
  });
  try {
    await serviceWorker.register('/service-worker.js');
  } catch (error) {
    // Offline with the page from its cache, the script cannot be checked for a newer one: that is no failure.
    if (serviceWorker.controller === null) console.warn('The page will not reload offline:', error);
    return;
  }
  await controlled;
}
