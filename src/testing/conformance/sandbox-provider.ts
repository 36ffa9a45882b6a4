import { describe, expect, test } from "vitest";
import type { SandboxCapabilities } from "../../sandbox/provider.ts";
import type { Requirement } from "../requirement.ts";
import { describeIsolation } from "./isolation.ts";
import { describeLife } from "./life.ts";
import { describeProcesses } from "./processes.ts";
import { NEVER, SandboxYard, type Kernel, type MakeProvider } from "./sandbox-yard.ts";
import { describeToolchain } from "./toolchain.ts";
import { describeWorkspace } from "./workspace.ts";

export interface ProviderUnderTest {
  makeProvider: MakeProvider;
  /** What the backend needs of the machine; unmet, every test is skipped and says why. */
  requirement: Requirement;
  /** What the provider has to state of itself; `limits` depends on the machine. */
  capabilities: Omit<SandboxCapabilities, "limits">;
  /** Whose kernel answers the programs inside: the host's, or one of the sandbox's own. Default: the host's. */
  kernel?: Kernel;
}

/** What every sandbox provider has to do, tested against the real backend. */
export function describeSandboxProvider(name: string, subject: ProviderUnderTest): void {
  const { makeProvider, requirement, capabilities, kernel = "host" } = subject;
  describe.skipIf(!requirement.met)(requirement.title(name), () => {
    test("it states what it can do", async () => {
      const yard = new SandboxYard(makeProvider);
      expect(await yard.provider.capabilities(NEVER)).toMatchObject(capabilities);
      await yard.close();
    });
    describeProcesses(makeProvider, kernel);
    describeWorkspace(makeProvider, kernel);
    describeIsolation(makeProvider, kernel);
    describeToolchain(makeProvider);
    describeLife(makeProvider);
  });
}
