/** JSON in which the same data has the same text, whatever the order its fields were set in. */
export function toCanonicalJson(data: unknown): string {
  return JSON.stringify(data, (_name, value: unknown) => {
    if (typeof value !== "object" || value === null || Array.isArray(value)) return value;
    return Object.fromEntries(
      Object.entries(value).toSorted(([left], [right]) => (left < right ? -1 : 1)),
    );
  });
}
