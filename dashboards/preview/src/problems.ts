/**
 * What the page could not draw faithfully. The picture command fails when this list is not empty:
 * a picture that silently leaves something out would prove nothing.
 */
const problems: string[] = [];

/** Note that `what` (a panel's or the board's name) uses something that the page does not know. */
export function problem(where: string, what: string): void {
  const line = `${where}: ${what}`;
  if (!problems.includes(line)) {
    problems.push(line);
  }
}

export function allProblems(): readonly string[] {
  return problems;
}

/** Fail for every key of `value` that is not in `known`; `undefined` and `null` values do not count. */
export function onlyKnown(where: string, value: object | undefined, known: readonly string[]): void {
  for (const [key, content] of Object.entries(value ?? {})) {
    if (content !== undefined && content !== null && !known.includes(key)) {
      problem(where, `"${key}" is not supported by the preview`);
    }
  }
}
