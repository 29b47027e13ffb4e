/** The page: reads its settings from the address, draws one board, and says when everything is drawn. */
import 'uplot/dist/uPlot.min.css';
import { createTheme, ThemeContext } from '@grafana/data';
import { GlobalStyles, PortalContainer } from '@grafana/ui';
import type { ReactNode } from 'react';
import { flushSync } from 'react-dom';
import { createRoot } from 'react-dom/client';
import { Board } from './Board';
import { loadBoard, loadVariables } from './load';
import type { Settings } from './model';
import { allProblems, problem } from './problems';
import { Prometheus } from './prometheus';

declare global {
  interface Window {
    /** Read by the picture command. */
    preview: { done: boolean; problems: () => readonly string[] };
  }
}

window.preview = { done: false, problems: allProblems };
window.addEventListener('error', ({ message }) => problem('page', message));
window.addEventListener('unhandledrejection', ({ reason }) => problem('page', String(reason)));

function readSettings(): Settings {
  const query = new URLSearchParams(location.search);
  const text = (name: string): string => {
    const value = query.get(name);
    if (!value) {
      throw new Error(`the address lacks "${name}"`);
    }
    return value;
  };
  const variables: Record<string, string[]> = {};
  for (const key of new Set(query.keys())) {
    if (key.startsWith('var-')) {
      variables[key.slice('var-'.length)] = query.getAll(key);
    }
  }
  return {
    board: text('board'),
    prometheus: text('prometheus'),
    from: Number(text('from')),
    to: Number(text('to')),
    scrapeInterval: Number(text('scrapeInterval')),
    folder: query.get('folder') ?? 'Airflow',
    variables,
  };
}

/** Columns that a reader has to scroll to are lost in a picture, and often on a screen. */
function checkTables(): void {
  for (const grid of document.querySelectorAll<HTMLElement>('[role$="grid"]')) {
    if (grid.scrollWidth > grid.clientWidth + 1) {
      const title = grid.closest('section')?.querySelector('h2')?.textContent ?? 'a table';
      problem(title, `its columns need ${grid.scrollWidth} px, the panel has ${grid.clientWidth}: widen it or set widths`);
    }
  }
}

async function finish(): Promise<void> {
  checkTables();
  await document.fonts.ready;
  window.preview.done = true;
}

async function start(): Promise<void> {
  const settings = readSettings();
  const prometheus = new Prometheus(settings.prometheus);
  const board = await loadBoard(settings);
  const variables = await loadVariables(board, prometheus, settings);
  const theme = createTheme({ colors: { mode: 'dark' } });
  const root = createRoot(document.getElementById('root')!);
  const draw = (content: ReactNode): void =>
    root.render(
      <ThemeContext.Provider value={theme}>
        <GlobalStyles />
        {content}
        <PortalContainer />
      </ThemeContext.Provider>,
    );
  flushSync(() => draw(null));
  // Charts measure their texts when they are made: the fonts that GlobalStyles names must be there before.
  await Promise.all(['400 12px Inter', '500 14px Inter', '400 12px "Roboto Mono"'].map((font) => document.fonts.load(font)));
  draw(<Board board={board} settings={settings} variables={variables} prometheus={prometheus} onDone={() => void finish()} />);
}

start().catch((error: unknown) => {
  problem('page', String(error));
  document.body.textContent = String(error);
  window.preview.done = true;
});
