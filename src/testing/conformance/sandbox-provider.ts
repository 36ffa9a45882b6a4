import { describe, expect, test } from "vitest";
import type { PresentCapabilities, SandboxCapabilities } from "../../sandbox/provider.ts";
import { requirement, type Requirement } from "../requirement.ts";
import { describeCapture } from "./capture.ts";
import { describeIsolation } from "./isolation.ts";
import { describeLayers, describeLife } from "./life.ts";
import { describeClone, describeOverlay } from "./own-copies.ts";
import { describePorts } from "./ports.ts";
import { describeProcesses } from "./processes.ts";
import {
  NEVER,
  SandboxYard,
  type Difference,
  type Kernel,
  type MakeProvider,
  type Subject,
} from "./sandbox-yard.ts";
import { describeTakingOver } from "./taking-over.ts";
import { describeToolchain } from "./toolchain.ts";
import { describeUnixProcesses } from "./unix-processes.ts";
import { describeWorkspace } from "./workspace.ts";

export interface ProviderUnderTest {
  /** Makes one with directories of its own. Called several times. */
  makeProvider: MakeProvider;
  /** What the backend needs of the machine; unmet, every test is skipped and says why. */
  requirement: Requirement;
  /** What the provider has to state; `limits` may be left out where they depend on the machine. */
  capabilities: Omit<PresentCapabilities, "limits"> & Partial<Pick<SandboxCapabilities, "limits">>;
  /** Whose kernel answers the programs inside: the host's, or one of the sandbox's own. Default: the host's. */
  kernel?: Kernel;
  /** The home directory inside. Default: `/home/agent`. */
  home?: string;
  /** In what it is allowed to differ; the tests of that are skipped and say so. Default: in nothing. */
  differences?: readonly Difference[];
}

/**
 * What every sandbox provider has to do, tested against the real backend. Of what it does not state it is excused, and
 * each section says so.
 */
export function describeSandboxProvider(name: string, provider: ProviderUnderTest): void {
  const { makeProvider, capabilities, kernel = "host", differences = [] } = provider;
  const { isolation, egress, ports, limits, workspaceModes, workspaceFiles, layers, warmPool } =
    capabilities;
  const stated = (what: string, isStated: boolean): Requirement =>
    requirement(what, () => (isStated ? undefined : "this provider states none"));
  const subject: Subject = {
    makeProvider,
    kernel,
    home: provider.home ?? "/home/agent",
    mode: workspaceModes[0] ?? "direct",
    limits: stated("limits", limits === undefined || limits.includes("pids")),
    differences,
  };
  const section = (needed: Requirement, describeSection: (subject: Subject) => void): void => {
    if (needed.met) describeSection(subject);
    else test.skip(needed.title(`what needs ${needed.name}`), () => undefined);
  };
  const isRemote = isolation[0] === "remote";
  const isShared = workspaceFiles === "shared";
  const isolates = stated("isolation", !isolation.includes("none"));

  describe.skipIf(!provider.requirement.met)(provider.requirement.title(name), () => {
    test("it states what it can do here, which is no more than it declares", async () => {
      const yard = new SandboxYard(makeProvider);
      const present = await yard.provider.capabilities(NEVER);
      expect(present).toMatchObject(capabilities);
      expectWithin(present, yard.provider.declared);
      await yard.close();
    });
    describeProcesses(subject);
    describeLife(subject);
    section(stated("layers", layers), describeLayers);
    section(stated("enforced egress", egress === "enforced"), describeCapture);
    section(stated("ports", ports), describePorts);
    section(stated("a warm pool", warmPool && isolates.met), describeTakingOver);
    section(
      stated("the mode overlay", workspaceModes.includes("overlay") && isShared),
      describeOverlay,
    );
    section(stated("the mode clone", workspaceModes.includes("clone") && isShared), describeClone);
    section(isolates, describeUnixProcesses);
    // What a service isolates, it states; what is tested here is what this machine isolates.
    section(stated("isolation by this machine", isolates.met && !isRemote), () => {
      describeWorkspace(makeProvider, kernel, differences);
      describeIsolation(makeProvider, kernel, differences);
      describeToolchain(makeProvider, differences);
    });
  });
}

function expectWithin(present: PresentCapabilities, declared: SandboxCapabilities): void {
  const { isolation, workspaceModes, limits, ...rest } = declared;
  expect(isolation).toEqual(expect.arrayContaining([...present.isolation]));
  expect(workspaceModes).toEqual(expect.arrayContaining([...present.workspaceModes]));
  expect(limits).toEqual(expect.arrayContaining([...present.limits]));
  expect(present).toMatchObject(rest);
}
