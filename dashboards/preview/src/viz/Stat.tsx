import { type FieldDisplay, getDisplayValueAlignmentFactors, getFieldDisplayValues, VizOrientation } from '@grafana/data';
import type { DisplayValueAlignmentFactors } from '@grafana/data';
import { BarGauge, BigValue, VizRepeater } from '@grafana/ui';
import {
  type BarGaugeDisplayMode,
  type BarGaugeNamePlacement,
  BarGaugeSizing,
  type BarGaugeValueMode,
  type BigValueColorMode,
  BigValueGraphMode,
  type BigValueJustifyMode,
  type BigValueTextMode,
  type ReduceDataOptions,
} from '@grafana/schema';
import { defaultOptions as barDefaults } from '@grafana/schema/dist/esm/raw/composable/bargauge/panelcfg/x/BarGaugePanelCfg_types.gen';
import { defaultOptions as statDefaults } from '@grafana/schema/dist/esm/raw/composable/stat/panelcfg/x/StatPanelCfg_types.gen';
import { onlyKnown, problem } from '../problems';
import type { VizProps } from './props';

interface Reduced {
  reduceOptions?: ReduceDataOptions;
  orientation?: VizOrientation;
  text?: { titleSize?: number; valueSize?: number };
}

interface StatOptions extends Reduced {
  colorMode?: BigValueColorMode;
  graphMode: BigValueGraphMode;
  justifyMode?: BigValueJustifyMode;
  textMode?: BigValueTextMode;
  wideLayout?: boolean;
  showPercentChange?: boolean;
}

interface BarGaugeOptions extends Reduced {
  displayMode: BarGaugeDisplayMode;
  valueMode?: BarGaugeValueMode;
  namePlacement?: BarGaugeNamePlacement;
  showUnfilled?: boolean;
  sizing?: BarGaugeSizing;
  minVizWidth?: number;
  minVizHeight?: number;
  maxVizHeight?: number;
}

function values(props: VizProps, options: Reduced, sparkline: boolean): FieldDisplay[] {
  const { frames, fieldConfig, theme, timeZone, replace } = props;
  const reduce = options.reduceOptions;
  return getFieldDisplayValues({
    data: frames,
    fieldConfig,
    reduceOptions: { ...reduce, calcs: reduce?.calcs ?? ['lastNotNull'] },
    replaceVariables: replace,
    sparkline,
    theme,
    timeZone,
  });
}

const REDUCED = ['reduceOptions', 'orientation', 'text'];

export function Stat(props: VizProps): React.JSX.Element {
  const { width, height, theme, frames, panel, where } = props;
  const options = { ...statDefaults, ...panel.options } as StatOptions;
  onlyKnown(where, options, [
    ...REDUCED,
    ...['colorMode', 'graphMode', 'justifyMode', 'textMode', 'wideLayout', 'showPercentChange', 'percentChangeColorMode'],
  ]);
  if (options.showPercentChange) {
    problem(where, 'a change in percent is not supported by the preview');
  }
  const graph = options.graphMode;
  return (
    <VizRepeater<FieldDisplay, DisplayValueAlignmentFactors>
      getValues={() => values(props, options, graph !== BigValueGraphMode.None)}
      getAlignmentFactors={getDisplayValueAlignmentFactors}
      renderValue={({ value, alignmentFactors, width: w, height: h, count }) => (
        <BigValue
          value={value.display}
          count={count}
          sparkline={value.sparkline}
          colorMode={options.colorMode as never}
          graphMode={graph as never}
          justifyMode={options.justifyMode as never}
          textMode={options.textMode as never}
          alignmentFactors={alignmentFactors}
          text={options.text}
          width={w}
          height={h}
          theme={theme}
        />
      )}
      width={width}
      height={height}
      source={frames}
      itemSpacing={3}
      renderCounter={0}
      autoGrid
      orientation={options.orientation ?? VizOrientation.Auto}
    />
  );
}

export function Bars(props: VizProps): React.JSX.Element {
  const { width, height, theme, frames, panel, where } = props;
  const options = { ...barDefaults, ...panel.options } as BarGaugeOptions;
  onlyKnown(where, options, [
    ...REDUCED,
    ...['displayMode', 'valueMode', 'namePlacement', 'showUnfilled', 'sizing', 'legend'],
    ...['minVizWidth', 'minVizHeight', 'maxVizHeight'],
  ]);
  const orientation = options.orientation ?? VizOrientation.Auto;
  const sizes = options.sizing === BarGaugeSizing.Manual ? options : barDefaults;
  return (
    <VizRepeater<FieldDisplay, DisplayValueAlignmentFactors>
      getValues={() => values(props, options, false)}
      getAlignmentFactors={getDisplayValueAlignmentFactors}
      renderValue={({ value, alignmentFactors, orientation: direction, width: w, height: h, count }) => (
        <BarGauge
          value={value.display}
          width={w}
          height={h}
          orientation={direction}
          field={value.field}
          text={options.text}
          display={value.view?.getFieldDisplayProcessor(value.colIndex ?? 0)}
          theme={theme}
          itemSpacing={8}
          displayMode={options.displayMode}
          alignmentFactors={count > 1 ? alignmentFactors : undefined}
          showUnfilled={options.showUnfilled}
          valueDisplayMode={options.valueMode}
          namePlacement={options.namePlacement}
        />
      )}
      width={width}
      height={height}
      source={frames}
      itemSpacing={10}
      renderCounter={0}
      orientation={orientation}
      minVizWidth={sizes.minVizWidth}
      minVizHeight={sizes.minVizHeight}
      maxVizHeight={sizes.maxVizHeight}
    />
  );
}
