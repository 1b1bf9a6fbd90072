/**
 * Types of what the Workers bundler and runtime provide. They are written by hand, because the globals of `wrangler
 * types` clash with the DOM's.
 */

declare module '*.wasm' {
  const module: WebAssembly.Module;
  export default module;
}

declare module 'cloudflare:workers' {
  export const env: import('./settings.ts').Bindings;
}
