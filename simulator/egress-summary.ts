/** What a summary needs of one line of `logs NAME --egress --json`. */
export interface EgressLine {
  kind: string;
  action: string;
  name?: string;
  address?: string;
  port?: number;
  reason: string;
  bytesIn?: number;
  bytesOut?: number;
}

interface Total {
  place: string;
  connections: number;
  bytesOut: number;
  bytesIn: number;
}

/** One line for each place that was reached, then one for each that was refused. */
export function summariseEgress(lines: readonly EgressLine[]): string[] {
  const reached = new Map<string, Total>();
  const refused = new Map<string, { reason: string; times: number }>();
  for (const line of lines) {
    const place = describePlace(line);
    if (line.action === "allow") add(reached, place, line);
    else {
      const { times } = refused.get(place) ?? { times: 0 };
      refused.set(place, { reason: line.reason, times: times + 1 });
    }
  }
  const width = Math.max(0, ...[...reached.keys(), ...refused.keys()].map(({ length }) => length));
  return [
    ...[...reached.values()]
      .filter(({ connections }) => connections > 0)
      .map((total) => `  allowed  ${total.place.padEnd(width)}  ${describeTotal(total)}`),
    ...[...refused].map(
      ([place, { reason, times }]) =>
        `  refused  ${place.padEnd(width)}  ${reason}${times > 1 ? ` (${String(times)} times)` : ""}`,
    ),
  ];
}

function describePlace({ name, address, port }: EgressLine): string {
  const host = name ?? address ?? "?";
  return port === undefined ? host : `${host}:${String(port)}`;
}

function add(totals: Map<string, Total>, place: string, line: EgressLine): void {
  const total = totals.get(place) ?? { place, connections: 0, bytesOut: 0, bytesIn: 0 };
  if (line.kind === "connect") total.connections += 1;
  total.bytesOut += line.bytesOut ?? 0;
  total.bytesIn += line.bytesIn ?? 0;
  totals.set(place, total);
}

function describeTotal({ connections, bytesOut, bytesIn }: Total): string {
  const count = `${String(connections)} connection${connections === 1 ? "" : "s"}`;
  return `${count}, ${kilobytes(bytesOut)} out, ${kilobytes(bytesIn)} in`;
}

function kilobytes(bytes: number): string {
  return `${(bytes / 1000).toFixed(1)} kB`;
}
