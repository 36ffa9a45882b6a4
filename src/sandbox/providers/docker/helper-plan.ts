import { existsSync, realpathSync } from "node:fs";
import { createRequire } from "node:module";
import { extname } from "node:path";
import { fileURLToPath } from "node:url";
import { isWithin } from "../../../platform/paths.ts";
import { INSTALLATION_LABEL } from "./installation.ts";

const MAIN = new URL(`./helper/main${extname(import.meta.url)}`, import.meta.url);
const PACKAGE = new URL("../../../../", import.meta.url);
/** Where this machine's C library, its loader and libnftables are. */
const SYSTEM = ["/usr", "/lib", "/lib64"];
const PIDS = 64;
const MEMORY_BYTES = 256 * 2 ** 20;

export interface HelperSources {
  /** Of the sandbox's container, whose network it joins. */
  containerId: string;
  image: string;
  installation: string;
  /** Holds the socket at which it leaves what it made, and nothing else. */
  directory: string;
  socketPath: string;
  /** Connects to it. Default: captures. */
  port?: number;
}

/**
 * A container with this machine's Node and this very program, whatever the image has in their place.
 * SECURITY: of all that Docker gives a container it has the network of the sandbox, the right to change that, and one
 * socket. What it sees of this machine it cannot write, and as root without rights it reads what everybody may read.
 */
export function planHelper(sources: HelperSources): object {
  const { containerId, socketPath, port, installation, directory } = sources;
  const node = realpathSync(process.execPath);
  const packageDirectory = fileURLToPath(PACKAGE).replace(/\/$/, "");
  const modules = moduleDirectory();
  const trees = [
    ...SYSTEM.filter((path) => existsSync(path)),
    packageDirectory,
    ...(isWithin(modules, packageDirectory) ? [] : [modules]),
    ...([packageDirectory, "/usr"].some((path) => isWithin(node, path)) ? [] : [node]),
  ];
  return {
    Image: sources.image,
    User: "0:0",
    Env: ["PATH=/usr/bin:/bin"],
    WorkingDir: "/",
    Entrypoint: [node],
    Cmd: [fileURLToPath(MAIN), socketPath, ...(port === undefined ? [] : [String(port)])],
    Labels: { [INSTALLATION_LABEL]: installation },
    Healthcheck: { Test: ["NONE"] },
    HostConfig: {
      NetworkMode: `container:${containerId}`,
      CapDrop: ["ALL"],
      // The second: the port is one of those that only the privileged may have, so that no agent takes it.
      CapAdd: ["NET_ADMIN", "NET_BIND_SERVICE"],
      SecurityOpt: ["no-new-privileges"],
      ReadonlyRootfs: true,
      PidsLimit: PIDS,
      Memory: MEMORY_BYTES,
      RestartPolicy: { Name: "no" },
      LogConfig: { Type: "none" },
      Mounts: [...trees.map((path) => bind(path, path, true)), bind(directory, directory, false)],
    },
  };
}

function bind(path: string, target: string, isReadonly: boolean): object {
  return {
    Type: "bind",
    Source: realpathSync(path),
    Target: target,
    ReadOnly: isReadonly,
    BindOptions: { Propagation: "rprivate" },
  };
}

/** Where the packages are that this program needs there. */
function moduleDirectory(): string {
  const module = realpathSync(createRequire(import.meta.url).resolve("koffi"));
  const folder = "/node_modules";
  return module.slice(0, module.lastIndexOf(`${folder}/`) + folder.length);
}
