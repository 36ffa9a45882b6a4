/** An engine of its own for tests to kill: starts two sandboxes, says so, and waits. */
import { createLocalProvider } from "../../src/sandbox/providers/local/provider.ts";

const [stateDirectory = "", runtimeDirectory = ""] = process.argv.slice(2);
const signal = new AbortController().signal;
const provider = createLocalProvider({ stateDirectory, runtimeDirectory });
for (const id of ["one", "two"]) {
  const specification = {
    id,
    name: id,
    protectedPaths: [],
    homeLayers: [],
    toolchains: [],
    environment: {},
    certificates: [],
    limits: {},
  };
  await provider.create(specification, signal);
  const sandbox = await provider.start(specification, { onCapture: () => undefined }, signal);
  const argv = ["sh", "-c", `echo ${id} >~/f; echo up; setsid sleep 6543 & exec sleep 6543`];
  const program = await sandbox.exec({ argv }, signal);
  await new Promise((resolve) => program.output.once("data", resolve));
}
process.stdout.write("ready\n");
