import { CattlegridError } from "../../../../errors/error.ts";
import { INTERPRETER } from "../../../capture/socket-program.ts";
import { KERNEL_SETTINGS } from "../container/container-plan.ts";

const PIDS = 64;
const MEMORY_BYTES = 256 * 2 ** 20;

export interface NeighbourSources {
  /** Of the sandbox's container, whose network it joins. */
  containerId: string;
  image: string;
  labels: Readonly<Record<string, string>>;
  entrypoint: readonly string[];
  mounts?: readonly object[];
  /** Whether its standard input is whoever attaches, and ends with that. Default: it has none. */
  hasInput?: boolean;
}

/**
 * A container beside a sandbox's.
 * SECURITY: of all that Docker gives a container it has the network of the sandbox and the right to change that. It is root
 * without rights, which reads what everybody may read.
 */
export function planNeighbour(sources: NeighbourSources): object {
  const { hasInput = false } = sources;
  return {
    Image: sources.image,
    User: "0:0",
    Env: ["PATH=/usr/bin:/bin"],
    WorkingDir: "/",
    Entrypoint: sources.entrypoint,
    Cmd: [],
    Labels: sources.labels,
    Healthcheck: { Test: ["NONE"] },
    OpenStdin: hasInput,
    AttachStdin: hasInput,
    StdinOnce: hasInput,
    HostConfig: {
      NetworkMode: `container:${sources.containerId}`,
      CapDrop: ["ALL"],
      // The second: the port is one of those that only the privileged may have, so that no agent takes it.
      CapAdd: ["NET_ADMIN", "NET_BIND_SERVICE"],
      SecurityOpt: ["no-new-privileges"],
      ReadonlyRootfs: true,
      // Of the network that both have: the sandbox's own runtime may leave them out, as gVisor does.
      Sysctls: KERNEL_SETTINGS,
      PidsLimit: PIDS,
      Memory: MEMORY_BYTES,
      RestartPolicy: { Name: "no" },
      LogConfig: { Type: "none" },
      Mounts: sources.mounts ?? [],
    },
  };
}

/** The failure of a neighbour whose start the engine refused. */
export function explainStart(error: unknown, image: string): unknown {
  const isMissing =
    CattlegridError.is(error, "IMAGE_UNSUITABLE") && error.details["program"] === INTERPRETER;
  if (!isMissing) return error;
  const message = `The image ${image} has no ${INTERPRETER}, which makes the gateway's sockets in a sandbox's network.`;
  return new CattlegridError("IMAGE_UNSUITABLE", message, {
    hint: `Use an image of the Debian family, all of which have it, or add ${INTERPRETER} to yours.`,
    cause: error,
  });
}
