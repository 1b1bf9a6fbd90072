/** What the Workers bundler and runtime provide. Hand-written: `wrangler types` would bring globals that clash with the DOM's. */

declare module '*.wasm' {
  const module: WebAssembly.Module;
  export default module;
}

declare module 'cloudflare:workers' {
  export const env: import('./settings.ts').Bindings;
}
