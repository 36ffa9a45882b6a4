/** One line of an agent's output, whose fields are read with care: another version may write others. */
export type JsonRecord = Readonly<Record<string, unknown>>;

export interface JsonLines {
  /** The records that these bytes complete. Lines that are no JSON object are passed over. */
  push(bytes: Uint8Array): readonly JsonRecord[];
}

const LINE_CHARACTERS_MAX = 16 * 1024 * 1024;

/** SECURITY: an agent may write a line without an end; what is over the limit of it is dropped, not kept. */
export function createJsonLines(): JsonLines {
  const decoder = new TextDecoder();
  let rest = "";
  return {
    push(bytes) {
      const lines = (rest + decoder.decode(bytes, { stream: true })).split("\n");
      rest = (lines.pop() ?? "").slice(0, LINE_CHARACTERS_MAX);
      return lines.flatMap(parseRecord);
    },
  };
}

/** All records of a finished output, its last line included whether or not it has an end. */
export function readJsonLines(bytes: Uint8Array): readonly JsonRecord[] {
  return Buffer.from(bytes).toString("utf8").split("\n").flatMap(parseRecord);
}

function parseRecord(line: string): JsonRecord[] {
  if (!line.trimStart().startsWith("{")) return [];
  try {
    return [JSON.parse(line) as JsonRecord];
  } catch (error) {
    if (error instanceof SyntaxError) return [];
    throw error;
  }
}

/** The object at `path`, empty when there is none. */
export function recordAt(record: JsonRecord, ...path: readonly string[]): JsonRecord {
  return path.reduce<JsonRecord>((found, name) => asRecord(found[name]), record);
}

export function asRecord(value: unknown): JsonRecord {
  return typeof value === "object" && value !== null ? (value as JsonRecord) : {};
}

export function recordsIn(value: unknown): readonly JsonRecord[] {
  return Array.isArray(value) ? value.map(asRecord) : [];
}

export function textOf(value: unknown): string {
  return typeof value === "string" ? value : "";
}
