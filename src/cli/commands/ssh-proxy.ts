import { CattlegridError } from "../../errors/error.ts";
import type { HostKeyList } from "../../protocol/host-key.ts";
import type { Sandbox } from "../../protocol/sandbox.ts";
import { type Api, sandboxPath } from "../api.ts";
import { tell, write } from "../caller.ts";
import { defineVerb, type VerbContext } from "../verb.ts";

/** As OpenSSH ends when a connection fails. */
const EXIT_FAILED = 255;
/** What is behind the sandbox's name in the names that OpenSSH knows. */
const DOMAIN = ".cattlegrid";

export const SSH_PROXY = defineVerb({
  verb: "ssh-proxy",
  usage: "[--host-keys] NAME",
  description:
    "Speaks SSH on its streams and leads into a running sandbox. OpenSSH starts it: see `cattlegrid ssh-config --help`.\n" +
    "Everything, file transfer included, runs inside; ports are forwarded to the sandbox's own loopback only.",
  example: "cattlegrid ssh-proxy my-sandbox",
  operands: { min: 1, max: 1, names: "the name of a sandbox", suggest: ["sandbox"] },
  trailing: "none",
  flags: {
    "host-keys": {
      kind: "switch",
      help: "print the host keys of this moment, as OpenSSH's KnownHostsCommand asks for them",
    },
  },
  async run({ flags, operands: [host = ""] }, context) {
    return flags["host-keys"] === true ? printHostKeys(host, context) : serve(host, context);
  },
});

async function printHostKeys(host: string, { api, caller }: VerbContext): Promise<number> {
  const { keys } = await askByHost(host, api, (name) =>
    api.get<HostKeyList>(sandboxPath(name, "/host-keys")),
  );
  await write(caller.output, keys.map((key) => `* ${key}\n`).join(""));
  return 0;
}

async function serve(host: string, { api, caller, signals }: VerbContext): Promise<number> {
  const hangUp = new AbortController();
  // A key that interrupts another program of the same terminal is none of ours; a hang-up is how OpenSSH ends us.
  using _route = signals.handle((signal) => {
    if (signal === "SIGHUP" || signal === "SIGTERM") hangUp.abort();
  });
  const { loadLibrary, makeHostKey, serveConnection } = await import("../ssh/server.ts");
  const { StandardStreams } = await import("../ssh/streams.ts");
  const library = loadLibrary();
  const hostKey = makeHostKey(library);
  const offered = await askByHost(host, api, (name) => offerHostKey(name, hostKey.public, api));
  const streams = new StandardStreams(caller);
  hangUp.signal.addEventListener("abort", () => streams.destroy());
  if (hangUp.signal.aborted) return 0;
  const isSound = await serveConnection(library, {
    ...offered,
    api,
    streams,
    hostKey,
    tell: (text) => tell(caller, `cattlegrid: ${text}\r`),
  });
  return isSound ? 0 : EXIT_FAILED;
}

/** Throws SANDBOX_NOT_FOUND or SANDBOX_NOT_RUNNING. `ended` resolves when the sandbox, or the daemon, has ended. */
async function offerHostKey(
  name: string,
  key: string,
  api: Api,
): Promise<{ sandbox: string; ended: Promise<void> }> {
  const query = new URLSearchParams({ key }).toString();
  const path = `${sandboxPath(name, "/host-keys/offer")}?${query}`;
  try {
    return { sandbox: name, ...(await api.hold(path, api.signal)) };
  } catch (error) {
    if (!CattlegridError.is(error) || error.code !== "SANDBOX_NOT_RUNNING") throw error;
    const hint = `Start it with \`cattlegrid start ${name}\`, then connect again.`;
    throw new CattlegridError(error.code, error.message, { hint, cause: error });
  }
}

/** OpenSSH writes the names of hosts in small letters; those of sandboxes may have others. */
async function askByHost<T>(host: string, api: Api, ask: (name: string) => Promise<T>): Promise<T> {
  const name = host.endsWith(DOMAIN) ? host.slice(0, -DOMAIN.length) : host;
  try {
    return await ask(name);
  } catch (error) {
    if (!CattlegridError.is(error) || error.code !== "SANDBOX_NOT_FOUND") throw error;
    const { sandboxes } = await api.get<{ sandboxes: readonly Sandbox[] }>("/v1/sandboxes");
    const alike = sandboxes.filter((each) => each.name.toLowerCase() === name.toLowerCase());
    const [only] = alike;
    if (only === undefined || alike.length > 1) throw error;
    return ask(only.name);
  }
}
