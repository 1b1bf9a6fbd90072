/**
 * Lets the page reload offline. It keeps the page's own files and the small files of a model. The worker keeps the
 * weights.
 */
export {};

declare const self: ServiceWorkerGlobalScope;
/** The build sets both. */
declare const PAGE_FILES: readonly string[];
declare const PAGE_VERSION: string;

const PREFIX = 'seedling-page-';
const CACHE = PREFIX + PAGE_VERSION;

self.addEventListener('install', (event) => {
  event.waitUntil(keepPage().then(() => self.skipWaiting()));
});

self.addEventListener('activate', (event) => {
  event.waitUntil(forgetOlder().then(() => self.clients.claim()));
});

self.addEventListener('fetch', (event) => {
  const { request } = event;
  const { origin, pathname } = new URL(request.url);
  const own =
    pathname === '/' || pathname.startsWith('/playground/') || /^\/models\/[^/]+\/[^/]+\.json$/.test(pathname);
  if (request.method === 'GET' && origin === self.location.origin && own) event.respondWith(networkFirst(request));
});

async function keepPage(): Promise<void> {
  const cache = await caches.open(CACHE);
  await cache.addAll(PAGE_FILES.map((file) => new Request(file, { cache: 'no-cache' })));
}

async function forgetOlder(): Promise<void> {
  const names = (await caches.keys()).filter((name) => name.startsWith(PREFIX) && name !== CACHE);
  await Promise.all(names.map((name) => caches.delete(name)));
}

/** Answers from the network, and keeps the answer. Without a network it answers from the cache. */
async function networkFirst(request: Request): Promise<Response> {
  const cache = await caches.open(CACHE);
  try {
    const response = await fetch(request);
    if (response.ok) await cache.put(request, response.clone());
    return response;
  } catch (error) {
    const kept = await cache.match(request, { ignoreSearch: true });
    if (kept) return kept;
    throw error;
  }
}
