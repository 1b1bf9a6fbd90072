/** The Node entry. It is plain JavaScript, and CommonJS by the package.json beside it, so that an old Node runs it too. */
if (process.features.typescript) {
  import('./host/start.ts').then(({ start }) => start());
} else {
  console.error(
    `Seedling needs Node 22.18 or later, which runs TypeScript, but this is Node ${process.versions.node}; npm start brings its own.`,
  );
  process.exitCode = 1;
}
