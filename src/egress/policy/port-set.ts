/** Ports from `first` to `last`, both included. */
export interface PortSpan {
  first: number;
  last: number;
}

/** Sorted, merged spans; never empty. */
export type PortSet = readonly PortSpan[];

const PORT_MAX = 65_535;

export const EVERY_PORT: PortSet = [{ first: 1, last: PORT_MAX }];

/** Reads `443`, `8000-8010` or `*`. */
export function parsePortSpan(text: string): PortSpan | undefined {
  if (text === "*") return { first: 1, last: PORT_MAX };
  const match = /^([1-9][0-9]{0,4})(?:-([1-9][0-9]{0,4}))?$/.exec(text);
  if (match?.[1] === undefined) return undefined;
  const first = Number(match[1]);
  const last = match[2] === undefined ? first : Number(match[2]);
  return first <= last && last <= PORT_MAX ? { first, last } : undefined;
}

export function mergePorts(spans: readonly PortSpan[]): PortSet {
  const merged: PortSpan[] = [];
  for (const span of spans.toSorted((a, b) => a.first - b.first)) {
    const previous = merged.at(-1);
    if (previous !== undefined && span.first <= previous.last + 1) {
      merged[merged.length - 1] = { ...previous, last: Math.max(previous.last, span.last) };
    } else {
      merged.push(span);
    }
  }
  return merged;
}

export function hasPort(ports: PortSet, port: number): boolean {
  return ports.some((span) => span.first <= port && port <= span.last);
}

export function portsWithin(inner: PortSet, outer: PortSet): boolean {
  return inner.every((span) =>
    outer.some((other) => other.first <= span.first && span.last <= other.last),
  );
}

export function intersectPorts(
  some: readonly PortSpan[],
  others: readonly PortSpan[],
): readonly PortSpan[] {
  return some.flatMap((span) =>
    others.flatMap((other) => {
      const first = Math.max(span.first, other.first);
      const last = Math.min(span.last, other.last);
      return first <= last ? [{ first, last }] : [];
    }),
  );
}

export function subtractPorts(
  from: readonly PortSpan[],
  taken: readonly PortSpan[],
): readonly PortSpan[] {
  return taken.reduce<readonly PortSpan[]>(
    (left, { first, last }) =>
      left.flatMap((span) => [
        ...(span.first < first ? [{ ...span, last: Math.min(span.last, first - 1) }] : []),
        ...(span.last > last ? [{ ...span, first: Math.max(span.first, last + 1) }] : []),
      ]),
    from,
  );
}

export function countPorts(ports: PortSet): number {
  return ports.reduce((count, span) => count + span.last - span.first + 1, 0);
}

export function formatPorts(ports: PortSet): string {
  if (countPorts(ports) === PORT_MAX) return "*";
  return ports
    .map(({ first, last }) => (first === last ? String(first) : `${first}-${last}`))
    .join("+");
}
