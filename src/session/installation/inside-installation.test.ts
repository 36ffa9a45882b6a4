import { beforeEach, describe, expect, test } from "vitest";
import type { AgentAdapter } from "../../agent/agent.ts";
import type { StartEvent } from "../../protocol/start-event.ts";
import type { RunningSandbox } from "../../sandbox/provider.ts";
import type { FakeProgram } from "../../testing/fake/program.ts";
import { createFakeProvider } from "../../testing/fake/provider.ts";
import { installInside } from "./inside-installation.ts";

const INSTALLED = "/home/agent/version";
const NEVER = new AbortController().signal;

/** Prints the version that is installed, if one is. */
const tool: FakeProgram = ({ files, output }) => {
  const version = files.read(INSTALLED);
  if (version !== undefined) output.write(`tool ${String(version)}\n`);
  return version === undefined ? 1 : 0;
};

const agent = {
  id: "tool",
  title: "Tool",
  install: {
    script: "install it",
    check: ["tool", "--version"],
    readVersion: ({ stdout }: { stdout: string }) => /tool (\S+)/.exec(stdout)?.[1],
    needs: [],
    hosts: [],
    settings: [["tool", "quiet"]],
    diskBytes: 0,
  },
} as Partial<AgentAdapter> as AgentAdapter;

describe("an agent in a sandbox whose home stands on no layer", () => {
  let installs: number;
  let brought: string;
  let sandbox: RunningSandbox;
  let events: StartEvent[];
  const install = (agentVersion?: string): Promise<void> =>
    installInside(agent, sandbox, { agentVersion, signal: NEVER, report: (e) => events.push(e) });

  beforeEach(async () => {
    [installs, brought, events] = [0, "2.0", []];
    const bash: FakeProgram = ({ files }) => {
      installs += 1;
      files.write(INSTALLED, brought);
      return 0;
    };
    const provider = createFakeProvider({
      programs: { tool, bash, sh: () => 0 },
      capabilities: { layers: false },
    });
    const specification = {
      id: "one",
      name: "one",
      protectedPaths: [],
      homeLayers: [],
      toolchains: [],
      environment: {},
      certificates: [],
      limits: {},
    };
    const onCapture = ({
      tcp,
      udp,
    }: {
      tcp: { close(): void };
      udp: readonly { close(): void }[];
    }) => {
      tcp.close();
      for (const socket of udp) socket.close();
    };
    sandbox = await provider.start(specification, { onCapture }, NEVER);
  });

  test("is installed at the first start, and found at the next", async () => {
    await install();
    expect(events.map(({ type }) => type)).toEqual(["install-start", "install-end"]);
    await install();
    expect(installs).toBe(1);
  });

  test("is installed anew where a snapshot brought another version than the one that is wanted", async () => {
    await install();
    brought = "3.0";
    await install("3.0");
    expect(installs).toBe(2);
  });

  test("is an error when the installed program is not the version that is wanted", async () => {
    await expect(install("9.9")).rejects.toMatchObject({ code: "AGENT_INSTALL_FAILED" });
  });
});
