import { expect, test } from "vitest";
import { FAKE_CAPABILITIES } from "../../testing/fake/provider.ts";
import { requireBases } from "./base.ts";

const { bases: _, ...WITHOUT } = FAKE_CAPABILITIES;
const BASED = { base: { directory: "/srv/root" } };

test("a template that names a base is refused by a provider that states none, with what to do", () => {
  expect(() => requireBases(BASED, { id: "far", declared: WITHOUT })).toThrow(
    expect.objectContaining({
      code: "PROVIDER_UNSUPPORTED",
      message: expect.stringContaining("far"),
      hint: expect.stringContaining("--provider"),
    }),
  );
  requireBases(BASED, { id: "near", declared: { ...WITHOUT, bases: true } });
  requireBases({ base: "host" }, { id: "far", declared: WITHOUT });
  requireBases(undefined, { id: "far", declared: WITHOUT });
});
