// Draws boards to PNG: `node render.mjs < job.json`. Started by render.py, which says what a job is.
// Exit status 1 and a list on stderr when a board uses something that the page cannot draw, or a panel fails.
import { readFile, writeFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import { extname, join, normalize } from 'node:path';
import { text } from 'node:stream/consumers';
import { chromium } from 'playwright-core';
import sharp from 'sharp';

const WIDTH = 1600;
const DEADLINE_MS = 120_000;
const TYPES = {
  '.html': 'text/html',
  '.js': 'text/javascript',
  '.css': 'text/css',
  '.svg': 'image/svg+xml',
  '.json': 'application/json',
  '.woff': 'font/woff',
  '.woff2': 'font/woff2',
};

/** Serves the page and the job's boards on a free port of the loopback interface. */
async function serve({ page, boards }) {
  const server = createServer(async ({ url }, response) => {
    const path = normalize(decodeURIComponent(new URL(url, 'http://localhost').pathname));
    const board = boards.find(({ name }) => path === `/boards/${name}.json`);
    try {
      const content = await readFile(board ? board.file : join(page, path));
      response.writeHead(200, { 'content-type': TYPES[extname(path)] ?? 'application/octet-stream' }).end(content);
    } catch {
      response.writeHead(404).end();
    }
  });
  await new Promise((resolve) => server.listen(0, '127.0.0.1', resolve));
  return { url: `http://127.0.0.1:${server.address().port}`, close: () => server.close() };
}

function address(base, job, board) {
  const query = new URLSearchParams({
    board: `boards/${board.name}.json`,
    prometheus: job.prometheus,
    from: String(board.from),
    to: String(board.to),
    scrapeInterval: String(job.scrapeInterval),
    folder: board.folder,
  });
  for (const [name, values] of Object.entries(board.variables)) {
    values.forEach((value) => query.append(`var-${name}`, value));
  }
  return `${base}/index.html?${query}`;
}

async function shoot(browser, base, job, board) {
  const page = await browser.newPage({ viewport: { width: WIDTH, height: 1000 }, deviceScaleFactor: 1 });
  const problems = [];
  page.on('pageerror', (error) => problems.push(`page: ${error.stack ?? error}`));
  page.on('console', (message) => message.type() === 'error' && problems.push(`console: ${message.text()} ${message.location().url}`));
  try {
    await page.goto(address(base, job, board));
    await page.waitForFunction('window.preview?.done', undefined, { timeout: DEADLINE_MS });
    await page.waitForLoadState('networkidle', { timeout: DEADLINE_MS }); // icons
    const height = await page.evaluate('document.documentElement.scrollHeight');
    await page.setViewportSize({ width: WIDTH, height });
    const shot = await page.screenshot({ animations: 'disabled' });
    problems.push(...(await page.evaluate('window.preview.problems()')));
    // 256 colours: a quarter of the size, and the same to the eye.
    const small = await sharp(shot).png({ palette: true, effort: 10, compressionLevel: 9 }).toBuffer();
    await writeFile(board.png, small);
    return { name: board.name, width: WIDTH, height, bytes: small.length, problems };
  } finally {
    await page.close();
  }
}

const job = JSON.parse(await text(process.stdin));
const server = await serve(job);
const browser = await chromium.launch({
  executablePath: job.chromium,
  args: [
    '--no-sandbox', // the pages are our own, and containers often have no user namespaces
    ...['--disable-gpu', '--disable-quic', '--no-first-run', '--disable-background-networking'],
    ...['--disable-component-update', '--disable-sync', '--force-color-profile=srgb', '--font-render-hinting=none'],
  ],
});
const results = [];
try {
  for (const board of job.boards) {
    results.push(await shoot(browser, server.url, job, board));
  }
} finally {
  await browser.close();
  server.close();
}
console.log(JSON.stringify(results));
for (const { name, problems } of results) {
  problems.forEach((line) => console.error(`${name}: ${line}`));
}
process.exitCode = results.some(({ problems }) => problems.length) ? 1 : 0;
