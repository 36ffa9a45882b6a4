/**
 * What `doctor` shows to be done about a failure: the command that its hint has between backquotes, else the hint. Undefined
 * where that is to run `doctor`, or nothing.
 */
export function remedyOf(hint: string): string | undefined {
  const command = /`([^`]+)`/.exec(hint)?.[1];
  const remedy = command ?? hint;
  return remedy === "" || remedy === "cattlegrid doctor" ? undefined : remedy;
}
