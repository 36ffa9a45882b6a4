/**
 * Talks to Kiro prompt by prompt in a sandbox that lives as long as this program: installed when it is missing, signed in
 * in this terminal, working on WORKSPACE with every tool trusted, and gone at the end, however that comes.
 *
 *     node kiro-chat.ts [WORKSPACE]
 */
import { realpathSync } from "node:fs";
import { createInterface } from "node:readline";
import { CattlegridError, connect } from "cattlegrid";

await using grid = await connect();
const life = new AbortController();
const terminal = { columns: process.stdout.columns || 120, rows: process.stdout.rows || 30 };
const wanted = { agent: "kiro", workspace: realpathSync(process.argv[2] ?? "."), ephemeral: true };
const { id } = await grid.createSandbox({ body: wanted });
// The sandbox goes when this stream closes: also when this program crashes or its terminal is closed.
void Promise.allSettled([Array.fromAsync(grid.leaseSandbox({ id, signal: life.signal }))]);
for await (const event of grid.startSandbox.events({ id, body: {} })) {
  if (event.type === "install-start") console.error(event.text);
  if (event.type === "problem") throw new Error(event.problem.detail);
}
const { KIRO_API_KEY = "" } = process.env;
const secrets = KIRO_API_KEY === "" ? {} : { KIRO_API_KEY };
const body = { kind: "turns", terminal, secrets } as const;
const session = await grid.createSession({ id, body });
let login: Promise<void> | undefined;
for await (const event of grid.followSession({ id: session.id })) {
  if (event.type === "login-code") console.error(`Open ${event.url}\n  code: ${event.code}`);
  if (event.type === "terminal-start") login = join(event.terminalId);
  if (event.type === "session-end") throw new Error(event.problem?.detail ?? "The session ended.");
  if (event.type === "session-ready") break;
}
await login;
console.error("Ready. One prompt a line; exit ends it.");
for await (const prompt of createInterface({ input: process.stdin })) {
  if (prompt === "exit") break;
  await ask(prompt).catch((error: unknown) => {
    if (!CattlegridError.is(error)) throw error;
    console.error(`${error.message} ${error.hint}`);
  });
}
await grid.removeSandbox({ id });
life.abort();
process.stdin.destroy();

async function ask(prompt: string): Promise<void> {
  for await (const event of grid.runTurn({ id: session.id, body: { prompt } })) {
    if (event.type === "output-delta") process.stdout.write(Buffer.from(event.bytes, "base64"));
    if (event.type === "turn-end") console.error(`\n[${event.outcome}] ${event.reason ?? ""}`);
  }
}

/** Gives this terminal to the login: its bytes as they are, both ways. */
async function join(terminalId: string): Promise<void> {
  await using shown = await grid.attachTerminal(terminalId);
  const type = (bytes: Buffer): void => void shown.write(bytes);
  process.stdin.setRawMode?.(true).on("data", type);
  for await (const { bytes } of shown.output) process.stdout.write(bytes);
  process.stdin.off("data", type).pause().setRawMode?.(false);
}
