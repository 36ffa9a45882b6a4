import type { FakeSandbox } from "../sandbox.ts";
import { Refusal } from "../refusal.ts";
import { listItem, type Service } from "../service.ts";

const DEFAULT_LIMIT = 100;
const MAX_LIMIT = 200;

/** One page of the sandboxes that the query asks for, newest first. */
export function listSandboxes(service: Service, query: URLSearchParams): object {
  const limit = Number(query.get("limit") ?? DEFAULT_LIMIT);
  if (!Number.isInteger(limit) || limit < 1 || limit > MAX_LIMIT) {
    throw new Refusal(["api", 400], `limit must be between 1 and ${MAX_LIMIT}`);
  }
  const wanted = service.sandboxes
    .list()
    .filter(isWanted(query))
    .toSorted((one, other) => other.createdAt - one.createdAt || compare(one.id, other.id));
  const start = startOf(wanted, query.get("cursor"));
  const items = wanted.slice(start, start + limit);
  const last = items.at(-1);
  const isMore = last !== undefined && start + limit < wanted.length;
  return {
    items: items.map((sandbox) => listItem(service, sandbox)),
    nextCursor: isMore ? encodeCursor(last) : null,
  };
}

function isWanted(query: URLSearchParams): (sandbox: FakeSandbox) => boolean {
  const labels = readLabels(query.get("labels"));
  const states = query.getAll("states").flatMap((each) => each.split(","));
  const name = query.get("name");
  const id = query.get("id");
  return (sandbox) =>
    Object.entries(labels).every(([key, value]) => sandbox.labels[key] === value) &&
    (states.length === 0 || states.includes(sandbox.state)) &&
    (name === null || sandbox.name.startsWith(name)) &&
    (id === null || sandbox.id.startsWith(id));
}

function readLabels(text: string | null): Record<string, string> {
  if (text === null) return {};
  try {
    return JSON.parse(text) as Record<string, string>;
  } catch (error) {
    if (!(error instanceof SyntaxError)) throw error;
    throw new Refusal(["api", 400], "Invalid labels JSON format");
  }
}

/** A cursor is the last sandbox of the page before; what was removed since does not move the page. */
function startOf(wanted: readonly FakeSandbox[], cursor: string | null): number {
  if (cursor === null) return 0;
  const [createdAt = "", id = ""] = Buffer.from(cursor, "base64url").toString().split("|");
  if (id === "") throw new Refusal(["api", 400], "Invalid cursor");
  const before = Number(createdAt);
  const start = wanted.findIndex(
    (each) => each.createdAt < before || (each.createdAt === before && compare(each.id, id) > 0),
  );
  return start < 0 ? wanted.length : start;
}

function encodeCursor({ createdAt, id }: FakeSandbox): string {
  return Buffer.from(`${createdAt}|${id}`).toString("base64url");
}

function compare(one: string, other: string): number {
  return one < other ? -1 : one > other ? 1 : 0;
}
