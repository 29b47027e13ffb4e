import { applyNullInsertThreshold, type DataFrame, FieldType, nullToValue, type TimeRange } from '@grafana/data';

/** Frames with a time and a number field; missing points, NaN and infinity are gaps. */
export function graphable(frames: DataFrame[], range: TimeRange): DataFrame[] {
  return frames
    .filter(
      ({ fields }) => fields.some(({ type }) => type === FieldType.time) && fields.some(({ type }) => type === FieldType.number),
    )
    .map((frame) => {
      const [refFieldPseudoMin, refFieldPseudoMax] = [range.from.valueOf(), range.to.valueOf()];
      return nullToValue(applyNullInsertThreshold({ frame, refFieldPseudoMin, refFieldPseudoMax }));
    })
    .map((frame) => ({
      ...frame,
      fields: frame.fields
        .filter(({ type }) => type === FieldType.time || type === FieldType.number)
        .map((field) =>
          field.type === FieldType.number
            ? { ...field, values: field.values.map((value: number | null) => (Number.isFinite(value) ? value : null)) }
            : field,
        ),
    }));
}
