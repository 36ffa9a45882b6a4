import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Cattlegrid } from "../../client/client.ts";
import { openEngine } from "../../sdk/embedding.ts";
import { createFakeProvider, type FakeProviderOptions } from "./provider.ts";
import type { FakeProgram } from "./program.ts";
import { createScriptedAgent, type Script, type ScriptedAgent } from "./scripted-agent.ts";

export interface FakeEngineOptions {
  /** What the agent `scripted` answers. Default: the prompt itself. */
  script?: Script;
  /** More agents. */
  agents?: readonly ScriptedAgent[];
  /** More programs, for `exec`. */
  programs?: Readonly<Record<string, FakeProgram>>;
  /** What its provider states otherwise, such as a workspace that is copied. */
  capabilities?: FakeProviderOptions["capabilities"];
  /** State directory. Default: a temporary one, which goes with the engine. */
  home?: string;
}

/**
 * A whole engine with its API, in this process and over the fake provider: the sandboxes, policies, sessions and turns
 * are Cattlegrid's own, and what runs in them is functions. Nothing of it is ever in the `cattlegrid` that users run.
 */
export async function createFakeEngine(options: FakeEngineOptions = {}): Promise<Cattlegrid> {
  const { script = (prompt) => prompt, agents: others = [], programs } = options;
  const agents = [createScriptedAgent(script), ...others];
  const provider = createFakeProvider({
    programs: Object.assign({}, ...agents.map((each) => each.programs), programs),
    ...(options.capabilities === undefined ? {} : { capabilities: options.capabilities }),
  });
  const plugin = { id: provider.id, declared: provider.declared, load: async () => provider };
  const home = options.home ?? mkdtempSync(join(tmpdir(), "cg-fake-"));
  return openEngine(
    { home },
    {
      plugins: { agents: agents.map(({ adapter }) => adapter), providers: [plugin] },
      closed() {
        if (options.home === undefined) rmSync(home, { recursive: true, force: true });
      },
    },
  );
}
