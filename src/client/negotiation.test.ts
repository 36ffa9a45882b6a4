import { describe, expect, test } from "vitest";
import { z } from "zod";
import { declareRoutes } from "../protocol/route.ts";
import { fitRequest } from "./negotiation.ts";

const { make, later } = declareRoutes({
  make: {
    method: "POST",
    path: "/v1/things",
    summary: "Makes a thing.",
    since: 0,
    body: z
      .strictObject({
        name: z.string(),
        colour: z.string().optional().meta({ "x-since": 2 }),
        hint: z.string().optional().meta({ "x-since": 2, "x-older": "omit" }),
        inner: z.strictObject({ depth: z.int().optional().meta({ "x-since": 3 }) }).optional(),
      })
      .meta({ id: "TestThing" }),
  },
  later: { method: "GET", path: "/v1/later", summary: "Came later.", since: 2 },
});

const fit = (body: object, minor: number): unknown =>
  fitRequest({ route: make, name: "make", minor }, body);
const tooOld = expect.objectContaining({ code: "DAEMON_VERSION_MISMATCH" });

describe("a request to an older daemon", () => {
  test("is left as it is when the daemon knows all of it", () => {
    const body = { name: "a", colour: "red", hint: "h", inner: { depth: 1 } };
    expect(fit(body, 3)).toEqual(body);
  });

  test("is refused here with a field that it lacks, however deep", () => {
    expect(() => fit({ name: "a", colour: "red" }, 1)).toThrow(tooOld);
    expect(() => fit({ name: "a", inner: { depth: 1 } }, 2)).toThrow(tooOld);
  });

  test("goes without a field that may be left out", () => {
    expect(fit({ name: "a", hint: "h" }, 1)).toEqual({ name: "a" });
  });

  test("may leave out what it would refuse, and say what nobody knows: the daemon judges that", () => {
    expect(fit({ name: "a", colour: undefined }, 1)).toEqual({ name: "a", colour: undefined });
    expect(fit({ name: "a", odd: 1 }, 1)).toEqual({ name: "a", odd: 1 });
  });

  test("is refused here when the operation came later", () => {
    expect(() => fitRequest({ route: later, name: "later", minor: 1 }, undefined)).toThrow(tooOld);
    expect(fitRequest({ route: later, name: "later", minor: 2 }, undefined)).toBeUndefined();
  });
});
