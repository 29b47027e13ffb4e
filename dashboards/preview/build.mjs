// Bundles the page into a folder: `node build.mjs [FOLDER]`, dist/ by default.
import { cp, rm } from 'node:fs/promises';
import { resolve } from 'node:path';
import { build } from 'esbuild';

const here = new URL('.', import.meta.url).pathname;
const folder = resolve(process.argv[2] ?? `${here}dist`);

await rm(folder, { recursive: true, force: true });
const result = await build({
  absWorkingDir: here,
  entryPoints: ['src/main.tsx'],
  outdir: folder,
  bundle: true,
  format: 'esm',
  splitting: true, // editors and maps of @grafana/ui stay in chunks that the page never loads
  target: 'es2022',
  minify: true,
  jsx: 'automatic',
  define: { 'process.env.NODE_ENV': '"production"', global: 'globalThis' },
  loader: { '.ttf': 'empty' }, // only the code editor has one
  metafile: true,
  logLevel: 'warning',
});
await cp(`${here}src/index.html`, `${folder}/index.html`);
// Icons and fonts are fetched from the paths that a Grafana server has.
const modules = `${here}node_modules`;
const publicPath = `${folder}/public`;
await cp(`${modules}/@grafana/ui/dist/public/img/icons`, `${publicPath}/build/img/icons`, { recursive: true });
for (const face of ['Regular', 'Medium', 'Italic', 'MediumItalic']) {
  await cp(`${modules}/inter-ui/web/Inter-${face}.woff2`, `${publicPath}/fonts/inter/Inter-${face}.woff2`);
}
const mono = 'L0xTDF4xlVMF-BfR8bXMIhJHg45mwgGEFl0_3vrtSM1J-gEPT5Ese6hmHSh0mQ.woff2'; // so @grafana/ui calls it
await cp(`${modules}/@fontsource/roboto-mono/files/roboto-mono-latin-400-normal.woff2`, `${publicPath}/fonts/roboto/${mono}`);
const bytes = Object.values(result.metafile.outputs).reduce((sum, { bytes }) => sum + bytes, 0);
console.log(`page: ${Object.keys(result.metafile.outputs).length} files, ${(bytes / 1e6).toFixed(1)} MB`);
