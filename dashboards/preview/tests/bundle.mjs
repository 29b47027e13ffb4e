// Bundles the tests and formats.ts for Node into .tests/: `node tests/bundle.mjs`.
import { readdir, rm } from 'node:fs/promises';
import { build } from 'esbuild';

const here = new URL('..', import.meta.url).pathname;
const sources = (await readdir(`${here}tests`)).filter((name) => name.endsWith('.ts'));
await rm(`${here}.tests`, { recursive: true, force: true });
await build({
  absWorkingDir: here,
  entryPoints: sources.map((name) => `tests/${name}`),
  outdir: '.tests',
  outExtension: { '.js': '.mjs' },
  bundle: true,
  splitting: true,
  format: 'esm',
  platform: 'node',
  target: 'node20',
  jsx: 'automatic',
  external: ['jsdom'],
  // Some packages of @grafana/data are CommonJS and `require` Node's own modules.
  banner: { js: "import { createRequire as requireForCommonJs } from 'node:module'; const require = requireForCommonJs(import.meta.url);" },
  logLevel: 'warning',
});
