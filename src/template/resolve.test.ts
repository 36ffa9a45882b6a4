import fc from "fast-check";
import { describe, expect, test } from "vitest";
import type { ResolvedTemplate } from "../protocol/template.ts";
import type { TemplateContent } from "./content.ts";
import { fillText, findReferences, type ParameterValues } from "./interpolation.ts";
import { resolveTemplate } from "./resolve.ts";

const code = (expected: string): unknown => expect.objectContaining({ code: expected });

function resolve(content: TemplateContent, values: ParameterValues = {}): ResolvedTemplate {
  const loaded = {
    name: "team",
    origin: "user" as const,
    paths: ["/t"],
    digest: "sha256:0",
    content,
  };
  return resolveTemplate(loaded, { values, agent: "a" });
}

describe("the value of a parameter", () => {
  test("stands where the template puts it, and a doubled sign keeps it out", () => {
    const content: TemplateContent = {
      environment: { T: "is ${parameters.t}" },
      files: [{ path: ".config/${parameters.t}", content: "$${parameters.t} = ${parameters.t}" }],
      mcpServers: { s: { command: "x", args: ["--team=${parameters.t}"] } },
      repositories: [{ url: "https://x.example/${parameters.t}", path: "src" }],
      limits: { cpus: "${parameters.n}", memory: "${parameters.n}g" },
      lifetime: { maxAge: "${parameters.n}h" },
      workspace: { modes: ["${parameters.m}", "readonly"] },
    };
    expect(resolve(content, { t: "blue", n: 2, m: "overlay" })).toMatchObject({
      environment: { T: "is blue" },
      files: [{ path: ".config/blue", content: "${parameters.t} = blue", mode: 0o644 }],
      mcpServers: { s: { args: ["--team=blue"] } },
      repositories: [{ url: "https://x.example/blue" }],
      limits: { cpus: 2, memoryBytes: 2 * 1024 ** 3 },
      lifetime: { maxAgeMs: 7_200_000 },
      modes: ["overlay", "readonly"],
    });
  });

  test("makes a workspace's mode one that there is, or none", () => {
    const content: TemplateContent = { workspace: { modes: ["${parameters.m}"] } };
    expect(resolve(content, { m: "readonly" }).modes).toEqual(["readonly"]);
    for (const m of ["", "Direct", "overlay,direct"]) {
      expect(() => resolve(content, { m })).toThrow(code("PARAMETER_INVALID") as Error);
    }
  });

  test("is a variable of the setup steps that mention it, and never a part of their text", () => {
    const { setup } = resolve(
      { setup: [{ run: 'echo "$PARAM_T"' }, { run: "true" }, { run: "echo $PARAM_TT" }] },
      { t: "$(reboot)" },
    );
    expect(setup.map(({ run }) => run)).toEqual(['echo "$PARAM_T"', "true", "echo $PARAM_TT"]);
    expect(setup.map(({ environment }) => environment)).toEqual([{ PARAM_T: "$(reboot)" }, {}, {}]);
  });

  test("decides which parts count", () => {
    const content: TemplateContent = {
      setup: [
        { run: "1", when: { java: true } },
        { run: "2", when: { java: false } },
      ],
      mcpServers: { s: { command: "x", when: { java: true } } },
      steering: [{ name: "j.md", content: "Java", when: { java: true } }],
    };
    const without = resolve(content, { java: false });
    expect([without.setup.length, without.mcpServers, without.steering]).toEqual([1, {}, []]);
    expect(resolve(content, { java: true })).toMatchObject({
      setup: [{ run: "1" }],
      mcpServers: { s: { command: "x" } },
      steering: [{ name: "j.md" }],
    });
  });

  test("leads no path out of the home directory", () => {
    const content: TemplateContent = { files: [{ path: "a/${parameters.t}", content: "" }] };
    for (const t of ["../../x", "..", "\0"]) {
      expect(() => resolve(content, { t })).toThrow(code("PARAMETER_INVALID") as Error);
    }
    expect(resolve(content, { t: "b" }).files).toMatchObject([{ path: "a/b" }]);
  });

  test("makes no limit that makes no sense", () => {
    const content: TemplateContent = { limits: { memory: "${parameters.t}" } };
    for (const t of ["lots", "", "1k", "-1g"]) {
      expect(() => resolve(content, { t })).toThrow(code("PARAMETER_INVALID") as Error);
    }
  });
});

test("values are put in once: what one holds is no reference to another", () => {
  fc.assert(
    fc.property(fc.string(), fc.string(), (before, value) => {
      const text = `${before.replaceAll("$", "")}\${parameters.a}`;
      expect(fillText(text, { a: value, b: "never" })).toBe(
        `${before.replaceAll("$", "")}${value}`,
      );
    }),
  );
  expect(fillText("${parameters.a}", { a: "${parameters.b}", b: "x" })).toBe("${parameters.b}");
  expect(findReferences("$${parameters.a} ${parameters.b}")).toEqual(["b"]);
});
