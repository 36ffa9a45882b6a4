/**
 * Reads a stream of server-sent events, of which each one's data is a JSON document. Comments, which keep an idle
 * connection alive, and fields other than `data` are passed over.
 */
export class EventStreamReader {
  readonly #decoder = new TextDecoder("utf-8");
  #rest = "";
  #data: string[] = [];

  /** The data of each event that `bytes` completes. */
  push(bytes: Uint8Array): string[] {
    this.#rest += this.#decoder.decode(bytes, { stream: true });
    const lines = this.#rest.split("\n");
    this.#rest = lines.pop() ?? "";
    return lines.flatMap((line) => this.#readLine(line.endsWith("\r") ? line.slice(0, -1) : line));
  }

  #readLine(line: string): string[] {
    if (line === "") {
      const data = this.#data;
      this.#data = [];
      return data.length === 0 ? [] : [data.join("\n")];
    }
    if (line.startsWith("data:")) this.#data.push(line.slice(line[5] === " " ? 6 : 5));
    return [];
  }
}
