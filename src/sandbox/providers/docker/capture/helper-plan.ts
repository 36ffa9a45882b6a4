import { existsSync, realpathSync } from "node:fs";
import { createRequire } from "node:module";
import { extname } from "node:path";
import { fileURLToPath } from "node:url";
import { isWithin } from "../../../../platform/paths.ts";
import { planNeighbour, type NeighbourSources } from "./neighbour-plan.ts";

export const HELPER_MAIN: string = fileURLToPath(
  new URL(`./helper-main${extname(import.meta.url)}`, import.meta.url),
);
const PACKAGE = new URL("../../../../../", import.meta.url);
/** Where this machine's C library, its loader and libnftables are. */
const SYSTEM = ["/usr", "/lib", "/lib64"];

export interface HelperSources extends Omit<NeighbourSources, "entrypoint" | "mounts"> {
  /** Holds the socket at which it leaves what it made, and nothing else. */
  directory: string;
  socketPath: string;
  /** What Node has made of the program before. Default: it makes it anew. */
  compiled?: string | undefined;
  /** Connects to it. Default: captures. */
  port?: number;
}

/**
 * A container with this machine's Node and this very program, whatever the image has in their place.
 * SECURITY: what it sees of this machine it cannot write, but for one socket.
 */
export function planHelper({
  directory,
  socketPath,
  compiled,
  port,
  ...sources
}: HelperSources): object {
  const node = realpathSync(process.execPath);
  const packageDirectory = fileURLToPath(PACKAGE).replace(/\/$/, "");
  const modules = moduleDirectory();
  const trees = [
    ...SYSTEM.filter((path) => existsSync(path)),
    packageDirectory,
    ...(isWithin(modules, packageDirectory) ? [] : [modules]),
    ...(compiled === undefined ? [] : [compiled]),
    ...([packageDirectory, "/usr"].some((path) => isWithin(node, path)) ? [] : [node]),
  ];
  const own = [socketPath, ...(port === undefined ? [] : [String(port)])];
  return planNeighbour({
    ...sources,
    entrypoint: [node, HELPER_MAIN, ...own],
    ...(compiled === undefined ? {} : { environment: [`NODE_COMPILE_CACHE=${compiled}`] }),
    mounts: [...trees.map((path) => bind(path, true)), bind(directory, false)],
  });
}

function bind(path: string, isReadonly: boolean): object {
  return {
    Type: "bind",
    Source: realpathSync(path),
    Target: path,
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
