import { execFileSync, spawnSync } from "node:child_process";
import {
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { mkdirSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";

const ROOT = join(import.meta.dirname, "../..");
const TYPESCRIPT = join(ROOT, "node_modules/typescript/bin/tsc");

/** What somebody writes who has only the package. */
const CONSUMER = `
import {
  API_VERSION, CattlegridError, connect, createEngine, runProcess,
  type Cattlegrid, type EngineEvent, type Sandbox, type TurnEvent,
} from "cattlegrid";

const grid: Cattlegrid = await connect();
const { sandboxes } = await grid.listSandboxes({});
const names: string[] = sandboxes.map((sandbox: Sandbox) => sandbox.name);
const { api } = await grid.getVersion({});
await grid.shutDown({});
console.log(JSON.stringify({ names, minor: api.minor, same: api.minor === API_VERSION.minor }));

export async function ask(session: string): Promise<string> {
  for await (const event of grid.runTurn({ id: session, body: { prompt: "hi" } })) {
    const known: TurnEvent = event;
    if (known.type === "turn-end") return known.answer;
  }
  throw new CattlegridError("INTERNAL", "no end");
}
export async function watch(): Promise<EngineEvent["type"]> {
  for await (const { type } of grid.followEvents({ lastEventId: "x" })) return type;
  return "gap";
}
export const engine = (): Promise<Cattlegrid> => createEngine({ home: "/nowhere" });
export const run = (): Promise<number> =>
  runProcess(grid, "s", { argv: ["true"] }).then(({ exitCode }) => exitCode);
// @ts-expect-error a field that no request has
export const misspelt = (): unknown => grid.createSandbox({ body: { agnet: "shell" } });
// @ts-expect-error an operation without its id
export const nameless = (): unknown => grid.getSandbox({});
`;

/** What somebody writes who brings a sandbox provider of their own. */
const PROVIDER = `
import { createFakeProvider, describeSandboxProvider, requirement } from "cattlegrid/testing";

describeSandboxProvider("mine", {
  makeProvider: ({ stateDirectory }: { stateDirectory: string }) => createFakeProvider(),
  requirement: requirement("a service", () => process.env["SERVICE"] ? undefined : "not there"),
  capabilities: {
    isolation: ["none"], workspaceModes: ["direct", "readonly"], workspaceFiles: "shared",
    layers: true, egress: "enforced", ports: false, snapshot: false, warmPool: true,
  },
});
`;

describe("the packed package in a project of its own", () => {
  let root: string;
  let project: string;
  beforeAll(() => {
    root = mkdtempSync(join(tmpdir(), "cg-package-"));
    project = join(root, "project");
    const pack = ["pack", "--silent", "--pack-destination", root];
    execFileSync("npm", pack, { cwd: ROOT, stdio: ["ignore", "pipe", "inherit"] });
    const archive = readdirSync(root).find((name) => name.endsWith(".tgz")) ?? "";
    const installed = join(project, "node_modules/cattlegrid");
    mkdirSync(installed, { recursive: true });
    execFileSync("tar", ["-xzf", join(root, archive), "-C", installed, "--strip-components=1"]);
    // What the package depends on, and nothing else, as installing it would bring along.
    const { dependencies } = JSON.parse(
      execFileSync("tar", ["-xzOf", join(root, archive), "package/package.json"], {
        encoding: "utf8",
      }),
    ) as { dependencies: Record<string, string> };
    for (const name of Object.keys(dependencies)) {
      const target = join(project, "node_modules", name);
      mkdirSync(join(target, ".."), { recursive: true });
      symlinkSync(join(ROOT, "node_modules", name), target);
    }
    mkdirSync(join(project, "node_modules/@types"));
    symlinkSync(join(ROOT, "node_modules/@types/node"), join(project, "node_modules/@types/node"));
    writeFileSync(join(project, "package.json"), '{"type":"module","private":true}');
    writeFileSync(join(project, "use.ts"), CONSUMER);
    symlinkSync(join(ROOT, "node_modules/vitest"), join(project, "node_modules/vitest"));
    writeFileSync(join(project, "provider.test.ts"), PROVIDER);
    const example = readFileSync(join(ROOT, "examples/tested-program.test.ts"), "utf8");
    writeFileSync(join(project, "program.test.ts"), example);
    writeFileSync(
      join(project, "wrong.test.ts"),
      example.replace('toBe("Gate")', 'toBe("Wide Gate")'),
    );
  }, 180_000);
  afterAll(() => rmSync(root, { recursive: true, force: true }));

  test("gives a consumer its types, and holds it to them", () => {
    const words =
      "--noEmit --strict --module nodenext --target es2024 --lib es2024,esnext.disposable --types node";
    const check = (...more: readonly string[]) =>
      execFileSync(process.execPath, [TYPESCRIPT, ...words.split(" "), ...more], {
        cwd: project,
        stdio: "pipe",
      });
    check("use.ts");
    // What vitest's own types need is its business.
    check("--skipLibCheck", "provider.test.ts", "program.test.ts");
  }, 120_000);

  test("starts a daemon, talks to it and lets it go", () => {
    const environment = {
      PATH: process.env["PATH"],
      HOME: project,
      CATTLEGRID_HOME: join(root, "state"),
    };
    const said = execFileSync(process.execPath, ["use.ts"], {
      cwd: project,
      env: environment,
      encoding: "utf8",
    });
    expect(JSON.parse(said)).toEqual({ names: [], minor: 1, same: true });
  });

  const runTests = (files: readonly string[], environment: NodeJS.ProcessEnv = {}) =>
    spawnSync(
      process.execPath,
      [join(ROOT, "node_modules/vitest/vitest.mjs"), "run", "--no-color", ...files],
      {
        cwd: project,
        env: { PATH: process.env["PATH"], HOME: project, ...environment },
        encoding: "utf8",
      },
    );

  test("lets a program built on it be tested without a sandbox or an agent, and the test can fail", () => {
    const passed = runTests(["program.test.ts"]);
    expect(passed.stdout).toContain("1 passed");
    expect(passed.status).toBe(0);
    const failed = runTests(["wrong.test.ts"]);
    expect(failed.stderr).toContain("expected 'Gate' to be 'Wide Gate'");
    expect(failed.status).toBe(1);
  });

  test("lets a provider of somebody's own go through the suite, or say why it does not", () => {
    const ran = runTests(["provider.test.ts"], { SERVICE: "1" });
    expect(ran.stdout).toMatch(/2\d passed/);
    expect(ran.status).toBe(0);
    const skipped = runTests(["provider.test.ts", "--reporter=verbose"]);
    expect(skipped.stdout).toContain("mine [skipped: needs a service: not there]");
    expect(skipped.status).toBe(0);
  });

  test("carries its schemas under names that can be imported", () => {
    const text = execFileSync(
      process.execPath,
      [
        "--input-type=module",
        "-e",
        'import a from "cattlegrid/schemas/openapi.json" with { type: "json" }; console.log(a.openapi)',
      ],
      { cwd: project, encoding: "utf8" },
    );
    expect(text).toMatch(/^3\.1/);
  });
});
