/** One server-sent event; `data` a string goes out as it is. */
export interface ServerEvent {
  event?: string;
  data: object | string;
}

export function renderEvents(events: readonly ServerEvent[]): string {
  return events
    .map(({ event, data }) => {
      const name = event === undefined ? "" : `event: ${event}\n`;
      return `${name}data: ${typeof data === "string" ? data : JSON.stringify(data)}\n\n`;
    })
    .join("");
}
