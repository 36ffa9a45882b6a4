/** An engine of its own for tests to kill: starts a sandbox on the Docker engine that it is given, says so, and waits. */
import { createDockerProvider } from "../../src/sandbox/providers/docker/provider.ts";

const [stateDirectory = "", runtimeDirectory = "", host = "", image = "", path = "", way] =
  process.argv.slice(2);
const signal = new AbortController().signal;
const provider = createDockerProvider({
  stateDirectory,
  runtimeDirectory,
  host,
  image,
  ...((way === "relay" || way === "helper") && { way }),
});
const specification = {
  id: "one",
  name: "one",
  ...(path !== "" && { workspace: { path, mode: "direct" as const } }),
  protectedPaths: [],
  homeLayers: [],
  toolchains: [],
  environment: {},
  certificates: [],
  limits: {},
};
await provider.create(specification, signal);
const sandbox = await provider.start(specification, { onCapture: () => undefined }, signal);
const argv = ["sh", "-c", "echo kept >~/f; echo up; exec sleep 6543"];
const program = await sandbox.exec({ argv }, signal);
await new Promise((resolve) => program.output.once("data", resolve));
process.stdout.write(`ready, egress ${String(sandbox.facts["egress"])}\n`);
