/** What `import … from "cattlegrid/testing"` gives; the suites need vitest. */
export { describeSandboxProvider, type ProviderUnderTest } from "./conformance/sandbox-provider.ts";
export { allOf, program, requirement, type Requirement } from "./requirement.ts";
export { createFakeEngine, type FakeEngineOptions } from "./fake/engine.ts";
export type { FakeFiles } from "./fake/files.ts";
export type { FakeProgram, FakeRun } from "./fake/program.ts";
export { createFakeProvider, type FakeProviderOptions } from "./fake/provider.ts";
export {
  createScriptedAgent,
  type Script,
  type ScriptedAgent,
  type ScriptedAgentOptions,
} from "./fake/scripted-agent.ts";
