import { css } from '@emotion/css';
import { useStyles2 } from '@grafana/ui';
import type { VizProps } from './props';

/** Grafana's message in a panel without data: the "No value" text of the field options, else "No data". */
export function NoData({ fieldConfig, width, height }: VizProps): React.JSX.Element {
  const style = useStyles2((theme) =>
    css({
      display: 'flex',
      alignItems: 'center',
      justifyContent: 'center',
      textAlign: 'center',
      padding: theme.spacing(2),
      color: theme.colors.text.secondary,
      fontSize: theme.typography.size.lg,
    }),
  );
  return (
    <div className={style} style={{ width, height }}>
      {fieldConfig.defaults.noValue ?? 'No data'}
    </div>
  );
}
