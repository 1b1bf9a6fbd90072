/** The part of the Workers test runtime that is used; its own types would bring globals that clash with the DOM's. */
declare module 'cloudflare:test' {
  export const SELF: { fetch(url: string, init?: RequestInit): Promise<Response> };
}

interface ImportMeta {
  /** Vite's: the modules of a pattern, by path. */
  glob<T>(pattern: string, options: { eager: true; import: 'default' }): Record<string, T>;
}
