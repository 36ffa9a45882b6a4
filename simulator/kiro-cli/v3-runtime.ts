import { spawnSync } from "node:child_process";
import {
  copyFileSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import type { Context } from "./context.ts";
import { CommandFailure } from "./failure.ts";

/** What the V3 engine does before it talks: it unpacks its server at first use, and takes agent files to its own form. */
export function startV3(context: Context): void {
  unpack(context);
  if (context.settings.get("chat.enableAutoAgentUpgrade") !== false) upgradeAgents();
}

/** Fails where home cannot be written or programs in it cannot be run. The wording is the simulator's. */
function unpack({ environment, places, profile }: Context): void {
  const base = environment["KIRO_RUNTIME_DIR"] ?? join(places.data, "kas");
  const folder = join(base, `${profile.version}-simulated`);
  const program = join(folder, "server");
  try {
    mkdirSync(folder, { recursive: true });
    if (!existsSync(program)) writeFileSync(program, "#!/bin/sh\nexit 0\n", { mode: 0o755 });
    const { error, status } = spawnSync(program, { stdio: "ignore" });
    if (error !== undefined) throw error;
    if (status !== 0) throw new Error(`it ended with ${String(status)}`);
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException;
    throw new CommandFailure(`failed to unpack the agent runtime: ${code ?? message}`);
  }
}

/** Rewrites the project's V2 agent files in place, keeping what was there beside them. */
function upgradeAgents(): void {
  const folder = join(process.cwd(), ".kiro", "agents");
  if (!existsSync(folder)) return;
  for (const name of readdirSync(folder).filter((file) => file.endsWith(".json"))) {
    const path = join(folder, name);
    const { allowedTools, ...rest } = JSON.parse(readFileSync(path, "utf8")) as {
      allowedTools?: readonly string[];
    };
    if (allowedTools === undefined) continue;
    copyFileSync(path, `${path}.bak`);
    const rules = allowedTools.map((tool) => ({ capability: tool, effect: "allow" }));
    writeFileSync(path, `${JSON.stringify({ ...rest, permissions: { rules } }, null, 2)}\n`);
  }
}
