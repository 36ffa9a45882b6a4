import { z } from "zod";
import { problemSchema } from "./problem.ts";
import type { Route, RouteTable } from "./route.ts";
import { API_VERSION } from "./version.ts";

type Json = Record<string, unknown>;

const SCHEMA_PLACE = "#/components/schemas/";
const SINCE = "x-since";
const BECOMES = {
  websocket: "The connection is a WebSocket from here on.",
  tcp: "The connection carries plain bytes both ways from here on.",
} as const;

/** The OpenAPI 3.1 document of these routes. Pure; the same routes give the same document. */
export function describeApi(routes: RouteTable): Json {
  const paths: Record<string, Json> = {};
  for (const [name, route] of Object.entries(routes)) {
    const operations = (paths[route.path] ??= {});
    operations[route.method.toLowerCase()] = describeOperation(name, route);
  }
  return {
    openapi: "3.1.1",
    info: {
      title: "Cattlegrid",
      version: `${API_VERSION.major}.${API_VERSION.minor}`,
      description:
        "Requests with fields that are not named here are refused. Answers and events may have more fields, and " +
        "events more types, than are named here: pass over what you do not know.",
      license: { name: "Apache-2.0", identifier: "Apache-2.0" },
    },
    paths,
    components: { schemas: describeSchemas(routes, (id) => `${SCHEMA_PLACE}${id}`) },
  };
}

/** The same schemas as one JSON Schema document (draft 2020-12). */
export function describeForms(routes: RouteTable): Json {
  return {
    $schema: "https://json-schema.org/draft/2020-12/schema",
    title: "What travels between Cattlegrid and its clients",
    $defs: describeSchemas(routes, (id) => `#/$defs/${id}`),
  };
}

function describeOperation(operationId: string, route: Route): Json {
  const { summary, since, body, upload } = route;
  const parameters = [...describePath(route.path), ...describeQuery(route.query)];
  const content = {
    ...(body === undefined ? {} : { "application/json": { schema: refer(body) } }),
    ...(upload === undefined ? {} : { [upload]: {} }),
  };
  return {
    operationId,
    summary,
    [SINCE]: since,
    ...(parameters.length === 0 ? {} : { parameters }),
    ...(Object.keys(content).length === 0 ? {} : { requestBody: { content } }),
    responses: describeAnswers(route),
  };
}

function describeAnswers(route: Route): Json {
  const { answer, events, lines, download, status = 200, also, upgrade } = route;
  const content = {
    ...(answer === undefined ? {} : { "application/json": { schema: refer(answer) } }),
    ...(events === undefined || upgrade !== undefined
      ? {}
      : { "text/event-stream": { schema: refer(events) } }),
    ...(lines === undefined ? {} : { "application/jsonl": { schema: refer(lines) } }),
    ...(download === undefined ? {} : { [download]: {} }),
  };
  const success = {
    description: upgrade === undefined ? "Done." : BECOMES[upgrade],
    ...(Object.keys(content).length === 0 ? {} : { content }),
  };
  const problem = {
    description: "Refused or failed; `code` says why.",
    content: { "application/problem+json": { schema: refer(problemSchema) } },
  };
  const statuses = upgrade !== undefined ? [101] : also === undefined ? [status] : [also, status];
  return { ...Object.fromEntries(statuses.map((code) => [code, success])), default: problem };
}

function describePath(path: string): Json[] {
  return [...path.matchAll(/\{(\w+)\}/g)].map(([, name]) => ({
    name,
    in: "path",
    required: true,
    schema: { type: "string" },
  }));
}

function describeQuery(query: z.ZodObject | undefined): Json[] {
  if (query === undefined) return [];
  return Object.entries(query.shape).map(([name, schema]) => ({
    name,
    in: "query",
    required: !z.safeParse(schema, undefined).success,
    schema: strip(z.toJSONSchema(schema, { io: "input" })),
  }));
}

function refer(schema: z.ZodType): Json {
  return { $ref: `${SCHEMA_PLACE}${idOf(schema)}` };
}

/** Throws for a schema without an id: it would be described where it is used, and have no name in a client. */
function idOf(schema: z.ZodType): string {
  return z.string().parse(schema.meta()?.id, { error: () => "a route's schema has no id" });
}

function describeSchemas(routes: RouteTable, place: (id: string) => string): Json {
  const wanted = new Set<string>([idOf(problemSchema)]);
  for (const { body, answer, events, lines } of Object.values(routes)) {
    for (const schema of [body, answer, events, lines]) if (schema) wanted.add(idOf(schema));
  }
  const { schemas } = z.toJSONSchema(z.globalRegistry, {
    io: "input",
    uri: place,
    unrepresentable: "any",
  });
  const reached = reach(schemas as Record<string, Json>, wanted);
  return Object.fromEntries(reached.map((id) => [id, strip(schemas[id] as Json)]));
}

/** Those wanted and what they refer to, by name. Others may have named schemas for purposes of their own. */
function reach(schemas: Record<string, Json>, wanted: ReadonlySet<string>): string[] {
  const found = new Set<string>();
  const pending = [...wanted];
  for (let id = pending.pop(); id !== undefined; id = pending.pop()) {
    if (found.has(id)) continue;
    found.add(id);
    const text = JSON.stringify(schemas[id]);
    pending.push(...[...text.matchAll(/"\$ref":"[^"]*\/(\w+)"/g)].map(([, name]) => name ?? ""));
  }
  return [...found].sort();
}

/** Without what says nothing inside a document: that answers are read only, and where a schema would lie alone. */
function strip(schema: Json): Json {
  const text = JSON.stringify(schema, (key, value: unknown) =>
    key === "readOnly" ||
    key === "$schema" ||
    key === "$id" ||
    (key === "id" && typeof value === "string")
      ? undefined
      : value,
  );
  return JSON.parse(text) as Json;
}
