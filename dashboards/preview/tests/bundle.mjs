// Bundles the tests and formats.ts for Node into a folder (with node_modules above or in it): `node tests/bundle.mjs FOLDER`.
import { readdir } from 'node:fs/promises';
import { resolve } from 'node:path';
import { build } from 'esbuild';

const here = new URL('..', import.meta.url).pathname;
const sources = (await readdir(`${here}tests`)).filter((name) => name.endsWith('.ts'));
await build({
  absWorkingDir: here,
  entryPoints: sources.map((name) => `tests/${name}`),
  outdir: resolve(process.argv[2] ?? `${here}.tests`),
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
