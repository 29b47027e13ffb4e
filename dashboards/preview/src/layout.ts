/**
 * Where each panel stands: rows, collapsed rows (drawn open: a picture must show what is in them), and
 * panels and rows that are repeated for each value of a variable.
 */
import type { GridPos, PanelJson } from './model';
import type { Scope, Variables } from './variables';

const COLUMNS = 24;

export interface Placed {
  panel: PanelJson;
  key: string;
  at: GridPos;
  scope: Scope;
}

interface Section {
  row: PanelJson | undefined;
  panels: PanelJson[];
}

function sections(panels: PanelJson[]): Section[] {
  const found: Section[] = [{ row: undefined, panels: [] }];
  const sorted = [...panels].sort((a, b) => a.gridPos.y - b.gridPos.y || a.gridPos.x - b.gridPos.x);
  for (const panel of sorted) {
    if (panel.type === 'row') {
      found.push({ row: panel, panels: [...(panel.panels ?? [])] });
    } else {
      found[found.length - 1]!.panels.push(panel);
    }
  }
  return found.filter(({ row, panels: inside }) => row || inside.length);
}

function repeatPanel(panel: PanelJson, y: number, scope: Scope, variables: Variables): Placed[] {
  const at = { ...panel.gridPos, y };
  const name = panel.repeat;
  if (!name || scope[name] !== undefined) {
    return [{ panel, key: '', at, scope }];
  }
  const values = variables.repeated(name);
  return values.map((value, index) => {
    const inner = { ...scope, [name]: value };
    if (panel.repeatDirection === 'v') {
      return { panel, key: value, at: { ...at, y: y + index * at.h }, scope: inner };
    }
    const perRow = Math.min(panel.maxPerRow ?? 4, values.length);
    const w = Math.floor(COLUMNS / perRow);
    const place = { x: (index % perRow) * w, y: y + Math.floor(index / perRow) * at.h, w, h: at.h };
    return { panel, key: value, at: place, scope: inner };
  });
}

const bottom = (placed: Placed[]): number => Math.max(...placed.map(({ at }) => at.y + at.h));

/** Panels of one section from `top` on; a repeated panel pushes down what stands under it. */
function placeSection(panels: PanelJson[], top: number, scope: Scope, variables: Variables): Placed[] {
  const first = Math.min(...panels.map(({ gridPos }) => gridPos.y));
  const pushes: Array<{ below: number; by: number }> = [];
  const sorted = [...panels].sort((a, b) => a.gridPos.y - b.gridPos.y || a.gridPos.x - b.gridPos.x);
  return sorted.flatMap((panel) => {
    const pushed = pushes.filter(({ below }) => panel.gridPos.y >= below).reduce((sum, { by }) => sum + by, 0);
    const y = top + panel.gridPos.y - first + pushed;
    const placed = repeatPanel(panel, y, scope, variables);
    if (placed.length) {
      const grown = bottom(placed) - (y + panel.gridPos.h);
      if (grown > 0) {
        pushes.push({ below: panel.gridPos.y + panel.gridPos.h, by: grown });
      }
    }
    return placed;
  });
}

/** Every panel and row header of a board with its place on Grafana's grid. */
export function place(panels: PanelJson[], variables: Variables): Placed[] {
  const all: Placed[] = [];
  let top = 0;
  for (const { row, panels: inside } of sections(panels)) {
    const repeated = row?.repeat;
    const scopes: Scope[] = repeated ? variables.repeated(repeated).map((value) => ({ [repeated]: value })) : [{}];
    for (const scope of scopes) {
      const key = Object.values(scope).join();
      if (row) {
        all.push({ panel: row, key, at: { x: 0, y: top, w: COLUMNS, h: 1 }, scope });
        top += 1;
      }
      const placed = inside.length ? placeSection(inside, top, scope, variables) : [];
      all.push(...placed.map((one) => ({ ...one, key: `${key}/${one.key}` })));
      top = placed.length ? bottom(placed) : top;
    }
  }
  return all;
}
