/** The direction of imports: hosts -> api -> engine -> sampler -> model -> kernels, and no cycles. */

/** A module under `from` may import, of this project's own sources, only what `to` names. */
function only(name, from, to) {
  return {
    name,
    severity: 'error',
    comment: `${from} may import only ${to.join(', ')}`,
    from: { path: from },
    to: { path: '^(src|build|scripts|bench|eval|test|wasm)/', pathNot: [from, ...to] },
  };
}

module.exports = {
  forbidden: [
    { name: 'no-cycles', severity: 'error', from: {}, to: { circular: true } },
    only('api', '^src/api/', ['^src/engine/', '^src/model/(model|config|errors)\\.ts$']),
    only('engine', '^src/engine/', ['^src/sampler/', '^src/model/']),
    // The scheduler cuts work and joins answers by the rules that every runtime follows.
    only('sampler', '^src/sampler/', ['^src/model/(model|config|cost-curve|forward/(pieces|predictions))\\.ts$']),
    only('model', '^src/model/', ['^src/kernels/']),
    only('kernels', '^src/kernels/', []),
    only('reference', '^src/reference/', ['^src/model/']),
    only('sources', '^src/sources/', ['^src/model/(errors|weight-source)\\.ts$']),
    // The converter loads what it wrote as a server would, so it reads with the server's own modules.
    only('convert', '^src/convert/', [
      '^src/model/(config|errors|manifest|weight-source)\\.ts$',
      '^src/engine/(chat-prompt|tokenizer/tokenizer)\\.ts$',
      '^src/sources/(directory|partials|resumable)\\.ts$',
      '^src/hosts/node/host/progress\\.ts$',
    ]),
    only('playground', '^src/playground/', [
      '^src/(engine|sampler|model|kernels|sources)/',
      '^src/hosts/assemble\\.ts$',
    ]),
    only('settings', '^src/hosts/setting(s|-types)\\.ts$', [
      '^src/model/',
      '^src/api/middleware/(api-keys|area)\\.ts$',
    ]),
    {
      name: 'entries-are-roots',
      severity: 'error',
      comment: 'the two main.ts put a host together; nothing is built on them',
      from: {},
      to: { path: '^src/hosts/(worker|node)/main\\.ts$' },
    },
    {
      name: 'hosts-do-not-know-each-other',
      severity: 'error',
      from: { path: '^src/hosts/worker/' },
      to: { path: '^src/hosts/node/' },
    },
    {
      name: 'wasm-only-in-the-worker-entry',
      severity: 'error',
      comment: 'other hosts cannot import .wasm; they compile it',
      from: { pathNot: '^src/hosts/worker/main\\.ts$' },
      to: { path: '\\.wasm$' },
    },
    {
      name: 'node-only-in-node-hosts',
      severity: 'error',
      comment: 'everything that a Worker bundles has to run without Node',
      from: {
        path: '^src/',
        pathNot: '^src/hosts/node/|^src/sources/(directory(-store)?|partials)\\.ts$|^src/convert/',
      },
      to: { dependencyTypes: ['core'] },
    },
    {
      name: 'no-onnx-in-the-worker',
      severity: 'error',
      comment: 'ONNX Runtime is larger than a Worker may be; hosts import it only where it was chosen',
      from: { path: '^src/hosts/worker/main\\.ts$' },
      to: { path: '^src/model/onnx/|onnxruntime', reachable: true },
    },
    {
      name: 'no-development-packages',
      severity: 'error',
      comment: 'what runs in production is in dependencies; two optional peers are the only exception',
      from: { path: '^src/', pathNot: '^src/convert/' },
      to: {
        dependencyTypes: ['npm-dev', 'npm-no-pkg', 'npm-unknown'],
        pathNot: '^node_modules/(onnxruntime-web|webgpu)/',
      },
    },
    {
      name: 'resolvable',
      severity: 'error',
      from: {},
      // Kernels exist only after a build; cloudflare: modules only in workerd.
      to: { couldNotResolve: true, pathNot: '\\.wasm$|^cloudflare:' },
    },
  ],
  options: {
    doNotFollow: { path: 'node_modules' },
    // src/hosts/node has package.json files that only set the module type.
    combinedDependencies: true,
    tsConfig: { fileName: 'tsconfig.json' },
    // Types are imports too: a layer that knows another's types depends on it.
    tsPreCompilationDeps: true,
    enhancedResolveOptions: { exportsFields: ['exports'], conditionNames: ['import', 'node', 'default'] },
  },
};
