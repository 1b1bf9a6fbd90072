/** The part of the Workers test runtime that is used; its own types would bring globals that clash with the DOM's. */
declare module 'cloudflare:test' {
  export const SELF: { fetch(url: string, init?: RequestInit): Promise<Response> };
}
