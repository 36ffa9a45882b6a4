/**
 * Runs commands on one project at once, each in a sandbox of its own that can read the project and change nothing, with an
 * engine in this process: no daemon, and nothing is left. Prints how each ended; exits with 1 when one failed.
 *
 *     node side-by-side.ts WORKSPACE 'npm test' 'npm run lint' 'node --check main.js'
 */
import { mkdtempSync, realpathSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createEngine, runProcess } from "cattlegrid";

const [workspace = ".", ...commands] = process.argv.slice(2);
const home = mkdtempSync(join(tmpdir(), "side-by-side-"));
try {
  await using engine = await createEngine({ home });
  const runs = commands.map(async (command, index) => {
    const body = {
      agent: "shell",
      name: `run-${index + 1}`,
      workspace: realpathSync(workspace),
      mode: "readonly",
    } as const;
    const { id } = await engine.createSandbox({ body });
    await engine.startSandbox({ id, body: {} });
    const finished = await runProcess(engine, id, { argv: ["sh", "-c", command] });
    await engine.removeSandbox({ id });
    return { command, ...finished };
  });
  for (const { command, exitCode, stdout, stderr } of await Promise.all(runs)) {
    console.log(`${exitCode === 0 ? "ok    " : `failed (${exitCode})`} ${command}`);
    if (exitCode === 0) continue;
    console.log((stdout + stderr).trimEnd().split("\n").slice(-20).join("\n"));
    process.exitCode = 1;
  }
} finally {
  rmSync(home, { recursive: true, force: true });
}
