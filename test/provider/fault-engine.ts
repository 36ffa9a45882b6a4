/** An engine of its own for tests to kill: takes one sandbox through its life, saying which step begins. */
import { createLocalProvider } from "../../src/sandbox/providers/local/provider.ts";

const [stateDirectory = "", runtimeDirectory = "", workspace = ""] = process.argv.slice(2);
const signal = new AbortController().signal;
const provider = createLocalProvider({ stateDirectory, runtimeDirectory });
const specification = {
  id: "one",
  name: "one",
  workspace: { path: workspace, mode: "direct" as const },
  protectedPaths: [],
  homeLayers: [],
  toolchains: [],
  environment: {},
  certificates: [],
  limits: {},
};
const say = (step: string): void => void process.stdout.write(`${step}\n`);

say("create");
await provider.create(specification, signal);
say("start");
const sandbox = await provider.start(specification, { onCapture: () => undefined }, signal);
say("exec");
const argv = ["sh", "-c", "echo kept >~/f; echo kept >f; echo up; exec sleep 6543"];
const program = await sandbox.exec({ argv }, signal);
await new Promise((resolve) => program.output.once("data", resolve));
say("stop");
await sandbox.stop();
say("destroy");
await provider.destroy("one");
say("end");
await provider.close();
