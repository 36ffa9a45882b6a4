import { readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { z } from "zod";
import { renderApiDocuments } from "../../scripts/api-documents.ts";
import { ApiSchemas } from "../../test/support/api-schemas.ts";
import { describeApi } from "./openapi.ts";
import { declareRoutes } from "./route.ts";
import { ROUTES } from "./routes/all.ts";
import { API_VERSION } from "./version.ts";

const schemas = new ApiSchemas(describeApi(ROUTES));

describe("the published documents", () => {
  test.each(Object.entries(renderApiDocuments(ROUTES)))("docs/%s is as generated", (name, text) => {
    expect(readFileSync(join(import.meta.dirname, "../../docs", name), "utf8")).toBe(text);
  });

  test("name every declared route once, with the minor version that brought it", () => {
    const names = schemas.operations.map(({ operationId }) => operationId).sort();
    expect(names).toEqual(Object.keys(ROUTES).sort());
    for (const { since } of Object.values(ROUTES)) {
      expect(since).toBeLessThanOrEqual(API_VERSION.minor);
    }
  });

  test("hold only schemas that a validator accepts", () => {
    for (const name of schemas.names) expect(schemas.problemsOf(name, 7)).not.toEqual([]);
  });

  test("refuse an unknown field in a request, and pass over one in an answer", () => {
    expect(schemas.problemsOf("SandboxCreate", { agent: "shell" })).toEqual([]);
    expect(schemas.problemsOf("SandboxCreate", { agent: "shell", denny: [] })).toHaveLength(1);
    const started = { terminalId: "x", later: true };
    expect(schemas.problemsOf("ProcessStarted", started)).toEqual([]);
    expect(schemas.problemsOf("ProcessStarted", { later: true })).toHaveLength(1);
  });
});

test("a route whose schema has no id cannot be published", () => {
  const routes = declareRoutes({
    nameless: {
      method: "GET",
      path: "/v1/nameless",
      summary: "Has no name.",
      since: 0,
      answer: z.object({}),
    },
  });
  expect(() => describeApi(routes)).toThrow(/no id/);
});
