import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { DaytonaLine } from "../support/daytona-line.ts";
import { DAYTONA_NEEDS } from "../support/fake-daytona.ts";
import { KIRO_NEEDS } from "../support/kiro-needs.ts";
import { allOf } from "../support/requirement.ts";

const NEEDS = allOf(KIRO_NEEDS, DAYTONA_NEEDS);
/** A base is the provider's own, and no layer is needed for any of this. */
const GOLDEN = {
  version: 1,
  agent: "kiro",
  agents: { kiro: { trust: "builtin", prompt: "Answer in one sentence." } },
  parameters: { level: { type: "choice", choices: ["low", "high"], default: "low" } },
  environment: { LEVEL: "${parameters.level}" },
  files: [{ path: "notes/hello.txt", content: "hello\n" }],
  steering: [{ name: "team.md", content: "# How we work\n" }],
  mcpServers: { clock: { command: "clock-server", args: ["--utc"] } },
  setup: [
    { name: "first", run: 'echo "first in $PWD" >>steps' },
    { name: "second", run: 'echo "second at $PARAM_LEVEL" >>steps' },
  ],
  policy: { preset: "open" },
  limits: { cpus: 2, required: false },
  lifetime: { maxAge: "2h" },
  workspace: { modes: ["overlay"] },
};

describe.skipIf(!NEEDS.met)(NEEDS.title("a template at Daytona, simulated"), () => {
  let line: DaytonaLine;
  beforeAll(async () => {
    line = await DaytonaLine.open();
  });
  afterAll(() => line?.close());

  const write = (name: string, said: object): void => {
    const directory = join(line.yard.root, "state", "templates", name);
    mkdirSync(directory, { recursive: true });
    writeFileSync(join(directory, "cattlegrid.template.yaml"), JSON.stringify(said));
  };
  const make = (name: string, ...words: readonly string[]) =>
    line.yard.run(["create", "--provider", "daytona", "--template", name, ...words]);

  test("its parameters, environment, files, steering, servers, trust and life time hold, and its setup is done once", async () => {
    write("golden", GOLDEN);
    expect(await make("golden", "--param", "level=high", "--name", "box")).toMatchObject({
      exitCode: 0,
    });
    const started = await line.yard.run(["start", "box"]);
    expect(started).toMatchObject({ exitCode: 0 });
    expect(started.text).toMatch(/Setting up template golden[^]*Step 2 of 2: second[^]*Set up/);
    const script =
      "cat ~/steps ~/notes/hello.txt ~/.kiro/steering/team.md; echo $LEVEL; cat ~/.kiro/agents/*";
    const inside = await line.yard.inside("box", script);
    expect(inside).toContain("first in /home/agent\nsecond at high\nhello\n# How we work\nhigh\n");
    expect(inside).toContain("file:///home/agent/.kiro/steering");
    expect(inside).toContain('"clock-server"');
    expect(inside).toContain("Answer in one sentence.");
    const [sandbox] = await line.yard.sandboxes();
    expect(sandbox).toMatchObject({ lifetime: { maxAgeMs: 7_200_000 }, limits: {} });
    await line.yard.run(["stop", "box"]);
    const again = await line.yard.run(["start", "box"]);
    expect([again.exitCode, again.text]).toEqual([0, expect.not.stringContaining("Setting up")]);
    expect(await line.yard.inside("box", "cat ~/steps; pgrep -c sh >&2")).toBe(
      "first in /home/agent\nsecond at high\n",
    );
    await line.yard.run(["rm", "--force", "box"]);
  });

  test("a step that fails is told with its output and log, and leaves nothing that is in the way of the next start", async () => {
    const setup = [
      { name: "half", run: "mkdir half-done" },
      { name: "fail", run: "echo no luck; exit 3" },
    ];
    write("broken", { ...GOLDEN, agent: "shell", agents: {}, steering: [], mcpServers: {}, setup });
    await make("broken", "--name", "half");
    const failed = await line.yard.run(["start", "half"]);
    expect([failed.exitCode, failed.text]).toEqual([
      125,
      expect.stringMatching(
        /Step "fail" ended with status 3[^]*TEMPLATE_BUILD_FAILED[^]*The log is/,
      ),
    ]);
    expect(line.daytona.sandboxes.list()).toEqual([]);
    expect((await line.yard.run(["start", "half"])).text).toContain('Step "fail" ended');
    await line.yard.run(["rm", "--force", "half"]);
  });

  test.each<[string, object, RegExp]>([
    [
      "a base of its own",
      { base: { image: "debian:12", digest: `sha256:${"0".repeat(64)}` } },
      /Template refused has a base of its own \(image\)[^]*PROVIDER_UNSUPPORTED/,
    ],
    [
      "a policy of names",
      { policy: { preset: "agent" } },
      /The egress policy judges by name[^]*PROVIDER_UNSUPPORTED/,
    ],
    [
      "a mode that a service cannot have",
      { workspace: { modes: ["direct"] } },
      /workspace mode direct is not available[^]*WORKSPACE_MODE_UNAVAILABLE/,
    ],
    [
      "limits that it requires",
      { limits: { cpus: 2 } },
      /cannot enforce a limit on cpus[^]*LIMITS_UNAVAILABLE/,
    ],
  ])("%s is refused by that name before anything is made", async (_what, said, words) => {
    write("refused", { ...GOLDEN, ...said });
    const { exitCode, text } = await make("refused", "--name", "never");
    expect([exitCode, text]).toEqual([125, expect.stringMatching(words)]);
    expect([await line.yard.sandboxes(), line.daytona.sandboxes.list()]).toEqual([[], []]);
  });
});
