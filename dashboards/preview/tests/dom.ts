/** The browser's globals that @grafana/data looks for. Import this first. */
import { JSDOM } from 'jsdom';

const { window } = new JSDOM('', { url: 'http://localhost/' });
const { document, DOMParser, localStorage, navigator } = window;
for (const [name, value] of Object.entries({ window, document, DOMParser, localStorage, navigator })) {
  Object.defineProperty(globalThis, name, { value, configurable: true }); // Node 21 has a navigator of its own
}
