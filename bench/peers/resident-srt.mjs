// Holds srt's library (first argument) and runs a command (second argument) in it for each line of its input.
import { spawn } from "node:child_process";
import { once } from "node:events";
import { createInterface } from "node:readline";

const [, , library, command] = process.argv;
const { SandboxManager } = await import(library);
await SandboxManager.initialize({
  network: { allowedDomains: ["example.com"], deniedDomains: [] },
  filesystem: { denyRead: [], allowWrite: ["."], denyWrite: [] },
});
for await (const _ of createInterface({ input: process.stdin })) {
  const wrapped = await SandboxManager.wrapWithSandbox(command);
  // SECURITY: the library gives back a command line for a shell; it is made of the constant that the bench passed.
  const child = spawn(wrapped, { shell: true, stdio: ["ignore", "inherit", "ignore"] });
  await once(child, "close");
  SandboxManager.cleanupAfterCommand();
  process.stdout.write("ended\n");
}
await SandboxManager.reset();
