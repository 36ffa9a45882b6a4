import { describeApi, describeForms } from "../src/protocol/openapi.ts";
import type { Route, RouteTable } from "../src/protocol/route.ts";

const HEAD = `# Routes

<!-- Generated from src/protocol/routes by \`npm run generate\`. -->

Every operation of the API. What requests and answers hold is in [openapi.json](schemas/openapi.json) and, as JSON Schema alone,
in [cattlegrid.schema.json](schemas/cattlegrid.schema.json); a running daemon serves the first at \`/v1/openapi.json\`.
[api.md](api.md) says how to use them. "since" is the API version that brought the operation.
`;

/** What is published about the API, by the path each document has under \`docs/\`. */
export function renderApiDocuments(routes: RouteTable): Readonly<Record<string, string>> {
  return {
    "schemas/openapi.json": toText(describeApi(routes)),
    "schemas/cattlegrid.schema.json": toText(describeForms(routes)),
    "routes.md": renderRoutes(routes),
  };
}

function toText(document: object): string {
  return `${JSON.stringify(document, undefined, 2)}\n`;
}

function renderRoutes(routes: RouteTable): string {
  const rows = Object.entries(routes).map(([name, route]) => {
    const { method, path, summary, since } = route;
    return `| \`${method} ${path}\` | ${name} | ${since > 0 ? `1.${since}` : "1.0"} | ${summary} ${describeAnswer(route)} |`;
  });
  const table = [
    "| operation | name | since | what it does |",
    "| --- | --- | --- | --- |",
    ...rows,
  ];
  return [HEAD, ...table, ""].join("\n");
}

function describeAnswer({ answer, events, lines, download, upgrade }: Route): string {
  if (upgrade !== undefined) return upgrade === "tcp" ? "bytes both ways." : "WebSocket.";
  const forms = [
    ...(answer === undefined ? [] : [`\`${String(answer.meta()?.id)}\``]),
    ...(events === undefined ? [] : [`events of \`${String(events.meta()?.id)}\``]),
    ...(lines === undefined ? [] : [`lines of \`${String(lines.meta()?.id)}\``]),
    ...(download === undefined ? [] : [`bytes of ${download}`]),
  ];
  return forms.length === 0 ? "" : `→ ${forms.join(", or ")}`;
}
