import { renderTextPanelMarkdown } from '@grafana/data';
import { onlyKnown, problem } from '../problems';
import type { VizProps } from './props';

export function Markdown({ panel, where, replace, width, height }: VizProps): React.JSX.Element {
  const options = (panel.options ?? {}) as { mode?: string; content?: string };
  onlyKnown(where, options, ['mode', 'content', 'code']);
  if (options.mode !== 'markdown') {
    problem(where, `text mode "${options.mode}" is not supported by the preview`);
  }
  const html = renderTextPanelMarkdown(replace(options.content ?? ''));
  return (
    <div className="markdown-html" style={{ width, height, overflow: 'auto' }} dangerouslySetInnerHTML={{ __html: html }} />
  );
}
